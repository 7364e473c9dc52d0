"""A backup as a file: a tar, packed with zstd, that is written and read from one end to the other in little memory.

Its first member is `siby.json`, its last `end.json`; between them lie the tables as JSON lines, a part at a time, and
then the files by their SHA-256. Nothing in it depends on which database it came from.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import orjson
import zstandard

from sync.errors import Unparseable

FORMAT = 1
FIRST, LAST = "siby.json", "end.json"
_TABLES, _FILES = "tables/", "files/"
_LEVEL = 6
_CHUNK = 1 << 20
_LONGEST_PART = 1 << 30  # a part is a few megabytes; one row may be as long as the longest instance and its answers


@dataclass(frozen=True, slots=True)
class Origin:
    """What a backup is of. `migration` is the state of the schema that its tables have."""

    format: int
    program: str
    migration: str
    epoch: str
    made_at: str

    @property
    def moment(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.made_at)


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a table. `kinds` says how the values of each column are written."""

    table: str
    columns: Sequence[str]
    kinds: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class File:
    """A file of the content store, to be read before the next member is asked for."""

    sha256: str
    size: int
    bytes: IO[bytes]


@dataclass(slots=True)
class Tally:
    """What is in a backup. `lacking` are files that the database named and that were not there to be saved."""

    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0
    lacking: list[str] = field(default_factory=list)
    sha256: str = ""  # over all parts of all tables, in their order


def write_archive(members: Iterable[tuple[str, int, Iterable[bytes]]]) -> Iterator[bytes]:
    """The bytes of an archive with these members: name, size and content of each."""
    packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    for name, size, content in members:
        header = tarfile.TarInfo(name)
        header.size, header.mode = size, 0o600
        yield packer.compress(header.tobuf(tarfile.GNU_FORMAT))
        written = 0
        for piece in content:
            written += len(piece)
            yield packer.compress(piece)
        if written != size:
            raise RuntimeError(f"{name} was to have {size} bytes and has {written}")
        yield packer.compress(bytes(-size % tarfile.BLOCKSIZE))
    yield packer.compress(bytes(2 * tarfile.BLOCKSIZE))
    yield packer.flush()


def first_member(origin: Origin) -> tuple[str, int, Iterable[bytes]]:
    """What the backup is of."""
    return _small(FIRST, asdict(origin))


def last_member(tally: Tally) -> tuple[str, int, Iterable[bytes]]:
    """What has to have been in it."""
    return _small(LAST, asdict(tally))


def part_member(number: int, part: Part) -> tuple[str, int, Iterable[bytes]]:
    """Some rows of a table; `number` keeps the parts apart."""
    head = orjson.dumps({"columns": part.columns, "kinds": part.kinds})
    body = b"\n".join([head, *(orjson.dumps([*map(_written, row)]) for row in part.rows)])
    return f"{_TABLES}{part.table}/{number:06}.jsonl", len(body), [body]


def file_member(sha256: str, size: int, source: IO[bytes]) -> tuple[str, int, Iterable[bytes]]:
    """A file; exactly `size` bytes of it are read."""
    return f"{_FILES}{sha256}", size, _pieces(source, size)


