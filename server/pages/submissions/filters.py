"""Which submissions a page is about: the filters of an address, and what they can be chosen from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from flask import request
from flask_babel import gettext
from marshmallow import EXCLUDE, Schema, fields, validate

from forms.xpath.numbers import LARGEST
from server.api.figures import reading_of
from server.api.schemas import TEXT, text
from server.db import session
from server.pages.asked import places_to_choose
from server.pages.frame import project_of
from server.pages.said import FLAGS, STATES
from server.queries.submissions import collectors_of, titles_of_forms
from sync.review.queue import STATES as FOUND_BY
from sync.review.queue import Sought, flags_sought

NAMES = ("state", "form", "place", "collector", "device", "flag", "from", "to", "words")
_NO_NUL = validate.ContainsNoneOf("\0")


class FilterQuery(Schema):
    """Which submissions. An empty field is none."""

    class Meta:
        unknown = EXCLUDE

    state = text(load_default=None, validate=validate.OneOf(FOUND_BY))
    form = text(load_default=None, validate=[TEXT, _NO_NUL])
    place = text(load_default=None, validate=[TEXT, _NO_NUL])
    collector = fields.Integer(load_default=None, validate=validate.Range(min=0, max=LARGEST))
    device = text(load_default=None, validate=[TEXT, _NO_NUL])
    flag = fields.String(load_default=None, validate=validate.OneOf(list(FLAGS)))
    since = fields.Date(load_default=None, data_key="from")
    until = fields.Date(load_default=None, data_key="to")
    words = fields.String(load_default=None, validate=[validate.Length(max=200), _NO_NUL])


def sought_in(pid: int, given: Mapping[str, Any], state: str | None = None) -> Sought:
    """What the loaded filters mean; days are those of the project. `state` stands where none was given."""
    zone = ZoneInfo(project_of(pid).time_zone)
    since, until = given["since"], given["until"]
    return Sought(
        state=given["state"] or state,
        form_id=given["form"],
        place=given["place"],
        collector=given["collector"],
        device=given["device"],
        flag=given["flag"],
        since=_midnight(since, zone) if since else None,
        until=_midnight(until + dt.timedelta(days=1), zone) if until and until < dt.date.max else None,
        words=given["words"],
    )


def filters_asked() -> dict[str, str]:
    """The filters of this request that are not empty, as they were written: for addresses and hidden fields."""
    given = request.form if request.method == "POST" else request.args
    return {name: given[name] for name in NAMES if given.get(name)}


def choices(pid: int, sought: Sought) -> dict[str, Any]:
    """What the fields of the filters offer, each flag with how many of what is sought have it."""
    of_flag, more = flags_sought(session(), pid, sought)
    return {
        "states": STATES,
        "flags": FLAGS,
        "of_flag": of_flag,
        "more_of_flags": more,
        "titles": titles_of_forms(session(), pid),
        "places_to_choose": places_to_choose(reading_of(pid, None), request.values.get("place")),
        "collectors": collectors_of(session(), pid),
        "found_by": {
            "undecided": gettext("to be reviewed"),
            "flagged": gettext("with flags"),
            "received": STATES[None],
            "edited": STATES["edited"],
            "hasIssues": STATES["hasIssues"],
            "approved": STATES["approved"],
            "rejected": STATES["rejected"],
        },
    }


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    # The first and last days that there are have no midnight in every zone.
    day = min(max(day, dt.date(1900, 1, 1)), dt.date(9000, 1, 1))
    return dt.datetime.combine(day, dt.time(), zone)
