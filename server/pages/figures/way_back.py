"""The way back from a figure to the statement in which it was read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import url_for

from server.api.schemas import Strict, text
from server.db import session
from server.language.words import words
from sync.statements.statements import titles_at

# What follows the address of all statements: a name, an issue of it, and how it was read.
_BACK = re.compile(r"([\w-]+)((?:/issues/([0-9]{1,9}))?(?:\?[\w.~%&=+-]*)?)", re.ASCII)


class BackQuery(Strict):
    """Out of which statement somebody came, as `way_back` reads it."""

    back = text(load_default="")


@dataclass(frozen=True, slots=True)
class WayBack:
    """A statement by its title, the address at which it reads as it did, and how `way_back` is given it; its name, and
    the number of the issue, if it is one."""

    said: str
    address: str
    given: str
    name: str
    issue: int | None


def way_back(pid: int, back: str) -> WayBack | None:
    """None for what is no statement of the project."""
    found = _BACK.fullmatch(back)
    titles = titles_at(session(), pid, None).get(found[1]) if found else None
    if found is None or titles is None:
        return None
    address = url_for("statement_pages.statement", pid=pid, name=found[1]) + found[2]
    return WayBack(words().label(titles), address, back, found[1], int(found[3]) if found[3] else None)
