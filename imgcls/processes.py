"""What this process may use of the machine, and which process is which."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CLOCK_STEP = 2.0  # seconds by which a process's start may seem to move when the system's clock is set


CGROUP = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Cores this process may run on; in a container that may use two of sixteen, two."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    return max(1, min(cores, _quota() or cores))


@cache
def _quota() -> int | None:
    """The cores' worth of time that the container has, rounded up; None where it has all of it."""
    try:
        if (CGROUP / "cpu.max").exists():
            time, period = (CGROUP / "cpu.max").read_text().split()
        else:  # the first version of cgroups
            time, period = ((CGROUP / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return None if time == "max" or int(time) <= 0 else math.ceil(int(time) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None


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
