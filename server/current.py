"""What a request can ask for: the settings, the content store, who came in, and when."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from flask import current_app, g, request

from forms.records import record
from server import clock
from server.door.capacity import Rates, Slots
from server.door.front import DRAFT, KEY
from server.door.traffic import Tally
from server.settings import Settings
from sync.accounts.audit import Origin
from sync.accounts.roles import may
from sync.intake.content import ContentStore
from sync.intake.luck import Luck

_NAME = "siby"


@dataclass(frozen=True)
class Parts:
    """What the app is made of beside Flask's own."""

    settings: Settings
    store: ContentStore
    slots: Slots
    rates: Rates
    tally: Tally = field(default_factory=Tally)


@record
class Visitor:
    """Who came in and how, in plain values: it outlives the database session."""

    actor_id: int
    kind: str  # user | device | public_link | draft: whoever has the token of a draft, and stands for its maker
    name: str
    email: str | None
    admin: bool
    project_id: int | None  # of a device
    places: tuple[str, ...]
    language: str | None
    by: str  # key | bearer | basic | cookie | draft
    token: bytes | None = None  # its SHA-256
    in_session: bool = False  # the token is a session's, and ends with it
    csrf: str | None = field(default=None, repr=False)
    luck: Luck | None = None  # with its link, the last time


def parts() -> Parts:
    found: Parts = current_app.extensions[_NAME]
    return found


def install(app: object, made: Parts) -> None:
    """Put the parts where requests find them."""
    app.extensions[_NAME] = made  # type: ignore[attr-defined]


def settings() -> Settings:
    return parts().settings


def store() -> ContentStore:
    return parts().store


def take_slot() -> None:
    """Be one of the few that work on what they were sent, from now to the end of the request. Raises Busy.

    To be called once the body is here: those who send slowly keep nobody else waiting.
    """
    if not g.get("slot"):
        parts().slots.take()
        g.slot = True


def give_slot_back() -> None:
    if g.pop("slot", False):
        parts().slots.give_back()


def now() -> dt.datetime:
    """The moment at which this request came in, or last began to write: the same for everything that it does then."""
    moment: dt.datetime | None = g.get("now")
    return moment if moment is not None else writing_now()


def writing_now() -> dt.datetime:
    """This very moment, and from now on the request's: the clock for whoever is about to write."""
    moment: dt.datetime
    moment = g.now = clock.now()
    return moment


def visitor() -> Visitor:
    """Who is signed in; only for routes that are not public."""
    found: Visitor = g.visitor
    return found


def visitor_or_none() -> Visitor | None:
    found: Visitor | None = g.get("visitor")
    return found


def role() -> str:
    """The visitor's role in the project of this request."""
    found: str = g.role
    return found


def has_right(right: str) -> bool:
    """Whether the visitor may do more than the route itself asks for."""
    return may(role(), right)


def fillable() -> frozenset[str] | None:
    """The forms to which the visitor is bound, on a route for those who fill in forms; None for all."""
    found: frozenset[str] | None = g.fillable
    return found


def origin() -> Origin:
    """Where the acts of this request come from, for the audit trail."""
    known = visitor_or_none()
    return Origin(known.actor_id if known else None, g.get("request_id"), request.remote_addr)


def public_address() -> str:
    """Where this server is reached: as its settings say, else as whoever asks has reached it."""
    return settings().public_url or request.host_url.rstrip("/")


def own_address(path: str) -> str:
    """The absolute address of a path such as `/projects/7/forms/x.xml`, with the token in it if it came that way."""
    base = public_address()
    if (draft := request.environ.get(DRAFT)) is not None:
        return f"{base}/v1/test/{draft}{path}"
    key = request.environ.get(KEY) or request.args.get("st")
    return f"{base}/v1/key/{key}{path}" if key else f"{base}/v1{path}"
