"""The flag of a visit to a place that nobody knows; a project without places knows any."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select, update

from forms.form import Flag
from sync.journal import Journal
from sync.models import Submission
from sync.projects.places import PlaceTree
from sync.review.flags import PLACE, replace_code

_AT_ONCE = 500


def place_flags(place: str | None, tree: PlaceTree) -> list[Flag]:
    """What there is to say about the place of a visit, as its form writes it."""
    if place is None or not tree.places or tree.code_of(place) is not None:
        return []
    return [Flag(PLACE, "", f"No place has the code or the alias ‘{place}’.")]


def settle_place_flags(journal: Journal, before: PlaceTree, after: PlaceTree, event: int) -> None:
    """Flag the visits to places that are not known any more, and no longer those to places that have become known."""
    of_project = Submission.project_id == journal.project_id
    written = journal.connection.scalars(select(Submission.place).where(of_project).distinct()).all()
    differing = [one for one in written if place_flags(one, before) != place_flags(one, after)]
    for start in range(0, len(differing), _AT_ONCE):
        some = differing[start : start + _AT_ONCE]
        rows = journal.connection.execute(
            select(Submission.id, Submission.place, Submission.flags).where(of_project, Submission.place.in_(some))
        ).all()
        changed: list[dict[str, Any]] = [
            {"b_id": id_, "b_flags": replace_code(flags, PLACE, place_flags(place, after))}
            for id_, place, flags in rows
        ]
        if changed:
            at = {"b_project": journal.project_id, "b_event": event, "b_updated_at": journal.now}
            journal.connection.execute(_UPDATE, [row | at for row in changed])


_UPDATE = (
    update(Submission)
    .where(Submission.project_id == bindparam("b_project"), Submission.id == bindparam("b_id"))
    .values(
        flags=bindparam("b_flags", type_=Submission.__table__.c.flags.type),
        event=bindparam("b_event"),
        updated_at=bindparam("b_updated_at", type_=Submission.__table__.c.updated_at.type),
    )
)
