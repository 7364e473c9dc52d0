"""Reading request bodies within bounds, whatever they claim to be."""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

import orjson
import zstandard
from flask import request
from marshmallow import Schema, ValidationError, fields
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from forms.findings import Finding
from server import current
from sync.errors import Missing, Refusal, TooLarge, Unexpected, Unparseable
from sync.intake.items import nested_deeper, storable

CSRF = "__csrf"  # what a body calls the word by which our own pages are known
_SMALL = 1024 * 1024
_PIECE = 64 * 1024
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_NO_FORM = "JSON is expected here, and a form was sent. Send an object, with Content-Type: application/json."
_REQUIRED = fields.Field.default_error_messages["required"]
# What cannot be compressed gets a little longer by being packed.
_PACKING = 64 * 1024
# Four bytes of zstd can stand for 128 kB, so a step of this size makes 16 MB at the very most.
_ZSTD_STEP = 512
# A body may be packed in several parts, each of which costs a copy of the rest.
_MOST_PARTS = 256
# A frame that asks for more memory than this to be unpacked is refused.
_ZSTD_WINDOW = 8 * 1024 * 1024
# orjson would make a float of a whole number beyond 64 bits without a word. Digits are told from the rest by a table,
# because a regular expression over a whole batch costs as much as parsing it several times.
_DIGITS = bytes(ord("1") if chr(code).isdecimal() and code < 128 else ord("0") for code in range(256))
_BEYOND_64_BITS = b"1" * 19
_LONGEST_NUMBER = 1000
_LONGEST_AGENT = 500
_DEEPEST = 100
_TOO_DEEP = "The body is nested too deeply."
_BRACKETS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]+|[\]}]+', re.DOTALL)


class UnknownEncoding(Refusal):
    code = 415.1
    title = "The body is compressed in a way that is not known here; gzip and zstd are"


def has_body() -> bool:
    """Whether the request brings any."""
    return bool(request.content_length) or "chunked" in request.headers.get("Transfer-Encoding", "").lower()


def read_body(limit: int | None = None) -> bytes:
    """The body, unpacked if it is compressed, at most `limit` bytes (one megabyte). Raises TooLarge beyond.

    Once it is here, the request waits for its turn to be worked on.
    """
    limit = limit or _SMALL
    request.max_content_length = limit + _PACKING
    try:
        packed = request.get_data(cache=False)
    except RequestEntityTooLarge:
        most = current.settings().max_request
        if (request.content_length or 0) <= most:
            _swallow(request.environ["wsgi.input"], most)
        raise
    if len(packed) < (request.content_length or 0):
        raise ClientDisconnected
    current.take_slot()
    return unpack(packed, request.headers.get("Content-Encoding", ""), limit)


def read_json_body(limit: int | None = None) -> bytes:
    """The same of a body that is to be JSON, whatever its type says: some clients call all that they send a form.
    Raises Unparseable for what is one."""
    is_form = request.mimetype in _FORMS
    if is_form and "form" in vars(request):  # where the word of our own pages was looked for: nothing is left of it
        raise Unparseable(_NO_FORM)
    body = read_body(limit)
    if is_form and body and body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] not in (b"{", b"["):
        raise Unparseable(_NO_FORM)
    return body


def _swallow(rest: BinaryIO, most: int) -> None:
    """Whoever is still sending would not hear the answer, and would send the same again for ever. Of what nobody may
    send nothing is awaited."""
    while most > 0 and (piece := rest.read(_PIECE)):
        most -= len(piece)


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """Never makes more than `limit` bytes of it, however well it was packed."""
    match encoding.strip().lower():
        case "" | "identity":
            unpacked = body
        case "gzip" | "x-gzip":
            unpacked = _gunzip(body, limit)
        case "zstd":
            unpacked = _unzstd(body, limit)
        case _:
            raise UnknownEncoding(details={"encodings": ["gzip", "zstd"]})
    if len(unpacked) > limit:
        raise _too_large()
    return unpacked


def user_agent() -> str | None:
    """What the client calls itself, as it can be stored."""
    return storable(request.headers.get("User-Agent", ""))[:_LONGEST_AGENT] or None


def parse_json(body: bytes) -> Any:
    """What the body says as JSON. Text that strict readers refuse whole (NaN, half characters) is read too, so that one
    odd value does not cost its neighbours. Raises Unparseable also for what is nested more than 100 deep.
    """
    try:
        found = _parsed(body)
    except RecursionError:
        raise Unparseable(_TOO_DEEP) from None
    if nested_deeper(found, _DEEPEST):
        raise Unparseable(_TOO_DEEP)
    return found


def parse_batch(body: bytes) -> Any:
    """As `parse_json`, but what is nested too deeply costs only its own item: it is cut off at a depth at which the
    item will be refused."""
    try:
        return parse_json(body)
    except Unparseable:
        shallow = _cut_off(body)
        if shallow is None:
            raise
        return parse_json(shallow)


def _parsed(body: bytes) -> Any:
    try:
        if _BEYOND_64_BITS not in body.translate(_DIGITS):
            return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body.decode("utf-8-sig"), parse_int=_whole)
    except ValueError as error:
        raise Unparseable(f"The body is not JSON: {str(error)[:200]}.") from error


