"""Multipart bodies read as they arrive: each part that came whole is kept, whatever happens to the rest."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from gunicorn.http.errors import ParseException
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header
from werkzeug.exceptions import ClientDisconnected

from forms.records import record
from sync.errors import DiskFull, FieldMissing, Refusal, TooLarge, Unparseable
from sync.intake.content import ContentStore, Incoming
from sync.intake.items import storable

MOST_PARTS = 1000
_MOST_HEADERS = 16
_LONGEST_HEADER = 8192
_BROKEN = (ClientDisconnected, ParseException, OSError)
# Large reads are cheap, small ones leave little behind when the connection dies in the middle of one.
_SMALL, _LARGE = 4096, 65536
_QUICK_SECONDS = 0.02
_NOT_WHOLE = "The form ended before it was whole; what arrived of it is kept. Send it again."
# `filename*=UTF-8''…` after RFC 8187; the quotes do not belong there, but some clients write them.
_EXTENDED = re.compile(r";\s*(?:file)?name\*\s*=\s*\"?([\w-]+)'[\w-]*'([^;\"\s]+)", re.IGNORECASE)


@record
class Body:
    """A body that arrives: `length` as it was announced, if it was. `hurry` is called before what a dead connection has
    left is read."""

    source: BinaryIO
    type: str
    length: int | None = None
    hurry: Callable[[], None] = lambda: None


@record
class Limits:
    """Bytes of one part, of the parts of these fields, and of the whole body."""

    part: int
    whole: int
    fields: dict[str, int] = field(default_factory=dict)


@record
class Part:
    """A part that came whole. `names` are all that it may be called, the name of its field first."""

    field: str
    names: tuple[str, ...]
    is_file: bool
    type: str | None
    content: Incoming


@dataclass(slots=True)
class Arrived:
    """What came of a body. `fault` says why it is not whole, and `cut` whether that was the link's doing."""

    parts: list[Part] = field(default_factory=list)
    fault: Refusal | None = None
    cut: bool = False
    received: int = 0
    seconds: float = 0.0

    def drop(self) -> None:
        """Forget the parts."""
        for part in self.parts:
            part.content.drop()


def receive_parts(body: Body, store: ContentStore, limits: Limits) -> Arrived:
    """Read the body to its end, or as far as it goes. Raises FieldMissing for what is no multipart form."""
    kind, options = parse_options_header(body.type)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise FieldMissing("Send the form as multipart/form-data, with xml_submission_file in it.")
    arrived, began = Arrived(), time.monotonic()
    keeper = _Keeper(store, limits, arrived)
    try:
        _parse(_chunks(body, arrived, limits.whole), options["boundary"], arrived, keeper)
    finally:
        keeper.drop()
    arrived.seconds = time.monotonic() - began
    if arrived.fault is not None and not arrived.cut:
        _swallow(body.source, limits.whole)
    return arrived


def _parse(chunks: Iterator[bytes], boundary: str, arrived: Arrived, keeper: _Keeper) -> None:
    try:
        parser = PushMultipartParser(
            boundary.encode("utf-8", "replace"),
            max_header_size=_LONGEST_HEADER,
            max_header_count=_MOST_HEADERS,
            max_segment_count=MOST_PARTS,
            header_charset="latin-1",  # in which every byte is something; what it means is found out afterwards
        )
        for chunk in chunks:
            for event in parser.parse(chunk):
                keeper.take(event)
        parser.close()
    except ParserLimitReached:
        arrived.fault = TooLarge(f"A form may come in {MOST_PARTS} parts at most.", details={"max_parts": MOST_PARTS})
    except MultipartError:
        arrived.fault = arrived.fault or Unparseable(_NOT_WHOLE)
    except DiskFull as full:
        arrived.fault = full
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        arrived.fault = DiskFull()
    else:
        if arrived.cut:  # after the last part
            arrived.fault, arrived.cut = None, False


