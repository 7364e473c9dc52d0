"""The real server as a child process: started, found dead and started again, ended."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"
_PORTS_TRIED = 20
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_MOST_REVIVALS = 20
_CALL = "from server.command import main; main()"


class ServerFailed(Exception):
    """The server did not come up; the text holds the end of its log."""


def free_port(wanted: int) -> int:
    """The port itself, or the next one that nobody listens on."""
    for port in range(wanted, wanted + _PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ServerFailed(f"Ports {wanted} to {wanted + _PORTS_TRIED - 1} are all taken; choose another with --port.")


class Serving:
    """`siby serve` in its own process group, so that a signal meant for the demo reaches it through the demo only.

    Its process id lies in `folder`: a server that outlived a killed demo is ended before another one is started.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], port: int) -> None:
        self.port = port
        self.log = folder / "server.log"
        self._pid_file = folder / "server.pid"
        self._environment = environment
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self._revivals = 0

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Comes back when the server answers. Raises ServerFailed."""
        self.begin()
        self.wait_for_answer()

    def begin(self) -> None:
        """Start it, and leave it to get up."""
        command = [sys.executable, "-c", _CALL, "serve", "--host", HOST, "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 — nothing in it comes from outside
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid_file.write_text(str(self._child.pid))

    def revive(self) -> bool:
        """Start it again if somebody killed it; True if so. Raises ServerFailed if it will not live."""
        if self._child is None or self._child.poll() is None:
            return False
        self._revivals += 1
        if self._revivals > _MOST_REVIVALS:
            raise ServerFailed(f"The server keeps ending.\n{self._end_of_log()}")
        _signal_group(self._child.pid, signal.SIGKILL)  # what the killed process has left behind
        self.start()
        return True

    def kill(self) -> None:
        """What a power cut does."""
        if self._child is not None:
            _signal_group(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def stop(self) -> None:
        """End it: asked first, then killed."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                child.wait(_STOP_SECONDS)
        _signal_group(child.pid, signal.SIGKILL)
        child.wait()
        self._pid_file.unlink(missing_ok=True)

    def wait_for_answer(self) -> None:
        """Comes back when the server answers. Raises ServerFailed."""
        assert self._child is not None
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            if self._child.poll() is not None:
                raise ServerFailed(f"The server ended at once.\n{self._end_of_log()}")
            if _answers(self.port):
                return
            time.sleep(0.05)
        raise ServerFailed(f"The server did not answer in {_START_SECONDS:.0f} seconds.\n{self._end_of_log()}")

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def end_leftover(folder: Path) -> bool:
    """End the server that a killed demo has left running in this folder; True if there was one."""
    pid_file = folder / "server.pid"
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return False
    found = _CALL in _command_of(pid)
    if found:
        _signal_group(pid, signal.SIGTERM)
        until = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < until and _CALL in _command_of(pid):
            time.sleep(0.05)
        if _CALL in _command_of(pid):
            _signal_group(pid, signal.SIGKILL)
    pid_file.unlink(missing_ok=True)
    return found


def _command_of(pid: int) -> str:
    """The command line of a process, "" when there is none: a number alone may long belong to another program."""
    ps = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    done = subprocess.run(ps, capture_output=True, text=True, check=False)  # noqa: S603 — nothing comes from outside

    return done.stdout


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/v1/openapi.json")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
