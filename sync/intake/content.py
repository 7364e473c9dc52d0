"""The content store: file bytes by their SHA-256 in a folder, written so that a crash leaves a whole file or none."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from sync.errors import Busy, DiskFull, TooLarge

_IN_SESSION = "content_store"

_CHUNK = 1 << 20
_IN_MEMORY = 1 << 17
RESERVE = 200 * 1024 * 1024  # bytes that stay free, so that the database can still commit


class ContentStore:
    """Files under `folder/aa/bb/<sha256>`, parts of uploads under `folder/parts/<id>`, on one file system."""

    def __init__(self, folder: Path, reserve: int = RESERVE) -> None:
        self.folder = folder
        self.reserve = reserve
        self._parts = folder / "parts"
        self._aside = folder / "aside"

    def require_room(self, coming: int = 0) -> None:
        """Raises DiskFull when storing `coming` bytes would eat into the reserve."""
        try:
            disk = os.statvfs(self._parts)
        except FileNotFoundError:
            self._parts.mkdir(parents=True, exist_ok=True)
            disk = os.statvfs(self._parts)
        if disk.f_bavail * disk.f_frsize - coming < self.reserve:
            raise DiskFull

    def begin(self, part: str) -> None:
        """Make an empty part file."""
        self.require_room()
        self._part(part).touch()

    def size(self, part: str) -> int | None:
        """How many bytes of the part have been written; None if there is no such part."""
        try:
            return self._part(part).stat().st_size
        except FileNotFoundError:
            return None

    def open_part(self, part: str) -> BinaryIO:
        """A new part, to be written and read again."""
        self._parts.mkdir(parents=True, exist_ok=True)
        return self._part(part).open("w+b")

    def append(self, part: str, offset: int, source: BinaryIO, limit: int) -> int:
        """Write what `source` has at `offset`, which must be the end; gives the new size.

        What arrived before a cut stays. Raises Busy while another request writes to the same part, ValueError when
        `offset` is not where the part ends, TooLarge for more than `limit` bytes: of those nothing is written.
        """
        with self._part(part).open("r+b") as target:
            try:
                fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy("Another request is writing to this upload", retry_after=1) from error
            if os.fstat(target.fileno()).st_size != offset:
                raise ValueError("the offset is not the end of the part")
            target.seek(offset)
            written = offset
            try:
                while limit > 0 and (chunk := source.read(min(_CHUNK, limit))):
                    self.require_room(len(chunk))
                    target.write(chunk)
                    written += len(chunk)
                    limit -= len(chunk)
                if limit == 0 and source.read(1):
                    target.truncate(offset)
                    raise TooLarge(f"The upload was announced with {written} bytes and goes on after them.")
            finally:
                target.flush()
                os.fsync(target.fileno())
        return written

    def hash_of(self, part: str) -> str:
        """The SHA-256 of a part, in hex."""
        with self._part(part).open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()

    def keep(self, part: str, sha256: str) -> None:
        """Turn a part, whose hash was verified, into content."""
        target = self._content(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self._part(part), target)
        _sync_folder(target.parent)

    def put(self, data: bytes) -> str:
        """Store bytes and give their SHA-256; the same bytes again cost nothing."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not self._content(sha256).exists():
            self.require_room(len(data))
            part = f"{sha256}.{secrets.token_hex(8)}"  # others may put the same bytes at this moment
            with self._part(part).open("wb") as target:
                target.write(data)
                target.flush()
                os.fsync(target.fileno())
            self.keep(part, sha256)
        return sha256

    def incoming(self) -> Incoming:
        """Where the bytes of one file go as they arrive."""
        return Incoming(self)

    def open(self, sha256: str) -> BinaryIO:
        """The content to read; FileNotFoundError if it is not here."""
        return self._there(sha256).open("rb")

    def read(self, sha256: str) -> bytes:
        """The whole content."""
        return self._there(sha256).read_bytes()

    def holds(self, sha256: str) -> bool:
        """Whether the bytes are here."""
        return self._there(sha256).exists()

    def drop(self, part: str) -> None:
        """Forget a part."""
        self._part(part).unlink(missing_ok=True)

    def parts_older_than(self, seconds: float, now: float) -> Iterator[str]:
        """The parts that nobody has written to for so long; `now` in seconds since 1970."""
        if not self._parts.exists():
            return
        for path in self._parts.iterdir():
            if now - path.stat().st_mtime > seconds:
                yield path.name

    def beside(self, sha256: str, kind: str) -> Path:
        """Where something that was made of the content is kept, such as a small picture of it: it goes with it."""
        return self._content(sha256).with_name(f"{sha256}.{kind}")

    def set_aside(self, sha256: str) -> None:
        """Put content away that nothing names any more. Whoever asks for it before `forget` brings it back: somebody
        may have found it here a moment ago, and be about to name it again."""
        self._aside.mkdir(parents=True, exist_ok=True)
        for made in self._content(sha256).parent.glob(f"{sha256}.*"):
            made.unlink(missing_ok=True)
        try:
            os.utime(self._content(sha256))
            os.replace(self._content(sha256), self._aside / sha256)
        except FileNotFoundError:
            return

    def aside_since(self, seconds: float, now: float) -> Iterator[str]:
        """The content that was put away so long ago; `now` in seconds since 1970."""
        for path in self._aside.iterdir() if self._aside.exists() else ():
            if now - path.stat().st_mtime > seconds:
                yield path.name

    def forget(self, sha256: str) -> None:
        """Delete content that was put away, for good."""
        (self._aside / sha256).unlink(missing_ok=True)

    def _there(self, sha256: str) -> Path:
        """Where the content is, or would be; what was put away is brought back."""
        content = self._content(sha256)
        if not content.exists() and (aside := self._aside / sha256).exists():
            content.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                os.replace(aside, content)
        return content

    def _part(self, part: str) -> Path:
        if not part.replace(".", "").isalnum():
            raise ValueError(f"{part!r} is not the name of a part")
        return self._parts / part

    def _content(self, sha256: str) -> Path:
        if len(sha256) != 64 or not sha256.isalnum():
            raise FileNotFoundError(sha256)
        return self.folder.joinpath(sha256[:2], sha256[2:4], sha256)


