"""Ports that are taken, and servers that outlived the demo that started them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo.installation import FolderInUse, Installation
from demo.serving import HOST, end_leftover, free_port


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert free_port(port) > port


def test_a_number_that_now_belongs_to_another_program_is_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (tmp_path / "server.pid").write_text(str(other.pid))

    ended = end_leftover(tmp_path)

    alive = other.poll() is None
    other.kill()
    other.wait()
    assert not ended
    assert alive


def test_a_leftover_server_is_ended(tmp_path: Path) -> None:
    waits = "import time; time.sleep(60)  # from server.command import main; main()"
    leftover = subprocess.Popen([sys.executable, "-c", waits], start_new_session=True)
    (tmp_path / "server.pid").write_text(str(leftover.pid))

    ended = end_leftover(tmp_path)

    assert ended
    assert leftover.wait(5) != 0
    assert not (tmp_path / "server.pid").exists()


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    first = Installation(tmp_path)

    with pytest.raises(FolderInUse):
        Installation(tmp_path)

    first.close()
    Installation(tmp_path).close()


def test_the_servers_settings_are_the_demos_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIBY_DATABASE", "postgresql://somewhere/else")
    installation = Installation(tmp_path)

    ours = {name: value for name, value in installation.environment.items() if name.startswith("SIBY_")}

    installation.close()
    assert ours == {"SIBY_FOLDER": str(tmp_path.resolve() / "siby")}
    assert installation.environment["PATH"] == os.environ["PATH"]
