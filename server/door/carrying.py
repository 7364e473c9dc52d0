"""What somebody had filled in when their session had ended: it goes along through the sign-in, and is sent if they say
so. And that a form was taken, which the next page is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import orjson
from flask import Response, g, render_template, request
from flask_babel import lazy_gettext

from server.db import session
from server.door.signing_in import cookie_name
from server.openrosa.answers import speaks_openrosa
from sync.accounts.tokens import is_session, same_person

# Beside the little that signing in takes, a form may hold as much.
_MOST = 900_000
_MOST_FIELDS = 500
_FORM = "application/x-www-form-urlencoded"
# Where people type passwords and codes.
_SECRET = ("account", "signing")
# The fields in which people write, as a page calls them that shows them again.
_CALLED = {
    "body": lazy_gettext("Your comment"),
    "comment": lazy_gettext("Comment"),
    "description": lazy_gettext("Description"),
    "name": lazy_gettext("Name"),
    "names": lazy_gettext("Names"),
    "others": lazy_gettext("Places"),
    "places": lazy_gettext("Places"),
    "reason": lazy_gettext("Reason"),
    "title": lazy_gettext("Title"),
}
# By which `desk.js` knows again what it keeps of a form.
_MARK = "__sent"
_A_MARK = re.compile(r"[0-9.e-]{1,60}")  # a random number as scripts write it


class TooLong(Exception):
    """What was filled in cannot go along."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A form that was not taken: where it was sent `to`, and what is in it. `csrf` is the word of its page that it was
    ours."""

    to: str
    csrf: str
    fields: list[tuple[str, str]]

    def written(self) -> str:
        """As a field of another form."""
        return orjson.dumps(asdict(self)).decode()

    def texts(self, *, answers: bool = True) -> Iterator[tuple[str, str]]:
        """What a person has written in it, each with what the field is called; not what the page itself put there.
        Fields of `answers`, which are called by their paths, can be left out."""
        for name, value in self.fields:
            if name.startswith("/") and not answers:
                continue
            if value.strip() and (name in _CALLED or len(value.split()) > 1):
                yield str(_CALLED.get(name, name)), value


def for_programs() -> bool:
    """Whether the address of this request is none of a page."""
    return request.path.startswith("/v1") or speaks_openrosa()


def carried_here() -> Carried | None:
    """The form of this request; None where it came from no page or nobody who was signed in, or may hold secrets.
    Raises TooLong."""
    if for_programs() or request.mimetype != _FORM or request.blueprint in _SECRET:
        return None
    if not is_session(session(), request.cookies.get(cookie_name(), "")):
        return None
    if (request.content_length or 0) > _MOST // 3:
        raise TooLong
    csrf = request.form.get("__csrf", "")
    if not csrf:
        return None
    fields = [(name, value) for name, value in request.form.items(multi=True) if name != "__csrf"]
    carried = Carried(request.full_path.rstrip("?"), csrf, fields)
    if len(fields) > _MOST_FIELDS or len(carried.written().encode()) > _MOST:
        raise TooLong
    return carried


def carried_in(written: str) -> Carried | None:
    """What `written` wrote; None for anything else."""
    try:
        given = orjson.loads(written)
        fields = [(str(name), str(value)) for name, value in given["fields"]]
        return Carried(str(given["to"]), str(given["csrf"]), fields)
    except (ValueError, TypeError, KeyError):
        return None


def page_to_send(carried: Carried, token: bytes, csrf: str, back: str | None) -> str | None:
    """The page on which whoever is signed in by a token sends it after all, or goes `back`; None if it was another who
    filled it in."""
    if not carried.csrf.isprintable() or not same_person(session(), token, carried.csrf):
        return None
    return render_template("sign_in_carried.html", carried=carried, token=token, csrf=csrf, back=back)


def note_mark() -> None:
    """Keep the mark of the form that a page of ours sends, for `say_taken`."""
    if not for_programs() and request.mimetype == _FORM and _A_MARK.fullmatch(mark := request.form.get(_MARK, "")):
        g.mark = mark


def say_taken(response: Response) -> None:
    """Tell the page that comes next that the form with this mark was taken: what was typed into it need not be kept."""
    if response.status_code < 400 and "mark" in g:
        response.set_cookie("taken", g.mark, secure=request.is_secure, samesite="Lax")