class Incoming:
    """The bytes of one file as they arrive, hashed on the way: in memory while they are few, then in a part.

    `keep` makes content of them, `drop` forgets them; of a request that ends in between a part stays for the sweep.
    """

    def __init__(self, store: ContentStore) -> None:
        self.size = 0
        self._store = store
        self._hash = hashlib.sha256()
        self._memory = bytearray()
        self._part = secrets.token_hex(16)
        self._file: BinaryIO | None = None
        self._kept = False

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Raises DiskFull when the disk is nearly full."""
        self._hash.update(data)
        self.size += len(data)
        if self._file is None and self.size <= _IN_MEMORY:
            self._memory += data
            return
        self._store.require_room(len(data) + len(self._memory))
        if self._file is None:
            self._file = self._store.open_part(self._part)
            self._file.write(self._memory)
            self._memory.clear()
        self._file.write(data)

    def read(self) -> bytes:
        """All of them."""
        if self._file is None:
            return bytes(self._memory)
        self._file.seek(0)
        return self._file.read()

    def keep(self) -> str:
        """Give their SHA-256, under which they are flushed to the disk now. Once more does nothing."""
        if self._kept:
            return self.sha256
        if self._file is None:
            self._store.put(bytes(self._memory))
        else:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._store.keep(self._part, self.sha256)
        self._kept = True
        return self.sha256

    def drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._store.drop(self._part)


def store_of(session: Session) -> ContentStore:
    """The content store that belongs to the session's database: whoever makes sessions puts it into their `info`."""
    store = session.info.get(_IN_SESSION)
    if not isinstance(store, ContentStore):
        raise RuntimeError("this session was made without a content store: sessionmaker(info=session_info(store))")
    return store


def session_info(store: ContentStore) -> dict[str, object]:
    """The `info` for a sessionmaker whose sessions reach the store."""
    return {_IN_SESSION: store}


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
