"""The settings: `SIBY_…` variables over an optional siby.toml over defaults that put everything into one folder."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

MEGABYTE = 1024 * 1024
FILE = "siby.toml"
_PREFIX = "SIBY_"
# Variables that belong to tests, to the demo and to `siby move`, which read them themselves.
_NOT_OURS = ("SIBY_TEST_", "SIBY_DEMO_", "SIBY_BENCH_", "SIBY_MOVE_")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsFaulty(Exception):
    """A setting cannot be understood; the text says which, and what it may be."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def _folder(value: Any) -> Path:
    return Path(_text(value)).expanduser()


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = low - 1
        if isinstance(value, bool | float) or not low <= number <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return number

    return read


def _yes(value: Any) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}
    answer = known.get(str(value).lower())
    if answer is None:
        raise ValueError("true or false")
    return answer


def read_address(value: Any) -> str:
    """The address of a server, without a slash at its end; may be blank. Raises ValueError with what it has to be."""
    text = _text(value).rstrip("/")
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("an address that begins with http:// or https://")
    return text


def _database(value: Any) -> str:
    text = _text(value)
    if text and not text.startswith(("postgresql://", "postgres://", "postgresql+psycopg://", "sqlite:///")):
        raise ValueError("an address such as postgresql://user:password@host/name")
    if text in ("sqlite:///", "sqlite:///:memory:"):
        raise ValueError("the path of a file, such as sqlite:///siby.sqlite")
    try:
        make_url(text or "sqlite:///")
    except (ArgumentError, ValueError):  # which may say the password
        raise ValueError("an address such as postgresql://user:password@host:5432/name") from None
    return text


def _networks(value: Any) -> tuple[Network, ...]:
    given = value if isinstance(value, list) else [part for part in str(value).replace(",", " ").split() if part]
    try:
        return tuple(ipaddress.ip_network(str(part), strict=False) for part in given)
    except ValueError:
        raise ValueError("addresses or networks such as 10.0.0.5 or 10.0.0.0/24, with commas between them") from None


