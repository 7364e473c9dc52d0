"""Answers: JSON, files that a browser will not run, and entity tags."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

import orjson
from flask import Response, request, stream_with_context
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import FileWrapper

from server.db import release
from server.wire.media_types import FIRST_BYTES, PICTURES, type_of_content

FRESH = "private, no-cache"
# A longer list is made while it is sent.
AT_ONCE = 1000
Found = TypeVar("Found")
# What a browser may be told about bytes that a stranger sent; everything else is bytes.
_HARMLESS = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "audio/mpeg",
        "audio/mp4",
        "audio/ogg",
        "audio/amr",
        "video/mp4",
        "video/3gpp",
        "application/pdf",
        "text/csv",
        "text/plain",
        "application/vnd.ms-excel",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
)


def to_json(payload: object) -> bytes:
    """JSON as it goes out: exact decimals become numbers, times RFC 3339 with an offset."""
    try:
        return orjson.dumps(payload, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:  # half characters or numbers beyond 64 bits, given back as they were sent
        return json.dumps(payload, default=_plain).encode()


def answer(payload: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer. It holds data, so nobody on the way keeps it. Who asked for it may, and hears 304 by its tag; not
    where the headers say `no-store`."""
    response = Response(to_json(payload), status, headers, content_type="application/json; charset=utf-8")
    if status == 200 and request.method in ("GET", "HEAD") and not response.cache_control.no_store:
        response.headers["Cache-Control"] = FRESH
        response.add_etag()
        response.make_conditional(request)
    return response


def wants_more() -> bool:
    """Whether the client asks for what ODK calls extended metadata."""
    return request.headers.get("X-Extended-Metadata", "").strip().lower() == "true"


def done() -> Response:
    """What ODK's REST says when there is nothing else to say."""
    return answer({"success": True})


def known_already(tag: str) -> bool:
    """Whether the client has just this, by a weakened tag too, so that nobody needs to work it out."""
    return request.if_none_match.contains_weak(tag)


def tagged(body: bytes | Iterator[bytes], content_type: str, tag: str | None = None) -> Response:
    """An answer that a client may keep and ask about: 304 if it has this already. What is sent piece by piece has to
    come with its tag."""
    if tag is None:
        assert isinstance(body, bytes)
        tag = hashlib.sha256(body).hexdigest()[:32]
    if known_already(tag):
        response = Response(status=304)
    else:
        response = Response(body, content_type=content_type)
    response.set_etag(tag)
    response.headers["Cache-Control"] = FRESH
    return response


def streamed(pieces: Iterator[bytes], content_type: str, tag: str) -> Response:
    """The same, made while it is sent. Whoever reads slowly holds no connection: what the pieces are made of was read a
    portion at a time, and outlives the transaction that read it."""
    return tagged(b"" if known_already(tag) else stream_with_context(_let_go(pieces)), content_type, tag)


def json_pieces(
    found: Callable[[], Iterator[Found]], shown: Callable[[list[Found]], list[dict[str, Any]]]
) -> Iterator[bytes]:
    """A list of any length as JSON, without ever being whole in memory.

    It is looked for only now: the session that the view had is closed by the time that the first piece is sent.
    """
    following, before = found(), b"["
    while portion := list(islice(following, AT_ONCE)):
        yield before + to_json(shown(portion))[1:-1]
        before = b","
    yield b"]" if before == b"," else b"[]"


def _let_go(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        release()
        yield piece


def download(
    content: bytes | BinaryIO, name: str, content_type: str | None, tag: str | None = None, *, shows: bool = False
) -> Response:
    """Bytes that strangers sent, to be saved and not shown: sandboxed, and never of a type that could run.

    Pictures, sounds and films are called what they are, whatever their sender calls them. With a tag, whoever has them
    is told so, and a download that was cut goes on. At an address that a person follows, a picture `shows`.
    """
    said = (content_type or "").split(";")[0].strip().lower()
    found = type_of_content(_first_of(content), said)
    shown = found or (said if said in _HARMLESS else "application/octet-stream")
    size = len(content) if isinstance(content, bytes) else content.seek(0, io.SEEK_END)
    response = Response(content if isinstance(content, bytes) else _pieces(content), content_type=shown)
    response.content_length = size
    if tag is not None:
        response.set_etag(tag)
        response.headers["Cache-Control"] = FRESH
        try:
            response.make_conditional(request, accept_ranges=True, complete_length=size)
        except RequestedRangeNotSatisfiable:
            response.close()
            raise
    kind = "inline" if shows and found in PICTURES else "attachment"
    response.headers["Content-Disposition"] = disposition(name, kind)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def download_instance(xml: bytes, instance_id: str, tag: str | None = None) -> Response:
    """A filled form as it was sent. The bytes may be in any encoding, and say so themselves: no charset is told."""
    response = download(xml, f"{instance_id.replace(':', '-')}.xml", None, tag)
    response.headers["Content-Type"] = "application/xml"
    return response


def disposition(name: str, kind: str = "attachment") -> str:
    """To be saved under this name, in both spellings that clients read (RFC 6266, RFC 8187)."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\/%;' else "_" for c in name) or "file"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"


def _first_of(content: bytes | BinaryIO) -> bytes:
    if isinstance(content, bytes):
        return content[:FIRST_BYTES]
    content.seek(0)
    return content.read(FIRST_BYTES)


def _pieces(content: BinaryIO) -> FileWrapper:
    content.seek(0)
    return FileWrapper(content, 1 << 16)


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an answer")
