"""Columns that tell who somebody is: left out, or replaced by what is the same for the same answer and no more."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.exports.cells import Cell
from sync.exports.fields import Table
from sync.exports.flat import Outlet, Take, plain
from sync.models import Server

# Of these nothing is kept: a position or a photo that cannot be looked at is of no use.
_NEVER = frozenset({"geopoint", "geotrace", "geoshape", "binary"})
_LENGTH = 20


def without_identity(tables: Sequence[Table], *, pseudonyms: bool) -> list[Table]:
    """The tables without the columns that identify people, or only without those that cannot be disguised."""
    found: dict[str, Table] = {}
    for table in tables:
        columns = [
            column for column in table.columns if not column.identifying or (pseudonyms and column.kind not in _NEVER)
        ]
        parent = found[table.parent.identity] if table.parent else None
        found[table.identity] = replace(table, columns=columns, parent=parent)
    return list(found.values())


def pseudonym_of(session: Session, project_id: int) -> Take:
    """A function from an answer to its pseudonym: HMAC-SHA-256 under a key of the project that never leaves here.

    The same answer has the same pseudonym in every form of the project, and another one in another project.
    """
    secret = session.scalars(select(Server.secret)).one()
    key = hmac.digest(secret, f"pseudonyms of project {project_id}".encode(), hashlib.sha256)

    def take(value: object) -> Cell:
        text = unicodedata.normalize("NFC", " ".join(str(plain(value) or "").split())).casefold()
        if not text:
            return None
        return hmac.digest(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()[:_LENGTH]

    return take


def disguised(outlets: Sequence[Outlet], pseudonym: Take) -> list[Outlet]:
    """The columns of a file with pseudonyms where they identify people, one column for each question."""
    found: list[Outlet] = []
    for outlet in outlets:
        if not outlet.column.identifying:
            found.append(outlet)
        elif outlet.choice is None:
            found.append(replace(outlet, kind="text", take=pseudonym))
    return found
