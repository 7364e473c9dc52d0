"""Who did what in the whole installation."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from server.api.schemas import ListQuery, text
from server.api.submission_shapes import actors_shown
from server.db import session
from server.door.guards import site_admin
from server.kept.remembered import VERSION
from server.wire.answers import AT_ONCE, answer, json_pieces, streamed, wants_more
from server.wire.bodies import read_query
from server.wire.documents import documented
from sync.accounts.trail import Act, acts, state_of_trails
from sync.errors import Unexpected
from sync.intake.items import storable

bp = Blueprint("audits", __name__, url_prefix="/v1/audits")

_JSON = "application/json; charset=utf-8"


class AuditsQuery(ListQuery):
    """Which acts to tell. `start` and `end` are times or dates."""

    action = text(load_default=None, metadata={"description": "one action, what several begin with, or nonverbose"})
    start = text(load_default=None)
    end = text(load_default=None)


@bp.get("")
@site_admin
@documented("audits", query=AuditsQuery, answer="application/json")
def get_audits() -> ResponseReturnValue:
    """The audit trails of all projects as one, the newest first; without a limit all there are."""
    asked = read_query(AuditsQuery())
    asked["action"] = storable(asked["action"]) if asked["action"] else None
    asked |= {name: _moment(name, asked[name]) for name in ("start", "end")}

    def found() -> Iterator[Act]:
        return acts(session(), **asked)

    if asked["limit"] is not None and asked["limit"] <= AT_ONCE:
        return answer(_listed(list(found())))
    state = VERSION, state_of_trails(session()), request.query_string, wants_more()
    tag = hashlib.sha256(repr(state).encode()).hexdigest()[:32]
    return streamed(json_pieces(found, _listed), _JSON, tag)


def _listed(some: list[Act]) -> list[dict[str, Any]]:
    actors = actors_shown(number for act in some for number in (act.actor_id, act.about_actor) if number is not None)
    return [_shown(act, actors) for act in some]


def _shown(act: Act, actors: dict[int, dict[str, Any]]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "actorId": act.actor_id,
        "action": act.action,
        "acteeId": act.about,
        "details": dict(act.details or {}),
        "notes": None,
        "loggedAt": act.at,
        "act": act.own,
        "project": act.project_id,
        "number": act.number,
        "address": act.address,
        "request": act.request_id,
    }
    if actors:
        shown["actor"] = actors.get(act.actor_id) if act.actor_id is not None else None
        shown["actee"] = actors.get(act.about_actor) if act.about_actor is not None else None
    return shown


def _moment(name: str, written: str | None) -> dt.datetime | None:
    if not written:
        return None
    try:
        moment = dt.datetime.fromisoformat(written.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise Unexpected(f"{name} is not a time such as 2026-11-01T08:00:00Z.") from error