class Archive:
    """A backup being read. `members` comes first, and once it is through `tally` says what there was.

    Raises Unparseable for whatever is not a whole backup: cut, changed, or something else.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._found = Tally()
        self._hash = hashlib.sha256()
        self._named: set[bytes] = set()
        self._ended: Tally | None = None

    @property
    def tally(self) -> Tally:
        if self._ended is None:
            raise RuntimeError("the archive has not been read to its end")
        return self._ended

    def members(self) -> Iterator[Origin | Part | File]:
        """The origin, then the parts of the tables in an order in which they can be loaded, then the files.

        A file that is not read by whoever asked is read here; in any case its bytes have to be those of its name.
        """
        try:
            yield from self._members()
        except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
            raise Unparseable(f"This is no whole backup: {error}.") from error

    def _members(self) -> Iterator[Origin | Part | File]:
        reader = zstandard.ZstdDecompressor().stream_reader(self._source, read_across_frames=True)
        with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as tar:
            first = tar.next()
            if first is None or first.name != FIRST:
                raise Unparseable("This is no backup of Siby: its first member is not siby.json.")
            yield _origin(_json(tar, first))
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined] # else it keeps every header
                if member.name == LAST:
                    self._end(_json(tar, member))
                    break
                if member.name.startswith(_TABLES):
                    yield self._part(tar, member)
                elif member.name.startswith(_FILES):
                    yield from self._file(tar, member)
                else:
                    raise Unparseable(f"The backup holds something unknown: {member.name}.")
            if self._ended is None:
                raise Unparseable("The backup is cut: its end is missing. Make it again.")
            while reader.read(_CHUNK):  # to the frame's own checksum
                pass

    def _part(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Part:
        raw = _bytes(tar, member)
        self._hash.update(raw)
        try:
            head, *lines = raw.split(b"\n")
            named = orjson.loads(head)
            columns, kinds = [str(name) for name in named["columns"]], [str(kind) for kind in named["kinds"]]
            rows = [[*map(_read, kinds, orjson.loads(line))] for line in lines]
        except (ValueError, KeyError, TypeError) as error:
            raise Unparseable(f"{member.name} in the backup cannot be read: {error}.") from error
        table = member.name.removeprefix(_TABLES).partition("/")[0]
        if any(len(row) != len(columns) for row in rows):
            raise Unparseable(f"{member.name} in the backup has rows of another width than its columns.")
        self._found.rows[table] = self._found.rows.get(table, 0) + len(rows)
        if table == "files":
            place = columns.index("sha256")
            self._named |= {bytes.fromhex(row[place]) for row in rows}
        return Part(table, columns, kinds, rows)

    def _file(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[File]:
        sha256 = member.name.removeprefix(_FILES)
        source = _Hashed(_opened(tar, member))
        yield File(sha256, member.size, cast("IO[bytes]", source))
        while source.read(_CHUNK):
            pass
        if source.sha256 != sha256:
            raise Unparseable(f"The file {sha256} in the backup is damaged.")
        self._found.files += 1
        self._found.bytes += member.size
        self._named.discard(bytes.fromhex(sha256))

    def _end(self, said: Any) -> None:
        found = self._found
        found.sha256 = self._hash.hexdigest()
        try:
            ended = Tally(**said)
        except TypeError as error:
            raise Unparseable(f"{LAST} in the backup cannot be read: {error}.") from error
        found.lacking = ended.lacking
        if ended != found:
            raise Unparseable("The backup does not hold what it says it holds. Make it again.")
        if self._named != {bytes.fromhex(sha256) for sha256 in ended.lacking}:
            raise Unparseable("Files that the database names are missing from the backup. Make it again.")
        self._ended = ended


class _Hashed:
    """A member that is hashed as it is read."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def read(self, size: int) -> bytes:
        found = self._source.read(size)
        self._hash.update(found)
        return found


def save(pieces: Iterable[bytes], target: Path) -> int:
    """Write an archive to a file, which is there whole or not at all; gives its size. Nobody else on the machine can
    read it: everything that the installation knows is in it."""
    part = target.with_name(f".{target.name}.part")
    try:
        with open(part, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        size = part.stat().st_size
        part.rename(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
    return size


def _origin(said: Any) -> Origin:
    try:
        origin = Origin(**said)
        _ = origin.moment
    except (TypeError, ValueError) as error:
        raise Unparseable(f"{FIRST} in the backup cannot be read: {error}.") from error
    if origin.format != FORMAT:
        raise Unparseable(f"The backup has format {origin.format}; this program reads {FORMAT}. Use a later version.")
    return origin


def _small(name: str, value: Any) -> tuple[str, int, Iterable[bytes]]:
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    return name, len(body), [body]


def _json(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    try:
        return orjson.loads(_bytes(tar, member))
    except ValueError as error:
        raise Unparseable(f"{member.name} in the backup cannot be read: {error}.") from error


def _bytes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > _LONGEST_PART:
        raise Unparseable(f"{member.name} in the backup is longer than any part that this program writes.")
    found = _opened(tar, member).read()
    if len(found) != member.size:
        raise EOFError("it ends too early")
    return found


def _opened(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    source = tar.extractfile(member)
    if source is None:
        raise Unparseable(f"{member.name} in the backup is not a file.")
    return source


def _pieces(source: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0 and (piece := source.read(min(_CHUNK, size))):
        size -= len(piece)
        yield piece


def _written(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    return value


def _read(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "bytes":
        return base64.b64decode(value, validate=True)
    if kind == "time":
        return dt.datetime.fromisoformat(value)
    return value
