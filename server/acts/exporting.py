"""Exports over HTTP: made once, in a thread of their own, while whoever asked reads along; cut ones go on later."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO, NoReturn

from flask import Flask, Response, current_app, request
from werkzeug.datastructures import Range
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import quote_etag, unquote_etag

from server import current
from server.clock import now
from server.logs import log, log_failure
from server.settings import Settings
from server.wire.answers import disposition
from sync.errors import Busy, DiskFull, NotFound, Refusal
from sync.exports.exporting import Export
from sync.exports.growing import PROMISED_SECONDS, Broken, Facts, GrowingFiles, Making, NotYet

_NAME = "siby_exports"
_AT_ONCE = 2  # made at the same time in each process; more only take the processor from each other
PATIENCE_SECONDS = 50.0  # for a first byte; proxies cut whoever waits a minute for one, unless told otherwise
_PIECE = 1 << 17
_TRIES = 5


class BeingMade(Busy):
    """Whoever asks again later gets the very file that is being made."""


@dataclass
class Exports:
    """The files of this installation's exports, and the right to make some at the same time."""

    files: GrowingFiles
    slots: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(_AT_ONCE))
    failures: dict[str, Exception] = field(default_factory=dict)


def install_exports(app: Flask, settings: Settings) -> None:
    """Give the app a folder for exports beside its other files."""
    app.extensions[_NAME] = Exports(GrowingFiles(settings.folder.resolve() / "exports", settings.reserve))


def sweep_exports() -> int:
    """Delete exports that are older than a day; gives how many files."""
    return _exports().files.sweep(now().timestamp())


def sweep_exports_at_start(app: Flask) -> int:
    """Before anything is served: delete what a killed server left of exports, above all of decrypted ones."""
    found: Exports = app.extensions[_NAME]
    return found.files.sweep_at_start()


def kept_for(export: Export) -> str | None:
    """The tag of an earlier file, of the same options and rights, that the request wants to go on with, or for which
    its sender was told to ask again."""
    files = _exports().files
    tag, weak = unquote_etag(request.headers.get("If-Range"))
    if weak or tag is None or "Range" not in request.headers or not tag.startswith(f"{export.line}-"):
        return files.owed(_debt(export.wish), time.time() - PROMISED_SECONDS)
    return tag if files.facts(tag) is not None else None


def forgo(wish: str) -> None:
    """Whoever asks wants a file no more for which they were told to ask again. Raises NotFound if they were not."""
    if not _exports().files.forgo(_debt(wish), time.time() - PROMISED_SECONDS):
        raise NotFound("You are waiting for no such file.")


def is_known(export: Export) -> bool:
    """Whether whoever asks has these bytes already."""
    return not export.facts.once and request.if_none_match.contains_weak(export.tag)


def described(export: Export, status: int) -> Response:
    """What there is to say of an export without its bytes, of which nobody knows how many they will be."""
    return _told(Response(iter(()), status), export.tag, export.facts)


def resume(export: Export, tag: str, patience: float) -> Response | None:
    """The rest of an earlier file, once it is whole; None if it will not be. Raises BeingMade when that takes long."""
    files = _exports().files
    facts, whole = files.facts(tag), files.wait(tag, patience)
    if whole is not None and facts is not None:
        return _whole(export, tag, facts, whole)
    if files.is_made(tag):
        _ask_again(export, tag)
    files.pay(_debt(export.wish))
    return None


def deliver(export: Export, patience: float) -> Response:
    """The export: from its file if it was made already, else as it is being made. Whoever asked waits so many seconds
    for its first byte at most. Closes the export's source, at once or once it is made.

    Raises Busy when enough are being made, BeingMade when the first byte is long in coming, DiskFull.
    """
    exports = _exports()
    exports.files.sweep(now().timestamp())
    with ExitStack() as ours:
        ours.callback(export.source.close)
        for _ in range(_TRIES):
            if (whole := exports.files.open(export.tag)) is not None:
                return _whole(export, export.tag, export.facts, whole)
            if _begin(exports, export):
                ours.pop_all()  # the thread that makes it ends its snapshot
                return _beginning(exports, export, patience) or _failed(exports, export)
            if (response := _beginning(exports, export, patience)) is not None:
                return response
    return _failed(exports, export)


