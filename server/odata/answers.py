"""Answers of OData: headers, tags, and the JSON around the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from flask import Blueprint, Response, request
from sqlalchemy.exc import DataError

from server.kept.remembered import VERSION
from server.odata.options import Options, follows_every_link, follows_no_links, most_at_once, seen, token_of
from server.wire.answers import known_already, streamed, tagged, to_json
from server.wire.problems import refused
from sync.errors import BadFilter
from sync.exports.pages import RowsPage

JSON = "application/json; odata.metadata=minimal"
XML = "application/xml"
TEXT = "text/plain; charset=utf-8"
_PLAIN = "/()'"
_VERSION = ("OData-Version", "4.0")


def speak_odata(bp: Blueprint) -> None:
    """Have every answer of the blueprint name the version, and tell what the database cannot work out as a bad filter.

    PostgreSQL refuses some expressions only when it comes to certain rows.
    """
    bp.after_request(_headed)
    bp.register_error_handler(
        DataError, lambda _error: refused(BadFilter("The database cannot work out what was asked."))
    )


def _headed(response: Response) -> Response:
    """Every answer of OData names the version, the refusals too, and says that it may be longer for others."""
    response.headers.setdefault(*_VERSION)
    response.vary.update(("Prefer", "User-Agent"))
    return response


def tag_of(state: object, *more: object) -> str:
    """The tag of a document that follows from this state, from what was asked, from who asked, and from this code."""
    client = request.headers.get("Prefer"), follows_no_links(), follows_every_link()
    said = [VERSION, state, request.path, request.query_string.decode("latin-1"), *client, *more]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def paged(
    tag: str,
    page: RowsPage[Any],
    options: Options,
    page_of: Callable[[Options], RowsPage[Any]],
    document: Callable[[Sequence[Any], Mapping[str, Any] | None, int], dict[str, Any]],
) -> Response:
    """A page as a document, or so many rows as `most_at_once` says, which are made while they are sent and are never
    whole in memory: `page_of` gives a page as other options ask for it."""
    most = most_at_once(options)
    if page.next is None or most is None or most <= len(page.rows):
        return data(tag, lambda: document(page.rows, page.next, len(page.rows)))

    def pieces() -> Iterator[bytes]:
        part, left, before = page, most, b'{"value":['
        while True:
            for row in part.rows:
                yield before + to_json(row)
                before = b","
            left -= len(part.rows)
            if part.next is None or left <= 0:
                break
            size = min(options.page, left)
            part = page_of(replace(options, after=seen(part.next), skip=0, count=False, page=size))
        around = document([], part.next, most - left)
        del around["value"]
        yield b"]," + to_json(around)[1:]

    return streamed(pieces(), JSON, tag)


def _left(options: Options, sent: int) -> int | None:
    """How many rows a client that follows every link still wants; None where `$top` does not say how many in all."""
    return max(0, options.top - sent) if follows_every_link() and options.top is not None else None


def data(tag: str, make: Callable[[], Mapping[str, Any]]) -> Response:
    """A document, or word that the client has it already."""
    if known_already(tag):
        return tagged(b"", JSON, tag)
    return tagged(to_json(make()), JSON, tag)


def counted(count: int | None) -> Response:
    """How many rows there are, as the address ending in `/$count` gives it."""
    return tagged(str(count or 0).encode(), TEXT)


def written(row: Mapping[str, Any]) -> orjson.Fragment:
    """A row as it will stand in the document: as bytes, thousands are little to keep."""
    try:
        return orjson.Fragment(orjson.dumps(row))
    except orjson.JSONEncodeError:  # as `to_json` has it
        return orjson.Fragment(to_json(row))


def rows_document(
    root: str,
    name: str,
    resource: str,
    rows: Sequence[Any],
    options: Options,
    following: Mapping[str, Any] | None,
    count: int | None,
    sent: int,
) -> dict[str, Any]:
    """The rows of a set, of which so many are `sent` in this answer. `root` is the absolute address of the service,
    `resource` the path that was asked below it."""
    found: dict[str, Any] = {"value": rows, "@odata.context": f"{root}/$metadata#{name}"}
    left = _left(options, sent)
    if following is not None and left != 0:
        found["@odata.nextLink"] = f"{root}/{quote(resource, safe=_PLAIN)}?{_query(following, left)}"
    if options.count and count is not None:
        found["@odata.count"] = count
    return found


def _query(following: Mapping[str, Any], left: int | None) -> str:
    """What was asked, from that place on, of which so many rows are `left`. A token in the address stays where it
    was."""
    kept = [
        (name, value if name != "$top" or left is None else left)
        for name, value in request.args.items(multi=True)
        if name not in ("$skip", "$skiptoken", "st")
    ]
    return urlencode([*kept, ("$skiptoken", token_of(dict(following)))], safe="$", quote_via=quote)
