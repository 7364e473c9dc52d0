"""A fresh installation of the product on a database of its own, with the real server running."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench.multiplied import multiply
from bench.processes import cpu_of, memory_of
from bench.programme import write_programme
from tests.support.databases import SERVER_SETTINGS, postgres_programs, start_server, stop_server

SIBY = str(Path(sys.executable).with_name("siby"))
# A database that is measured keeps its promises to the disk.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "on"}


@dataclass
class Installation:
    """Where it lies, and how to speak to it. `database_pid` is PostgreSQL's; SQLite works inside the server."""

    folder: Path
    environment: dict[str, str]
    database_pid: int | None
    port: int
    server: subprocess.Popen[bytes] | None = None
    token: str = ""
    project: str = ""
    connections: dict[int, http.client.HTTPConnection] = field(default_factory=dict)
    nonce: int = 0  # how many exports were asked for, so that none is met twice

    @property
    def database_url(self) -> str:
        """Where the database is, for rows that are put there past the server."""
        return self.environment.get("SIBY_DATABASE") or f"sqlite:///{self.folder / 'data' / 'siby.sqlite'}"

    def siby(self, *arguments: str) -> str:
        """Runs the command line and gives what it printed."""
        done = subprocess.run(
            [SIBY, *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"siby {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> float:
        """Starts the server and gives the seconds to its first answer."""
        log = (self.folder / "log").open("ab")
        began = time.perf_counter()
        command = [SIBY, "serve", "--port", str(self.port)]
        self.server = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        while True:
            if self.server.poll() is not None:
                raise RuntimeError("The server ended:\n" + (self.folder / "log").read_text())
            try:
                self.ask("GET", "/v1/projects", device=-1)
            except OSError:
                time.sleep(0.02)
            else:
                return time.perf_counter() - began

    def stop(self) -> None:
        """Ends the server and waits for it."""
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()
        if self.server is not None:
            self.server.terminate()
            self.server.wait(60)
            self.server = None

    def ask(
        self, method: str, path: str, body: bytes | None = None, device: int = 0, **headers: str
    ) -> tuple[int, bytes]:
        """One request over the connection that the device keeps open, or over a new one if it was closed meanwhile."""
        all_headers = {"Authorization": f"Bearer {self.token}"}
        all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = self.connections.pop(device, None)
        if kept is not None:
            try:
                return self._answer(kept, device, method, path, body, all_headers)
            except (ConnectionError, http.client.BadStatusLine):
                kept.close()
        fresh = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        return self._answer(fresh, device, method, path, body, all_headers)

    def _answer(
        self,
        connection: http.client.HTTPConnection,
        device: int,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> tuple[int, bytes]:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        self.connections[device] = connection
        return found

    def get(self, path: str) -> Any:
        """The JSON at a path of the project."""
        status, body = self.ask("GET", f"/v1/projects/{self.project}/{path}")
        if status != 200:
            raise RuntimeError(f"{path} answered {status}: {body[:500]!r}")
        return json.loads(body)

    def send(self, packed: bytes, device: int = 0) -> list[str]:
        """Sends a batch and gives the outcomes of its items; waits when the server says so."""
        path = f"/v1/projects/{self.project}/batches"
        headers = {"Content_Type": "application/json", "Content_Encoding": "gzip"}
        while True:
            status, body = self.ask("POST", path, packed, device, **headers)
            if status not in (429, 503):
                break
            time.sleep(0.2)
        if status != 200:
            raise RuntimeError(f"The batch was answered {status}: {body[:500]!r}")
        return [receipt["outcome"] for receipt in json.loads(body)["receipts"]]

    def cpu(self) -> tuple[float, float]:
        """Seconds of processor time so far, of the server's processes and of the database's."""
        assert self.server is not None
        return cpu_of(self.server.pid), cpu_of(self.database_pid) if self.database_pid else 0.0

    def settle(self) -> None:
        """Have PostgreSQL clear up what was written so far, or it does so while something else is measured."""
        if self.database_pid is not None:
            with psycopg.connect(self.database_url.replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute("VACUUM (ANALYZE)")
                connection.execute("CHECKPOINT")

    def memory(self) -> float:
        """Megabytes of the largest server process."""
        assert self.server is not None
        return max(memory_of(self.server.pid).values())


@contextmanager
def installed(kind: str) -> Iterator[Installation]:
    """On `sqlite` or `postgresql`, with the measured programme loaded and the server up; gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="siby-bench-"))
    try:
        with _database(kind, folder) as installation:
            write_programme(folder / "programme")
            installation.siby("init")
            installation.siby("load", "programme")
            with _served(installation):
                yield installation
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def multiplied(kind: str, demo: Path, submissions: int, kept: Path | None) -> Iterator[Installation]:
    """With what the demo left in a folder, as often as it takes for so many submissions. What lies in a folder to be
    `kept` is measured as it is the next time."""
    folder = Path(tempfile.mkdtemp(prefix="siby-bench-")) if kept is None else kept.resolve() / kind
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "multiplied"
    try:
        with _database(kind, folder, keep=kept is not None) as installation:
            if done.exists():
                installation.siby("migrate")
            else:
                installation.siby("init")
                multiply(demo, installation.database_url, submissions)
                shutil.copytree(demo / "files", folder / "data" / "files", dirs_exist_ok=True)
                done.touch()
            with _served(installation):
                yield installation
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _database(kind: str, folder: Path, keep: bool = False) -> Iterator[Installation]:
    folder.chmod(0o711)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIBY_")}
    environment |= {"SIBY_FOLDER": str(folder / "data"), "SIBY_REQUESTS_AN_HOUR": str(10**7)}
    cluster = folder / "cluster"
    database_pid = None
    if kind == "postgresql":
        start_server(cluster, os.getpid(), SERVER_SETTINGS | DURABLE, keep=keep)
        database_pid = int((cluster / "data" / "postmaster.pid").read_text().split()[0])
        environment["SIBY_DATABASE"] = f"postgresql+psycopg://siby@/postgres?host={cluster}"
    try:
        yield Installation(folder, environment, database_pid, free_port())
    finally:
        if database_pid is not None:
            stop_server(cluster)


@contextmanager
def _served(installation: Installation) -> Iterator[None]:
    """With the server up, and somebody who may do everything in the first project."""
    email = f"bench-{time.time_ns()}@example.org"
    installation.token = installation.siby("user", "add", email, "--admin", "--token").split()[-1]
    try:
        installation.start()
        _, body = installation.ask("GET", "/v1/projects")
        installation.project = str(json.loads(body)[0]["id"])
        yield
    finally:
        installation.stop()


def free_port() -> int:
    """A port on which nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def postgres_version() -> str:
    """The version of the PostgreSQL that is measured."""
    said = subprocess.run([postgres_programs() / "postgres", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"[\d.]+", said.stdout)
    return found[0] if found else said.stdout.strip()
