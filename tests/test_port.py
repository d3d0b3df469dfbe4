"""The address of the server: a second start says where the first one is, and nothing is left of one that has ended."""

import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from imgcls.errors import ServeError
from imgcls.web.server.port import listen
from imgcls.workspace import PROJECT


def serving(workspace, port, **env):
    command = [sys.executable, "-m", "imgcls", "serve", "--port", str(port)]
    env = os.environ | {"IMGCLS_HOME": str(workspace.root)} | env
    return subprocess.Popen(command, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("password", ["", pytest.param("secret", marks=pytest.mark.slow)])
def test_a_second_start_says_where_the_first_one_is_and_none_is_left(workspace, ending, password):
    with serving(workspace, 0, IMGCLS_PASSWORD=password) as first:
        url = first.stdout.readline().split()[5]
        port = int(url.rpartition(":")[2])
        with serving(workspace, port) as second:
            _, said = second.communicate(timeout=300)
        assert said == f"imgcls: The lab is open already at {url}: go there, or choose another --port.\n"
        assert second.returncode == 2
        started = psutil.Process(first.pid).children(recursive=True)
        first.send_signal(ending)
        first.wait(60)
    psutil.wait_procs(started, 60)
    assert not [process for process in started if process.is_running()]
    with listen("127.0.0.1", port):
        pass


def test_a_port_of_another_program_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        other.close()
    with listen("127.0.0.1", port), pytest.raises(ServeError, match=f"Another program has 127.0.0.1:{port}"):
        listen("127.0.0.1", port)


def test_an_address_that_is_not_this_computer_s_is_a_sentence():
    with pytest.raises(ServeError, match=r"192.0.2.1:80\d* cannot be listened at \(.+\): choose another --host"):
        listen("192.0.2.1", 8080)
