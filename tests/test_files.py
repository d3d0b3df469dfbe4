"""Files that are whole or not there, on a disk that fills up too; and what killed processes leave."""

import contextlib
import os
import subprocess
import sys
import time

import psutil
import pytest

from imgcls import files
from imgcls.errors import StorageError
from imgcls.files import remove_leftovers, replacing, temporary_name, write_bytes
from imgcls.processes import ProcessId

DEAD = 2**22 + 7  # above Linux's largest pid


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own with 300 kB; where none may be mounted, no file of this process may be larger."""
    import resource

    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode == 0:
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    else:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
        yield folder
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_file_and_no_litter(small_disk):
    path = small_disk / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(StorageError, match="free some space"):
        write_bytes(path, b"x" * 1_000_000)
    assert path.read_bytes() == b"old" and [p.name for p in small_disk.iterdir()] == ["a.bin"]
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_full_disk_at_a_checkpoint_is_a_sentence(small_disk):
    import torch

    from imgcls.checkpoints.format import write_tensors

    path = small_disk / "best.safetensors"
    write_tensors(path, {"a": torch.zeros(100)}, {"k": "v"})
    old = path.read_bytes()
    with pytest.raises(StorageError, match="free some space"):
        write_tensors(path, {"a": torch.zeros(1_000_000)}, {"k": "v"})
    assert path.read_bytes() == old and len(list(small_disk.iterdir())) == 1


def test_tensors_come_back_however_they_lay_in_memory(tmp_path):
    import torch
    from safetensors.torch import load_file

    from imgcls.checkpoints.format import write_tensors

    state = {"a": torch.arange(12.0).reshape(3, 4).t(), "b": torch.ones(5, dtype=torch.int64)}
    write_tensors(tmp_path / "x.safetensors", state, {"k": "v"})
    read = load_file(tmp_path / "x.safetensors")
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_a_broken_writer_changes_nothing(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with contextlib.suppress(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_may_not_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_bytes(tmp_path / "file" / "a", b"")


def test_leftovers_of_the_dead_go_and_of_the_living_stay(tmp_path):
    mine = temporary_name(tmp_path / "best.safetensors")
    mine.write_text("half")
    me = ProcessId.current()
    killed = tmp_path / f".best.safetensors.{DEAD}-{int(me.began * 1000)}.abcdef.tmp"
    recycled = tmp_path / f".best.safetensors.{me.pid}-{int((me.began - 500) * 1000)}.abcdef.tmp"
    unpacked = tmp_path / f".cats.{DEAD}-1.abcdef.tmp"
    for path in (killed, recycled):
        path.write_text("half")
    for folder in (unpacked, tmp_path / ".gone-0123456789ab"):
        (folder / "inner").mkdir(parents=True)
    earlier, recent = tmp_path / ".best.safetensors.123.tmp", tmp_path / ".last.safetensors.123.tmp"
    for path in (earlier, recent):
        path.write_text("half")
    os.utime(earlier, (time.time() - 10 * 86400,) * 2)
    for kept in ("best.safetensors", ".hidden", "x.tmp"):
        (tmp_path / kept).write_text("kept")
    remove_leftovers(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {mine.name, recent.name, "best.safetensors", ".hidden", "x.tmp"}


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "photo.jpg").write_text("photo")
    (tmp_path / ".gone-0123456789ab").symlink_to(tmp_path / "precious")
    remove_leftovers(tmp_path)
    assert (tmp_path / "precious" / "photo.jpg").exists() and len(list(tmp_path.iterdir())) == 1


def test_a_pid_that_another_process_has_now_is_not_the_process():
    me = ProcessId.current()
    assert me.alive() and not ProcessId(me.pid, me.began - 3600).alive() and not ProcessId(DEAD, me.began).alive()
    for nonsense in (-1, 0, 2**70):
        assert not ProcessId(nonsense, 1.0).alive()


def test_a_process_that_has_ended_is_not_alive_before_anybody_waits_for_it():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = ProcessId.of(process.pid)
    assert known.alive()
    process.kill()
    with contextlib.suppress(psutil.TimeoutExpired):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie, left as one
    assert not known.alive()
    process.wait()
    process.stdin.close()
    assert not known.alive() and ProcessId.of(process.pid) != known


@pytest.mark.parametrize(("patient", "busy", "renamed"), [(True, 3, True), (False, 1, False), (True, 10_000, False)])
def test_a_file_that_is_being_read_is_replaced_later(tmp_path, monkeypatch, patient, busy, renamed):
    """As Windows has it: a reader's open file cannot be renamed over."""
    monkeypatch.setattr(files, "RETRY_PAUSE_S", 0.001)
    (tmp_path / "new").write_text("new"), (tmp_path / "old").write_text("old")
    asked = []

    def rename(new, old):
        asked.append(new)
        if len(asked) <= busy:
            raise PermissionError(13, "in use")
        os.replace(new, old)

    expected = contextlib.nullcontext() if renamed else pytest.raises(PermissionError)
    with expected:
        files.rename_over(tmp_path / "new", tmp_path / "old", patient=patient, rename=rename)
    assert (tmp_path / "old").read_text() == ("new" if renamed else "old")