def _cut_off(body: bytes) -> bytes | None:
    """The JSON with a text in place of everything deeper than it may be; None if nothing is."""
    parts: list[bytes] = []
    depth = kept = 0
    for found in _BRACKETS.finditer(body):
        run = found[0]
        if run.startswith(b'"'):
            continue
        before, depth = depth, depth + (len(run) if run[:1] in b"[{" else -len(run))
        if before <= _DEEPEST < depth:
            parts += [body[kept : found.start() + _DEEPEST - before], b'"..."']
        elif depth <= _DEEPEST < before:
            kept = found.start() + before - _DEEPEST
    return b"".join([*parts, body[kept:]]) if parts and depth <= _DEEPEST else None


def read_json(schema: Schema) -> dict[str, Any]:
    """The body as the schema describes it. Raises Unexpected that names every field that is not as it should be."""
    given = parse_json(read_json_body())
    if isinstance(given, Mapping):
        given = {name: value for name, value in given.items() if name != CSRF}
    fields = given.items() if isinstance(given, Mapping) else [("", given)]
    odd = [str(storable(name)) for name, value in fields if holds_what_no_text_has([name, value])]
    if odd:
        fault = "It holds NUL, or half of a character (a lone surrogate)."
        raise Unexpected("What was sent is not as expected.", findings=[Finding(fault, place=name) for name in odd])
    return load(schema, given)


def csrf_in_json() -> str:
    """The word of our own page in a JSON body, which stays there for whoever reads it; empty if it says none."""
    if not request.is_json or not 0 < (request.content_length or 0) <= _SMALL:
        return ""
    try:
        given = parse_json(request.get_data(cache=True))
    except Unparseable:
        return ""
    return str(given.get(CSRF, "")) if isinstance(given, Mapping) else ""


def holds_what_no_text_has(given: Any) -> bool:
    """Whether a text in it is none that the database could hold."""
    if isinstance(given, str):
        return bool(storable(given) != given)
    if isinstance(given, Mapping):
        return any(holds_what_no_text_has(one) for pair in given.items() for one in pair)
    return isinstance(given, list) and any(map(holds_what_no_text_has, given))


def load(schema: Schema, given: Any) -> dict[str, Any]:
    """`given` checked against the schema. Raises Missing where nothing is wrong but that something is not there, else
    Unexpected."""
    try:
        loaded: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        findings = findings_of(error.messages)
        refusal = Missing if all(finding.fault == _REQUIRED for finding in findings) else Unexpected
        raise refusal("What was sent is not as expected.", findings=findings) from error
    return loaded


def read_query(schema: Schema) -> dict[str, Any]:
    """The query as the schema describes it; a name given twice is refused: readers differ on which one counts."""
    given = {name: values for name, values in request.args.lists() if name not in ("st", "lang")}
    if "lang" in schema.fields and "lang" in request.args:
        given["lang"] = request.args.getlist("lang")
    twice = [name for name, values in given.items() if len(values) > 1]
    if twice:
        raise Unexpected(f"Given more than once: {', '.join(sorted(twice))}.")
    return load(schema, {name: values[0] for name, values in given.items()})


def findings_of(messages: Any, place: str = "") -> list[Finding]:
    """marshmallow's messages, each with the JSON path that it is about."""
    if isinstance(messages, Mapping):
        return [finding for key, inner in messages.items() for finding in findings_of(inner, _under(place, key))]
    return [Finding(str(message), place=place) for message in messages]


def _under(place: str, key: Any) -> str:
    if key == "_schema":
        return place
    if isinstance(key, int):
        return f"{place}[{key}]"
    return f"{place}.{key}" if place else str(key)


def _whole(digits: str) -> int | str:
    """A number longer than Python reads stays as it is written, for its item to be judged by."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits


def _gunzip(body: bytes, limit: int) -> bytes:
    found = bytearray()
    parts = 0
    while body:
        parts = _one_more(parts)
        member = zlib.decompressobj(wbits=31)
        try:
            found += member.decompress(body, limit + 1 - len(found))
        except zlib.error as error:
            raise Unparseable("The body is not whole gzip.") from error
        if len(found) > limit:
            raise _too_large()
        if not member.eof:
            raise Unparseable("The body is not whole gzip.")
        body = member.unused_data
    return bytes(found)


def _unzstd(body: bytes, limit: int) -> bytes:
    found = bytearray()
    parts = 0
    while body:
        parts = _one_more(parts)
        frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        position = 0
        try:
            while position < len(body) and not frame.eof:
                found += frame.decompress(body[position : position + _ZSTD_STEP])
                position += _ZSTD_STEP
                if len(found) > limit:
                    raise _too_large()
        except zstandard.ZstdError as error:
            raise Unparseable("The body is not whole zstd.") from error
        if not frame.eof:
            raise Unparseable("The body is not whole zstd.")
        body = frame.unused_data + body[position:]
    return bytes(found)


def _one_more(parts: int) -> int:
    if parts == _MOST_PARTS:
        raise Unparseable(f"The body is packed in more than {_MOST_PARTS} parts.")
    return parts + 1


def _too_large() -> TooLarge:
    limits = current.settings()
    return TooLarge(details={"max_items": limits.batch_items, "max_bytes": limits.max_batch})