def _chunks(body: Body, arrived: Arrived, most: int) -> Iterator[bytes]:
    """The body in pieces: small ones as long as it trickles in."""
    size = _SMALL
    while True:
        began = time.monotonic()
        try:
            chunk = body.source.read(size)
        except _BROKEN:
            arrived.cut, arrived.fault = True, Unparseable(_NOT_WHOLE)
            body.hurry()
            yield from _left_over(body.source, size)
            return
        if not chunk:
            if body.length is not None and arrived.received < body.length:
                arrived.cut, arrived.fault = True, Unparseable(_NOT_WHOLE)
            return
        arrived.received += len(chunk)
        if arrived.received > most:
            arrived.fault = TooLarge(f"A form may have {most} bytes at most.", details={"max_bytes": most})
            return
        yield chunk
        if arrived.received == body.length:
            return
        size = min(_LARGE, size * 2) if time.monotonic() - began < _QUICK_SECONDS else _SMALL


def _left_over(source: BinaryIO, size: int) -> Iterator[bytes]:
    """What a read had got when the connection died: it waits to be asked for, by its number of bytes or less."""
    while size > 0:
        try:
            chunk = source.read(size)
        except _BROKEN:
            chunk = b""
        if chunk:
            yield chunk
        else:
            size //= 2


def _swallow(source: BinaryIO, most: int) -> None:
    """Whoever is still sending would not hear the answer."""
    with suppress(*_BROKEN):
        while most > 0 and (chunk := source.read(_LARGE)):
            most -= len(chunk)


class _Keeper:
    """Puts each part where it belongs as it comes, and takes it down when it was whole."""

    def __init__(self, store: ContentStore, limits: Limits, arrived: Arrived) -> None:
        self.limits = limits
        self._store = store
        self._arrived = arrived
        self._segment: MultipartSegment | None = None
        self._content: Incoming | None = None
        self._most = limits.part

    def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        if isinstance(event, MultipartSegment):
            self._segment, self._content = event, self._store.incoming()
            self._most = self.limits.fields.get(event.name or "", self.limits.part)
        elif event is None:
            if self._content is not None and self._segment is not None:
                self._arrived.parts.append(_part(self._segment, self._content))
            self._content = None
        elif self._content is not None:
            if self._content.size + len(event) > self._most:
                self.drop()
                self._arrived.fault = TooLarge(
                    f"A file may have {self._most} bytes at most.", details={"max_bytes": self._most}
                )
            else:
                self._content.write(bytes(event))

    def drop(self) -> None:
        """Forget a part that is not whole."""
        if self._content is not None:
            self._content.drop()
            self._content = None


def _part(segment: MultipartSegment, content: Incoming) -> Part:
    own = _meanings(segment.name or "")
    names = [*own, *_extended(segment), *_meanings(segment.filename or "")]
    names += [name.replace("\\", "/").rpartition("/")[2] for name in names]
    return Part(
        field=own[0] if own else "",
        names=tuple(dict.fromkeys(name for name in names if name)),
        is_file=segment.filename is not None or segment.content_type not in (None, "text/plain"),
        type=storable(segment.content_type),
        content=content,
    )


def _meanings(raw: str) -> list[str]:
    """What the bytes of a name, read as Latin-1, may stand for: UTF-8, UTF-8 that was misread once before, Latin-1."""
    if raw.isascii():
        return [raw] if raw else []
    found = []
    text = raw
    for _ in range(2):
        try:
            text = text.encode("latin-1").decode()
        except UnicodeError:
            break
        found.append(text)
    return [*found, raw.encode("latin-1", "replace").decode("cp1252", "replace")]


def _extended(segment: MultipartSegment) -> list[str]:
    found = []
    for name, value in segment.headerlist:
        if name == "Content-Disposition":
            for charset, encoded in _EXTENDED.findall(value):
                with suppress(LookupError):
                    found.append(unquote_to_bytes(encoded).decode(charset, "replace"))
    return found