def _one_of(*values: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in values:
            raise ValueError(" or ".join(values))
        return str(value)

    return read


def _processes() -> int:
    return max(2, min(4, os.cpu_count() or 2))


@dataclass(frozen=True)
class Setting:
    """How a setting is read from a text or a TOML value, and what it means."""

    read: Callable[[Any], Any]
    meaning: str


@dataclass(frozen=True)
class Settings:
    """Everything that an installation can choose, and the one table of it."""

    folder: Annotated[Path, Setting(_folder, "Where the data lies: files, and the database if it is SQLite.")] = Path(
        "siby-data"
    )
    database: Annotated[
        str,
        Setting(
            _database,
            "Address of the database: postgresql://user:password@host/name; else siby.sqlite lies in the folder.",
        ),
    ] = ""
    host: Annotated[str, Setting(_text, "Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Setting(_whole(0, 65535), "Port to listen on.")] = 8000
    workers: Annotated[int, Setting(_whole(0, 64), "Server processes; with 0, one per core, from 2 to 4.")] = 0
    threads: Annotated[int, Setting(_whole(1, 256), "Threads in each server process.")] = 32
    public_url: Annotated[
        str,
        Setting(read_address, "Address under which people and devices reach the server, if a proxy stands before it."),
    ] = ""
    trusted_proxies: Annotated[
        tuple[Network, ...],
        Setting(_networks, "Addresses of proxies whose X-Forwarded-For, -Proto and -Host are believed."),
    ] = ()
    allow_plain: Annotated[
        bool, Setting(_yes, "Take passwords over plain http from other machines too; for closed networks only.")
    ] = False
    reserve_mb: Annotated[
        int, Setting(_whole(0, 10**6), "Megabytes that must stay free on the disk; below it, nothing is taken in.")
    ] = 200
    request_mb: Annotated[int, Setting(_whole(1, 1024), "Most megabytes of one request, files apart.")] = 32
    batch_mb: Annotated[int, Setting(_whole(1, 256), "Most megabytes of one batch, unpacked.")] = 8
    batch_items: Annotated[int, Setting(_whole(1, 10_000), "Most items of one batch.")] = 500
    file_mb: Annotated[int, Setting(_whole(1, 10_000), "Most megabytes of one attached file.")] = 100
    requests_an_hour: Annotated[
        int, Setting(_whole(100, 10**7), "Most requests of one token in an hour, in each server process.")
    ] = 20_000
    at_once: Annotated[
        int, Setting(_whole(1, 256), "Most requests that write at the same time in each server process.")
    ] = 12
    webhooks_inside: Annotated[
        bool, Setting(_yes, "Let webhooks lead into the server's own network, and to http; for closed networks only.")
    ] = False
    web_form: Annotated[
        str,
        Setting(
            read_address, "Address of a web form for corrections, with {project}, {form} and {instance} to fill in."
        ),
    ] = ""
    log_format: Annotated[str, Setting(_one_of("json", "text"), "json for machines, text for people.")] = "text"

    def but(self, **changed: Any) -> Settings:
        """The same with some settings changed."""
        return replace(self, **changed)

    @property
    def database_url(self) -> str:
        """The address as SQLAlchemy takes it, with the driver that is installed."""
        if not self.database:
            return f"sqlite:///{self.folder.resolve() / 'siby.sqlite'}"
        for name in ("postgresql://", "postgres://"):
            if self.database.startswith(name):
                return "postgresql+psycopg://" + self.database.removeprefix(name)
        if self.database.startswith("sqlite:///"):
            return f"sqlite:///{Path(self.database.removeprefix('sqlite:///')).resolve()}"
        return self.database

    @property
    def files_folder(self) -> Path:
        """Where attached files and media lie."""
        return self.folder.resolve() / "files"

    @property
    def processes(self) -> int:
        return self.workers or _processes()

    @property
    def max_request(self) -> int:
        return self.request_mb * MEGABYTE

    @property
    def max_batch(self) -> int:
        return self.batch_mb * MEGABYTE

    @property
    def max_file(self) -> int:
        return self.file_mb * MEGABYTE

    @property
    def reserve(self) -> int:
        return self.reserve_mb * MEGABYTE


def load_settings(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """What the environment and siby.toml in `folder` (the current one) say. SIBY_CONFIG names another file.

    Raises SettingsFaulty with every fault: also for a name that is no setting, which would otherwise be passed over.
    """
    environment = os.environ if environment is None else environment
    file = Path(environment.get("SIBY_CONFIG") or (folder or Path()) / FILE)
    given = _from_file(file, required="SIBY_CONFIG" in environment)
    faults: list[str] = []
    chosen: dict[str, Any] = {}
    for source, name, value in [*given, *_from_environment(environment)]:
        known = _SETTINGS.get(name)
        if known is None:
            faults.append(f"{source}: there is no setting {name!r}. There are {', '.join(_SETTINGS)}.")
            continue
        try:
            chosen[name] = known.read(value)
        except ValueError as error:
            faults.append(f"{source}: {name} has to be {error}.")
    if faults:
        raise SettingsFaulty("\n".join(faults))
    return Settings(**chosen)


def describe_settings() -> list[tuple[str, str, str, str]]:
    """Variable, key in siby.toml, default and meaning of every setting, in order."""
    return [
        (f"{_PREFIX}{name.upper()}", name, _shown(getattr(Settings, name)), setting.meaning)
        for name, setting in _SETTINGS.items()
    ]


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default == () else str(default)


def _settings() -> dict[str, Setting]:
    hints = get_type_hints(Settings, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in fields(Settings)}


_SETTINGS = _settings()


def _from_file(file: Path, required: bool) -> list[tuple[str, str, Any]]:
    if not file.exists():
        if required:
            raise SettingsFaulty(f"SIBY_CONFIG names {file}, which does not exist.")
        return []
    try:
        found = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsFaulty(f"{file} cannot be read as TOML: {error}.") from error
    return [(str(file), name, value) for name, value in found.items()]


def _from_environment(environment: Mapping[str, str]) -> list[tuple[str, str, Any]]:
    return [
        (variable, variable.removeprefix(_PREFIX).lower(), value)
        for variable, value in sorted(environment.items())
        if variable.startswith(_PREFIX) and not variable.startswith(_NOT_OURS) and variable != "SIBY_CONFIG"
    ]
