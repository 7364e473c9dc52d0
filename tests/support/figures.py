"""A project with indicators and contributions of its own making, for tests of figures and of what is built on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from forms.indicators.contributing import Contribution
from forms.indicators.sheets import Breakdown, Indicator, Sheets, Target
from forms.programmes.places import Place
from forms.workbooks.workbook import read_workbook
from forms.xforms.xform import Form
from sync.indicators.contributions import Wanted, replace_contributions
from sync.indicators.definitions import publish_indicators
from sync.indicators.figures import Figure, figures
from sync.indicators.moments import resolve_as_of
from sync.indicators.reading import Reading
from sync.journal import Journal, open_journal
from sync.models import Membership, Project, Submission
from sync.projects.places import PlaceTree, put_places
from tests.support.workbooks import a_workbook

START = dt.datetime(2026, 1, 1, 8, tzinfo=dt.UTC)
QUESTIONS = """
    | survey                 |       |                     |                      |
    | type                   | name  | label::English (en) | label::Français (fr) |
    | select_one sexes       | sex   | Sex                 | Sexe                 |
    | select_multiple topics | topic | Topics              | Thèmes               |
    | text                   | level | Level               | Niveau               |
    | choices                |            |                     |                      |
    | list_name              | name       | label::English (en) | label::Français (fr) |
    | sexes                  | female     | Women               | Femmes               |
    | sexes                  | male       | Men                 | Hommes               |
    | topics                 | governance | Governance          | Gouvernance          |
    | topics                 | marketing  | Marketing           | Commercialisation    |