def _beginning(exports: Exports, export: Export, patience: float) -> Response | None:
    """The file from its first bytes on, which are waited for; None if it comes to nothing."""
    # What was decrypted is for this answer alone.
    pieces = exports.files.follow(export.tag, math.inf if export.facts.once else patience)
    try:
        first = next(pieces, b"") if pieces is not None else None
    except Broken:
        return None
    except NotYet:
        _ask_again(export, export.tag)
    if first is None or pieces is None:
        return None
    return _told(Response(_followed(first, pieces)), export.tag, export.facts)


def _ask_again(export: Export, tag: str) -> NoReturn:
    """What comes when all of it is made comes too late for whoever waits on the line: it is kept until they return."""
    _exports().files.owe(_debt(export.wish), tag)
    raise BeingMade(
        "This file is still being made. Ask for it again in a minute: it goes on meanwhile.", retry_after=30
    )


def _debt(wish: str) -> str:
    return f"{wish}-{current.visitor().actor_id}"


def _failed(exports: Exports, export: Export) -> NoReturn:
    failure = exports.failures.pop(export.tag, None)
    raise failure if isinstance(failure, Refusal | OSError) else Busy(retry_after=10) from failure


def _begin(exports: Exports, export: Export) -> bool:
    """Have the file made in a thread, unless somebody makes it already."""
    if not exports.slots.acquire(timeout=0.1):
        if exports.files.is_made(export.tag):
            return False
        raise Busy("Other exports are being made; wait and try again.", retry_after=15)
    making = None
    try:
        making = exports.files.claim(export.tag, export.facts)
    finally:
        if making is None:
            exports.slots.release()
    if making is None:
        return False
    exports.failures.pop(export.tag, None)
    threading.Thread(target=_make, args=(exports, export, making), daemon=True, name="export").start()
    return True


def _make(exports: Exports, export: Export, making: Making) -> None:
    try:
        with making.scratch() as scratch:
            export.write(making, scratch)
        making.keep()
    except Exception as error:
        if not making.is_there():  # whatever it broke on, it was dropped, and the next one may be made by now
            making.give_up()
            log("export_stopped", reason="nobody waits for it")
            return
        exports.failures[export.tag] = error
        while len(exports.failures) > 100:
            exports.failures.pop(next(iter(exports.failures)))
        making.give_up()
        if isinstance(error, DiskFull):
            log("export_stopped", reason="disk full")
        else:
            log_failure("export_failed")
    finally:
        try:
            export.source.close()
        finally:
            exports.slots.release()


def _whole(export: Export, tag: str, facts: Facts, file: BinaryIO) -> Response:
    _exports().files.pay(_debt(export.wish))
    size = file.seek(0, 2)
    try:
        asked = _range_of(tag, size)
    except RequestedRangeNotSatisfiable:
        file.close()
        raise
    start, stop = asked if asked is not None else (0, size)
    file.seek(start)
    response = Response(_read(file, stop - start), 206 if asked is not None else 200)
    if asked is not None:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    response.content_length = stop - start
    response.call_on_close(file.close)
    return _told(response, tag, facts)


def _followed(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What raises here ends the connection before the last chunk, and no client takes the file for whole."""
    yield first
    yield from pieces


def _range_of(tag: str, size: int) -> tuple[int, int] | None:
    """The part that was asked for, of the very file that the request names; None for all of it.

    Without If-Range nobody can know of which file the client has the beginning: it gets the whole one. Raises
    RequestedRangeNotSatisfiable for a part beyond its end.
    """
    named, weak = unquote_etag(request.headers.get("If-Range"))
    wanted: Range | None = request.range
    if weak or named != tag or wanted is None or wanted.units != "bytes" or len(wanted.ranges) > 1:
        return None
    part = wanted.range_for_length(size)
    if part is None:
        raise RequestedRangeNotSatisfiable(size)
    return part


def _told(response: Response, tag: str, facts: Facts) -> Response:
    response.headers["Content-Type"] = facts.type
    response.headers["Content-Disposition"] = disposition(facts.name)
    response.headers["X-Total-Rows"] = str(facts.rows)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    if facts.once:
        files = _exports().files
        response.call_on_close(lambda: files.drop(tag))
        return response
    response.headers["ETag"] = quote_etag(tag)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _read(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0 and (piece := file.read(min(_PIECE, length))):
        length -= len(piece)
        yield piece


def _exports() -> Exports:
    found: Exports = current_app.extensions[_NAME]
    return found
