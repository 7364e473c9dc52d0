"""Where finished exports lie for a day, and grow while they are read: a cut download goes on from the same bytes."""

from __future__ import annotations

import fcntl
import io
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from sync.errors import DiskFull

KEPT_SECONDS = 24 * 3600
PROMISED_SECONDS = 3600  # to whoever was told to ask again
_PART, _FACTS, _OWED, _SCRATCH = ".part", ".json", ".owed", ".making-"
_PIECE = 1 << 17
_BUFFER = 1 << 16
_CHECK_EVERY = 16 * 1024 * 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25


class Sink(Protocol):
    """Where an export is written to, once and in order."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...


class Broken(Exception):
    """Whoever made the file gave up, or its process ended; what was read of it is no whole file."""


class NotYet(Exception):
    """The file is being made, and has no byte so far."""


class Unwanted(Exception):
    """Nobody waits any more for the file that is being made."""


@dataclass(frozen=True)
class Facts:
    """What is known of an export before its first byte."""

    name: str  # as whoever downloads it will see it
    type: str
    rows: int  # submissions in it
    once: bool = False  # for one reader alone, kept for nobody


@dataclass(frozen=True)
class Scratch:
    """A folder for what is needed while a file is made. Whoever writes many bytes there asks `go_on` before, which
    raises what says that the file is not to be made any further."""

    folder: Path
    go_on: Callable[[int], None]


class Making:
    """The sole right to make a file, as a sink of bytes. `keep` or `give_up` ends it.

    The right is a lock on the file that ends with the process at the latest, so that nobody waits for the dead.
    """

    def __init__(self, files: GrowingFiles, tag: str, descriptor: int) -> None:
        self._files = files
        self._tag = tag
        self._file = cast(io.BufferedWriter, os.fdopen(descriptor, "wb", buffering=_BUFFER))
        self._unchecked = 0

    def write(self, data: bytes) -> int:
        """Append bytes. Raises as `go_on` does."""
        self._unchecked += len(data)
        if self._unchecked >= _CHECK_EVERY:
            self.go_on(len(data))
            self._unchecked = 0
        return self._file.write(data)

    def go_on(self, coming: int = 0) -> None:
        """Raises DiskFull when `coming` bytes, wherever they are written, would eat into the reserve, and Unwanted when
        the file was dropped."""
        self._files.require_room(coming)
        if not self.is_there():
            raise Unwanted(self._tag)

    @contextmanager
    def scratch(self) -> Iterator[Scratch]:
        """It goes with the making, and at the next sweep if the process that made the file was killed."""
        with (
            tempfile.TemporaryDirectory(dir=self._files.folder, prefix=f"{self._tag}{_SCRATCH}") as folder,
            _in_use(Path(folder)),
        ):
            yield Scratch(Path(folder), self.go_on)

    def flush(self) -> None:
        """Let readers have what was written so far."""
        self._file.flush()

    def keep(self) -> None:
        """The file is whole."""
        self._file.flush()
        os.fsync(self._file.fileno())
        if self.is_there():
            os.replace(self._files.path(self._tag, _PART), self._files.path(self._tag))
        self._file.close()

    def give_up(self) -> None:
        """The file will never be whole; its readers are told."""
        if self.is_there():
            self._files.drop(self._tag)
        try:
            self._file.close()
        except OSError:  # the disk is full, and what was still to be written is of no use
            self._file.raw.close()

    def is_there(self) -> bool:
        """Whether the file was not dropped; another one may be made under its name since."""
        return _is(self._files.path(self._tag, _PART), self._file.fileno())


class GrowingFiles:
    """Files by a tag that says all of what they hold, in one folder that all processes share."""

    def __init__(self, folder: Path, reserve: int) -> None:
        self.folder = folder
        self.reserve = reserve

    def require_room(self, coming: int = 0) -> None:
        """Raises DiskFull when `coming` bytes would eat into the reserve."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if shutil.disk_usage(self.folder).free - coming < self.reserve:
            raise DiskFull

    def path(self, tag: str, ending: str = "") -> Path:
        """Where the file of a tag lies."""
        if not tag.replace("-", "").isalnum() or not tag.isascii():
            raise ValueError(f"{tag!r} is not a tag")
        return self.folder / f"{tag}{ending}"

    def facts(self, tag: str) -> Facts | None:
        """What was said of a file when it was begun; None if there is no such file."""
        try:
            return Facts(**json.loads(self.path(tag, _FACTS).read_text()))
        except (OSError, ValueError):
            return None

    def open(self, tag: str) -> BinaryIO | None:
        """A whole file to read; None if there is none."""
        try:
            return self.path(tag).open("rb")
        except FileNotFoundError:
            return None

    def claim(self, tag: str, facts: Facts) -> Making | None:
        """The right to make the file; None while somebody else has it or when it is whole already."""
        self.require_room()
        part = self.path(tag, _PART)
        while not self.path(tag).exists():
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
            if not _lock(descriptor, fcntl.LOCK_EX):
                os.close(descriptor)
                return None
            if _is(part, descriptor):
                try:
                    os.truncate(descriptor, 0)
                    _write_whole(self.path(tag, _FACTS), json.dumps(asdict(facts)))
                except OSError:
                    os.close(descriptor)  # or this process would keep the lock, and all readers wait for ever
                    raise
                return Making(self, tag, descriptor)
            os.close(descriptor)  # it was finished or given up while we waited for the lock
        return None

    def follow(self, tag: str, patience: float = math.inf) -> Iterator[bytes] | None:
        """The bytes of a file as it grows, to its end; None if nobody makes it and it is not there.

        The iterator raises NotYet when so many seconds bring no first byte, Broken when the file will not become whole.
        """
        for ending in (_PART, ""):  # in this order: a part that is gone has become the file
            try:
                file = self.path(tag, ending).open("rb", buffering=0)
            except FileNotFoundError:
                continue
            return self._growing(tag, file, time.monotonic() + patience)
        return None

    def wait(self, tag: str, seconds: float) -> BinaryIO | None:
        """The whole file once it is there; None if nobody makes it, or not within so many seconds."""
        until = time.monotonic() + seconds
        while (whole := self.open(tag)) is None:
            if not self.is_made(tag) and (whole := self.open(tag)) is None:
                return None
            if whole is not None or time.monotonic() > until:
                break
            time.sleep(_LONGEST_PAUSE)
        return whole

    def owe(self, debt: str, tag: str) -> None:
        """Write down that somebody was told to come back for this very file. `debt` says who, and for what."""
        _write_whole(self.path(debt, _OWED), tag)

    def owed(self, debt: str, since: float) -> str | None:
        """The file that somebody was told to come back for after a moment, in seconds since 1970."""
        return _text(self.path(debt, _OWED), since)

    def pay(self, debt: str) -> None:
        """The next time they get a file of what there is by then."""
        self.path(debt, _OWED).unlink(missing_ok=True)

    def forgo(self, debt: str, since: float) -> bool:
        """Whoever was told to come back for a file wants it no more: no more of it is made, unless somebody else reads
        it or was told to come back for it after a moment, in seconds since 1970. False if they are owed none."""
        tag = _text(self.path(debt, _OWED))
        if tag is None:
            return False
        self.pay(debt)
        if self.is_made(tag) and not self._is_wanted(tag, since):
            self.drop(tag)
        return True

    def _is_wanted(self, tag: str, since: float) -> bool:
        if any(_text(told, since) == tag for told in self.folder.glob(f"*{_OWED}")):
            return True
        try:
            with self.path(tag, _FACTS).open("rb") as facts:
                return not _lock(facts.fileno(), fcntl.LOCK_EX)
        except FileNotFoundError:
            return False

    def drop(self, tag: str) -> None:
        """Delete a file at once, whole or not; who reads it already may read on."""
        for ending in ("", _PART, _FACTS):
            self.path(tag, ending).unlink(missing_ok=True)

    def sweep(self, now: float, older_than: float = KEPT_SECONDS) -> int:
        """Delete files that were written so many seconds before `now`, in seconds since 1970, what a killed process
        left half made, and the oldest whole files while these take more of the disk than they leave; gives how many."""
        gone = self._delete(lambda path: now - path.stat().st_mtime > older_than or self._is_left_behind(path))
        return gone + self._give_way(now)

    def sweep_at_start(self) -> int:
        """Delete what a killed process left half made or, of what is for one reader alone, undelivered."""
        return self._delete(lambda path: self._is_left_behind(path) or self._is_for_one(path))

    def _give_way(self, now: float) -> int:
        """What can be made again leaves room for what cannot. The newest file stays whatever it takes, and so does what
        is being read, of which nothing would become free, or was promised to somebody."""
        whole = []
        for path in self.folder.iterdir() if self.folder.exists() else ():
            with suppress(FileNotFoundError):
                if "." not in path.name:
                    whole.append((path.stat().st_mtime, path.stat().st_size, path.name))
        taken, gone = sum(size for _, size, _ in whole), 0
        for _, size, tag in sorted(whole)[:-1]:
            if taken <= shutil.disk_usage(self.folder).free:
                break
            if self._is_wanted(tag, now - PROMISED_SECONDS):
                continue
            self.drop(tag)
            taken -= size
            gone += 1
        return gone

    def _delete(self, is_over: Callable[[Path], bool]) -> int:
        gone = 0
        for path in self.folder.iterdir() if self.folder.exists() else ():
            try:
                if is_over(path):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                    gone += 1
            except FileNotFoundError:  # another process sweeps too
                continue
        return gone

    def _is_left_behind(self, path: Path) -> bool:
        tag, _, ending = path.name.partition(".")
        if ending.startswith(_SCRATCH[1:]):  # of a file that was dropped, it is still its maker's
            return not self.is_made(tag) and not _is_in_use(path)
        return ending == _PART[1:] and not self.is_made(tag)

    def _is_for_one(self, path: Path) -> bool:
        facts = self.facts(path.name) if "." not in path.name else None
        return facts is not None and facts.once

    def _growing(self, tag: str, file: io.FileIO, until: float) -> Iterator[bytes]:
        pause = _FIRST_PAUSE
        with file, self._reading(tag):
            while True:
                if piece := file.read(_PIECE):
                    pause = _FIRST_PAUSE
                    yield piece
                elif _is(self.path(tag), file.fileno()):
                    yield from iter(lambda: file.read(_PIECE), b"")
                    return
                elif _lock(file.fileno(), fcntl.LOCK_SH):
                    # Nobody makes it any more: it became whole just now, or it never will.
                    if not _is(self.path(tag), file.fileno()):
                        raise Broken(tag)
                elif file.tell() == 0 and time.monotonic() > until:
                    raise NotYet(tag)
                else:
                    time.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE)

    @contextmanager
    def _reading(self, tag: str) -> Iterator[None]:
        """Let others know by a lock that somebody reads the file."""
        with ExitStack() as held:
            with suppress(FileNotFoundError):
                _lock(held.enter_context(self.path(tag, _FACTS).open("rb")).fileno(), fcntl.LOCK_SH)
            yield

    def is_made(self, tag: str) -> bool:
        """Whether somebody makes the file at this moment."""
        try:
            with self.path(tag, _PART).open("rb") as file:
                return not _lock(file.fileno(), fcntl.LOCK_SH)
        except FileNotFoundError:
            return False


class Unseekable(io.RawIOBase):
    """A sink that can only go on, as zip files are told that must not go back and mend what readers already have."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._sink.write(data)

    def flush(self) -> None:
        self._sink.flush()


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(path: Path, descriptor: int) -> bool:
    """Whether the path names the very file that is open."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


@contextmanager
def _in_use(folder: Path) -> Iterator[None]:
    """Let others know by a lock, which ends with the process, that somebody works in the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _is_in_use(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return not _lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def _text(path: Path, since: float = 0) -> str | None:
    """None of a file that is not there, or gone by now, or not written after a moment in seconds since 1970."""
    try:
        return path.read_text() if path.stat().st_mtime > since else None
    except FileNotFoundError:
        return None


def _write_whole(path: Path, text: str) -> None:
    beside = path.with_suffix(f".{os.getpid()}.new")
    beside.write_text(text)
    os.replace(beside, path)
