"""How much of each list a device gets, as it is set up or as it would be with other places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Text, bindparam, cast, func, literal, or_, select
from sqlalchemy.orm import Session

from sync.accounts.roles import fillable_forms
from sync.entities.reach import Reach, reach_of, rows_within, values_within, writes
from sync.entities.reading import lists_of_project
from sync.models import Actor, Entity, Form, FormFile, Project
from sync.models.kept import Kept


@dataclass(frozen=True, slots=True)
class Share:
    """Of `of` living rows of a list a device gets `rows`, which are about `size` bytes before anything packs them; None
    where that was not asked for."""

    list_name: str
    rows: int
    of: int
    size: int | None


class Shares:
    """The shares of one project's lists; devices with the same reach are looked up once, until something happens in the
    project. `sized` asks for bytes, for which the rows themselves have to be read."""

    def __init__(self, session: Session, project_id: int, *, sized: bool) -> None:
        self._sized = sized
        self._session = session
        self._project_id = project_id
        rows = session.execute(_READ, {"project": project_id}).all()
        self._forms: dict[str, set[str]] = {}
        for form_id, name in rows:
            self._forms.setdefault(str(name), set()).add(form_id)
        self._lists = [known for known in lists_of_project(session, project_id) if known.name in self._forms]
        last = session.scalar(select(Project.last_event).where(Project.id == project_id))
        self._counted = _counted.get(session, project_id, last, not writes(session), dict)

    def of(self, device: Actor, places: Sequence[str] | None = None) -> list[Share]:
        """What the device gets of each list that one of its forms reads; with these `places` in place of its own, if
        they are given."""
        found = []
        bound = fillable_forms(self._session, device, self._project_id)
        for known in self._lists:
            if bound is not None and not bound & self._forms[known.name]:
                continue
            reach = reach_of(self._session, device, known, places)
            rows, size = self._count(known.name, reach, self._sized)
            whole, _ = self._count(known.name, Reach(everything=True), False)
            found.append(Share(known.name, rows, whole, size if self._sized else None))
        return found

    def _count(self, name: str, reach: Reach, sized: bool) -> tuple[int, int]:
        if reach.assigned is not None:  # by hand, which is no event of the project
            return self._look(name, reach, sized)
        key = (name, reach, sized)
        if key not in self._counted:
            self._counted[key] = self._look(name, reach, sized)
        return self._counted[key]

    def _look(self, name: str, reach: Reach, sized: bool) -> tuple[int, int]:
        if reach.assigned is not None:  # given by hand: they are few
            rows = rows_within(self._session, self._project_id, name, reach)
            return len(rows), sum(_length(row) for row in rows)
        size = func.sum(func.length(func.coalesce(Entity.label, "")) + func.length(cast(Entity.data, Text)))
        query = select(func.count(), size if sized else literal(0)).where(
            Entity.project_id == self._project_id,
            Entity.list_name == name,
            Entity.withdrawn.is_(False),
            Entity.deleted_at.is_(None),
            *values_within(reach),
        )
        if reach.own is not None:
            query = query.where(Entity.creator_id == reach.own)
        elif reach.codes is not None:
            query = query.where(or_(Entity.place.is_(None), Entity.place.in_(sorted(reach.codes))))
        count, length = self._session.execute(query).one()
        return int(count), int(length or 0)


_counted: Kept[dict[tuple[str, Reach, bool], tuple[int, int]]] = Kept()

# Which forms read which lists.
_READ = (
    select(FormFile.form_id, FormFile.list_name)
    .join(Form, (Form.project_id == FormFile.project_id) & (Form.form_id == FormFile.form_id))
    .where(Form.project_id == bindparam("project"), Form.deleted_at.is_(None), FormFile.list_name.is_not(None))
)


def _length(row: Sequence[object]) -> int:
    return sum(len(str(value)) for value in row)
