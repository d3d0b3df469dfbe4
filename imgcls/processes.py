"""What this process may use of the machine, and which process is which."""

from __future__ import annotations

import os
from dataclasses import dataclass

CLOCK_STEP = 2.0  # seconds by which a process's start may seem to move when the system's clock is set


def available_cores() -> int:
    """Cores this process may run on."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


@dataclass(frozen=True)
class ProcessId:
    """A pid, and when that process began (seconds since 1970): the system gives a pid again, the pair it does not."""

    pid: int
    began: float

    @classmethod
    def current(cls) -> ProcessId:
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """The process that has this pid now; one that has ended already where there is none."""
        import psutil

        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return cls(pid, 0.0)

    def alive(self) -> bool:
        import psutil

        try:
            process = psutil.Process(self.pid)
            ended = process.status() == psutil.STATUS_ZOMBIE
            return not ended and abs(process.create_time() - self.began) < CLOCK_STEP
        except psutil.AccessDenied:  # it is there, and another user's
            return True
        except (psutil.Error, ValueError, OverflowError):
            return False
