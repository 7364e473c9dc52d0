"""The search for words in answers, a stretch at a time: the address says how far it has come and what it has found."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request
from marshmallow import EXCLUDE, Schema, fields, validate

from server.api.schemas import text
from server.db import session
from server.wire.bodies import load
from sync.review.queue import Searched, Sought, Waiting, review_queue, search

PAGE = 50
# So long is looked through for one request; what was begun is ended.
_SECONDS = 0.07
_MOST = 10**9


class FurtherQuery(Schema):
    """Where a search goes on: what it has found for this page, and how many on pages before; how many it has looked at.

    `by` is `hand` where it is to wait until it is told to go on.
    """

    class Meta:
        unknown = EXCLUDE

    cursor = text(load_default=None)
    found = fields.String(load_default="", validate=validate.Regexp(r"([0-9]{1,18}(,[0-9]{1,18})*)?\Z"))
    before = fields.Integer(load_default=0, validate=validate.Range(min=0, max=_MOST))
    looked = fields.Integer(load_default=0, validate=validate.Range(min=0, max=_MOST))
    by = fields.String(load_default="", validate=validate.OneOf(["", "hand"]))


@dataclass(frozen=True, slots=True)
class Search:
    """What a page of a search shows. `before` were found on earlier pages, `looked_at` is how many it has looked at
    since it began, and `further` what the address says where it goes on, which it does `by_itself` until the page is
    full."""

    items: Sequence[Waiting]
    before: int
    looked_at: int
    last: Searched
    further: Mapping[str, Any]
    is_full: bool
    by_itself: bool

    @property
    def is_in_vain(self) -> bool:
        """Whether all was looked through and nothing found."""
        return not (self.items or self.before or self.last.cursor)


def search_on(pid: int, sought: Sought) -> Search:
    """As far as the address says and one stretch further, or until the page is full."""
    asked = load(FurtherQuery(), dict(request.args))
    ids = [int(number) for number in asked["found"].split(",") if number][: PAGE - 1]
    kept = review_queue(session(), pid, replace(sought, among=ids), None, PAGE).items if ids else ()
    end = time.monotonic() + _SECONDS
    last = search(session(), pid, sought, asked["cursor"], PAGE - len(kept), lambda: time.monotonic() > end)
    items, looked_at = [*kept, *last.items], asked["looked"] + last.looked_at
    is_full = len(items) == PAGE
    further = {"cursor": last.cursor, "looked": looked_at, "before": asked["before"] + (len(items) if is_full else 0)}
    if items and not is_full:
        further["found"] = ",".join(str(one.id) for one in items)
    if asked["by"]:
        further["by"] = asked["by"]
    by_itself = last.cursor is not None and not is_full and not asked["by"]
    return Search(items, asked["before"], looked_at, last, further, is_full, by_itself)