"""


class World:
    """One project. Each change is an event of its own, a minute after the last; `now` is the time of the last one."""

    def __init__(self, session: Session, project_id: int = 1, **settings: Any) -> None:
        self.session = session
        self.project_id = project_id
        self.now = START
        self._journal: Journal | None = None
        session.add(Project(id=project_id, name="Programme", created_at=START, **settings))
        session.commit()

    def change(self, kind: str = "definition", submission_id: int | None = None, details: Any = None) -> _Change:
        """A block in which one event happens: `with world.change("edited", 4) as (journal, event)`."""
        self.now += dt.timedelta(minutes=1)
        return _Change(self, kind, submission_id, details)

    def publish(
        self,
        *indicators: Indicator,
        breakdowns: Sequence[Breakdown] = (),
        targets: Sequence[Target] = (),
        form_id: str = "visit",
    ) -> set[str]:
        form = a_form(form_id)
        fields = {field.name: field.identity for field in form.fields.values()}
        sheets = Sheets(form_id, indicators, tuple(breakdowns), tuple(targets), fields=fields)
        with self.change() as (journal, event):
            return publish_indicators(journal, form_id, sheets, form, event)

    def settings(self, **settings: Any) -> int:
        with self.change("settings", details=settings) as (journal, event):
            for name, value in settings.items():
                setattr(journal.project, name, value)
        return event

    def places(self, *places: Place) -> int:
        with self.change("places") as (journal, event):
            put_places(journal, places, event)
        return event

    def submit(
        self, *contributions: Contribution, submission_id: int | None = None, kind: str = "", recorded_at: Any = None
    ) -> int:
        """A submission with these contributions, or others for one that is there already. Its id is answered."""
        new = submission_id is None
        with self.change(kind or ("submitted" if new else "edited"), submission_id) as (journal, event):
            number = journal.new_id() if submission_id is None else submission_id
            journal._events[-1]["submission_id"] = number
            if new:
                self.session.add(a_submission(self.project_id, number, event, self.now))
            replace_contributions(journal, [Wanted(number, event, recorded_at or self.now, contributions, new)])
        return number

    def reject(self, submission_id: int) -> int:
        self.submit(submission_id=submission_id, kind="rejected")
        return self.event

    def merge(self, *entities: str, person: str, list_name: str = "people") -> int:
        return self.stand(dict.fromkeys(entities, (person, person, person)), list_name)

    def stand(
        self, standings: Mapping[str, tuple[str, str, str]], list_name: str = "people", kind: str = "merged"
    ) -> int:
        """From now on these entities stand for others: in the value, in the low bound and in the high one."""
        with self.change(kind) as (journal, event):
            here = Membership.project_id == self.project_id, Membership.list_name == list_name
            journal.session.execute(
                update(Membership)
                .where(*here, Membership.entity_id.in_(standings), Membership.closed.is_(None))
                .values(closed=event)
            )
            for entity, (person, fewest, most) in standings.items():
                journal.session.add(
                    Membership(
                        project_id=self.project_id,
                        list_name=list_name,
                        entity_id=entity,
                        opened=event,
                        person_id=person,
                        fewest_id=fewest,
                        most_id=most,
                    )
                )
        return event

    @property
    def event(self) -> int:
        """The number of the last event."""
        return self.reading().as_of.event

    def reading(self, as_of: int | str | None = None) -> Reading:
        """A fresh one, now or as of an event or time."""
        text = None if as_of is None else str(as_of)
        return Reading(self.session, self.project_id, resolve_as_of(self.session, self.project_id, text, self.now))

    def figures(self, name: str, *, as_of: int | str | None = None, viewer: bool = False, **asked: Any) -> list[Figure]:
        return figures(self.reading(as_of), [name], sees_small_cells=not viewer, **asked)

    def value(self, name: str, **asked: Any) -> Any:
        """Of the one figure that this asks for, as JSON has it."""
        return self.figures(name, **asked)[0].to_json()["value"]

    def by(self, name: str, *by: str, **asked: Any) -> dict[Any, Any]:
        """The values of the cells: key (or keys, if there are several dimensions) → value."""
        found = self.figures(name, by=by, totals=False, **asked)
        keys = [tuple(figure.by[name] for name in by) for figure in found]
        return {
            key[0] if len(key) == 1 else key: figure.to_json()["value"] for key, figure in zip(keys, found, strict=True)
        }


class _Change:
    def __init__(self, world: World, kind: str, submission_id: int | None, details: Any) -> None:
        self.world, self.asked = world, (kind, submission_id, details)

    def __enter__(self) -> tuple[Journal, int]:
        self.journal = open_journal(self.world.session, self.world.project_id, None, self.world.now)
        return self.journal, self.journal.record(*self.asked)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.journal.close()
            self.world.session.commit()


def a_contribution(indicator: str, date: str = "2026-05-01", **given: Any) -> Contribution:
    """`value` may be a number or its text; `by` is a tuple with a key, a tuple of keys or None for each breakdown."""
    until = given.get("until")
    value, baseline = (None if given.get(name) is None else Decimal(str(given[name])) for name in ("value", "baseline"))
    return Contribution(
        indicator,
        given.get("ordinal", 0),
        given.get("subject"),
        dt.date.fromisoformat(date),
        dt.date.fromisoformat(until) if until else None,
        given.get("place"),
        value,
        given.get("text"),
        baseline,
        tuple(_keys(keys) for keys in given.get("by", ())),
    )


def a_place(code: str, level: str, parent: str | None = None, aliases: Iterable[str] = (), name: str = "") -> Place:
    return Place(code, name or code, level, parent, None, None, tuple(aliases))


@cache
def a_form(form_id: str = "visit") -> Form:
    """Asks for `sex` (one), `topic` (several) and `level` (a text)."""
    return read_workbook(a_workbook(form_id, "1", QUESTIONS), f"{form_id}.xlsx").form


def a_submission(project_id: int, number: int, event: int, at: dt.datetime) -> Submission:
    return Submission(
        project_id=project_id,
        id=number,
        form_id="visit",
        instance_id=f"uuid:{number}",
        current_instance_id=f"uuid:{number}",
        form_version="1",
        actor_id=1,
        received_at=at,
        recorded_at=at,
        updated_at=at,
        event=event,
    )


def _keys(keys: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if keys is None:
        return ()
    return keys if isinstance(keys, tuple) else (keys,)


def keep_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little there is to be kept."""
    monkeypatch.setattr("sync.indicators.days._LEAST_ROWS", 0)
    monkeypatch.setattr("sync.indicators.days._LEAST_TOGETHER", 0)


def a_tree(*places: Place) -> PlaceTree:
    return PlaceTree({place.code: place for place in places})
