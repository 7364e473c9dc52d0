"""The real server: many slow senders, broken connections, and an end that loses nothing."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.projects import SALE, a_sale
from tests.support.workbooks import a_workbook

SIBY = [sys.executable, "-c", "from server.cli import main; main()"]


@dataclass
class Server:
    """A `siby serve` of its own, with one device."""

    process: subprocess.Popen[str]
    port: int
    token: str

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def head(self, length: int) -> bytes:
        """The beginning of a POST of a batch."""
        return (
            f"POST /v1/projects/1/batches HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()

    def answers(self) -> float:
        """How many seconds an everyday request takes."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/v1/projects/1/capabilities", headers={"Authorization": f"Bearer {self.token}"})
        assert connection.getresponse().status == 200
        connection.close()
        return time.monotonic() - began

    def takes_a_batch(self) -> float:
        """How many seconds a batch takes that comes at once."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.token}"}
        connection.request("POST", "/v1/projects/1/batches", a_batch("quick"), headers)
        assert connection.getresponse().status == 200
        connection.close()
        return time.monotonic() - began


def a_batch(name: str) -> bytes:
    return json.dumps({"batch": name, "items": [a_sale(1)]}).encode()


ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SIBY_")} | {
    "SIBY_RESERVE_MB": "0",
    "SIBY_WORKERS": "2",
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of an installation as the commands make it, and the token of its device."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "programme" / "forms").mkdir(parents=True)
    (folder / "programme" / "project.toml").write_text('name = "Siby"\n')
    (folder / "programme" / "forms" / "sale.xlsx").write_bytes(a_workbook("sale", "1", SALE))

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*SIBY, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True
        )
        return done.stdout

    run("init")
    run("load", "programme")
    return folder, run("device", "add", "T1", "--no-code").strip()


@pytest.fixture
def server(installed: tuple[Path, str], tmp_path: Path) -> Iterator[Server]:
    folder, token = installed
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    process = subprocess.Popen(
        [*SIBY, "serve", "--port", "0"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.startswith("Siby listens on http://127.0.0.1:"), said
    yield Server(process, int(said.strip().rsplit(":", 1)[1]), token)
    process.kill()
    process.wait()


def test_slow_senders_keep_nobody_waiting(server: Server) -> None:
    server.answers()
    with ExitStack() as stack:
        for number in range(24):
            phone = stack.enter_context(server.connect())
            phone.sendall(server.head(100_000) + b'{"batch": "slow' + str(number).encode())

        assert server.answers() < 3
        assert server.takes_a_batch() < 3


def test_broken_connections_and_lies_leave_the_server_well(server: Server) -> None:
    for sent in (
        b"",
        b"GET",
        b"nonsense\r\n\r\n",
        server.head(10**12),
        server.head(1000) + b"cut",
        server.head(5)[:-2] + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        server.head(2) + b"{}{}{}{}",
    ):
        with server.connect() as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
            assert not answer.startswith(b"HTTP/1.1 5"), (sent[-40:], answer)

    assert server.answers() < 5


def test_what_announces_more_than_anybody_may_send_is_refused_before_it_comes(server: Server) -> None:
    for path in ("batches", "batches/known", "files"):
        head = (
            server.head(99_999_999_999)
            .replace(b"batches ", f"{path} ".encode())
            .replace(
                b"\r\n\r\n",
                b"\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 5\r\nContent-Type: application/offset+octet-stream\r\n"
                b"Upload-Metadata: sha256 " + base64.b64encode(b"ab" * 32) + b"\r\n\r\n",
            )
        )
        with server.connect() as connection:
            connection.settimeout(10)
            connection.sendall(head + b"{}")

            assert connection.recv(65536).startswith(b"HTTP/1.1 413"), path


def test_a_request_in_work_is_finished_before_the_server_ends(server: Server) -> None:
    body = a_batch("late")
    with server.connect() as connection:
        connection.sendall(server.head(len(body)) + body[:20])
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(body[20:])
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        told = json.loads(answer.read())

    assert [receipt["outcome"] for receipt in told["receipts"]] == ["stored"]
    assert server.process.wait(timeout=30) == 0


def test_a_server_that_ends_leaves_its_background_work_to_the_next_at_once(server: Server, tmp_path: Path) -> None:
    def held() -> set[str]:
        with closing(sqlite3.connect(next(tmp_path.rglob("*.sqlite")))) as database:
            return {name for (name,) in database.execute("SELECT name FROM leases")}

    waited = time.monotonic() + 30
    while len(held()) < 3 and time.monotonic() < waited:
        time.sleep(0.2)
    before = held()
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(timeout=30)

    assert before == {"webhooks", "following", "clearing"}
    assert held() == set()


def test_a_kept_connection_takes_one_form_after_the_other_and_keeps_nobody_waiting(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.token}"}

    def send(connection: http.client.HTTPConnection, name: str) -> int:
        connection.request("POST", "/v1/projects/1/batches", a_batch(name), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    with ExitStack() as idle:
        kept = [
            idle.enter_context(closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)))
            for _ in range(40)
        ]
        for number, connection in enumerate(kept):
            assert send(connection, f"first {number}") == 200
        assert server.answers() < 5
        assert [send(kept[0], f"more {number}") for number in range(20)] == [200] * 20
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=15) == 0


def test_a_chunked_body_is_read(server: Server) -> None:
    body = a_batch("chunked")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    pieces = (body[start : start + 100] for start in range(0, len(body), 100))

    connection.request(
        "POST",
        "/v1/projects/1/batches",
        body=pieces,
        headers={"Authorization": f"Bearer {server.token}", "Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )

    assert connection.getresponse().status == 200


def test_nobodys_forwarded_headers_are_believed_who_was_not_named_as_a_proxy(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    claimed = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "elsewhere.example", "Script-Name": "/elsewhere"}

    connection.request("GET", f"/v1/key/{server.token}/projects/1/formList", headers=claimed)

    assert f"<downloadUrl>http://127.0.0.1:{server.port}/v1/key/" in connection.getresponse().read().decode()


def test_an_address_may_be_as_long_as_a_tablet_makes_it_and_no_longer(server: Server) -> None:
    def asked(path: str) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
            connection.request("GET", f"/v1/key/{server.token}/projects/1/{path}")
            answer = connection.getresponse()
            return answer.status, answer.read()

    ids = "%2C".join(f"00000000-0000-4000-8000-{number:012}" for number in range(1_600))

    assert len(ids) > 60_000
    assert asked(f"datasets/people/integrity?id={ids}")[0] == 200
    for longer in (70_000, 1_000_000):
        status, said = asked(f"formList?formID={'x' * longer}")
        assert (status, b"URI Too Long" in said) == (414, True)
    assert server.answers() < 5
