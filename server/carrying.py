"""What somebody had filled in when their session had ended: it goes along through the sign-in, and is sent if they say
so."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson
from flask import render_template, request

from server.db import session
from sync.accounts.tokens import same_person

# Beside the little that signing in takes, a form may hold as much.
_MOST = 900_000
_FORM = "application/x-www-form-urlencoded"
# Where people type passwords and codes.
_SECRET = ("account", "signing")


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


def carried_here() -> Carried | None:
    """The form of this request; None where it came from no page of ours, is too large, or may hold secrets."""
    if request.mimetype != _FORM or (request.content_length or 0) > _MOST // 3 or request.blueprint in _SECRET:
        return None
    csrf = request.form.get("__csrf", "")
    fields = [(name, value) for name, value in request.form.items(multi=True) if name != "__csrf"]
    return Carried(request.full_path.rstrip("?"), csrf, fields) if csrf else None


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
    return render_template("sign_in_carried.html", carried=carried, csrf=csrf, back=back)
