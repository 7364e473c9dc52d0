"""What indicators mean, and meant at each event: their definitions as workbooks gave them, and their targets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, bindparam, or_, select
from sqlalchemy.orm import Session

from forms.form import Field
from forms.indicators.sheets import Breakdown, Keep, Sheets, field_called, language_code, plain_reference, value_labels
from forms.indicators.sheets import Indicator as IndicatorRow
from forms.indicators.sheets import Target as TargetRow
from forms.records import record
from forms.xforms.xform import Form
from sync.indicators.amounts import millionths
from sync.indicators.changed import Changed, as_of_event, last_changes
from sync.journal import Journal
from sync.models.database import fetch_rows
from sync.models.indicators import Indicator, IndicatorVersion, Target
from sync.models.kept import Kept

_LIST_NAME = re.compile(r"[^\W\d][\w.-]*")
_REFERENCE = re.compile(r"\$\{\s*([^\s{}]+)\s*\}")
_SEVERAL = frozenset({"select", "rank"})

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Way:
    """A breakdown of an indicator. Its keys stand in the column `by{position}` of the contributions.

    `multiple`: a row may hold several keys. `values` names the keys in each language, in the order of the choices.
    """

    name: str
    position: int
    labels: Labels
    multiple: bool
    values: Mapping[str, Labels]

    def label_of(self, key: str | None, language: str) -> str | None:
        """What the cell is called, None if only its key is known."""
        return label_in(self.values.get(key, {}), language) if key is not None else None


@dataclass(frozen=True)
class Definition:
    """An indicator as it was defined from the event `opened` on.

    `parts` holds for each form that feeds it what its workbook says; all of them agree on the rest. Labels are by
    language code, `""` for a workbook without languages.
    """

    id: int
    opened: int
    row: IndicatorRow
    parts: Mapping[str, Mapping[str, Any]]

    @cached_property
    def name(self) -> str:
        return self.row.name

    @cached_property
    def aggregate(self) -> str:
        return self.row.aggregate

    @cached_property
    def keep(self) -> Keep | None:
        return self.row.keep

    @cached_property
    def labels(self) -> Labels:
        return by_code(self.row.labels)

    @cached_property
    def descriptions(self) -> Labels:
        return by_code(self.row.descriptions)

    @cached_property
    def has_value(self) -> bool:
        return self.aggregate not in ("list", "ratio") and any(part.get("value") for part in self.parts.values())

    @cached_property
    def has_subject(self) -> bool:
        return any(part.get("subject") for part in self.parts.values())

    @cached_property
    def counts_subjects(self) -> bool:
        """Whether the figure goes over subjects; a row without one has no part in it then."""
        return self.has_subject and self.aggregate not in ("count", "list", "ratio")

    @cached_property
    def spreads(self) -> bool:
        """Whether a row's value is spread over its days and cut to the period."""
        return self.aggregate == "sum" and self.row.until is not None

    @cached_property
    def subject_lists(self) -> frozenset[str] | None:
        """The entity lists that its subjects are of; None if some subject is an expression and may be of any."""
        subjects = {part["subject"] for part in self.parts.values() if part.get("subject")}
        return frozenset(subjects) if all(_LIST_NAME.fullmatch(subject) for subject in subjects) else None

    @cached_property
    def ways(self) -> tuple[Way, ...]:
        return tuple(self._way(position, name) for position, name in enumerate(self.row.by, start=1))

    def way(self, name: str) -> Way | None:
        return next((way for way in self.ways if way.name == name), None)

    def read_from(self, form_id: str) -> set[str]:
        """The identities of the form's questions that say which rows there are, with what value and in which cells, but
        not those that say of whom."""
        counting = self.parts[form_id]["counting"]
        read = {**counting["indicator"], "subject": None}, counting["breakdowns"]
        names = {*_REFERENCE.findall(json.dumps(read, ensure_ascii=False)), *self.row.by}
        return {identity for name, identity in counting["fields"].items() if name in names}

    def label(self, language: str) -> str:
        """Its label in this language, else in another, else its name."""
        return label_in(self.labels, language) or self.name

    def _way(self, position: int, name: str) -> Way:
        told = [way for part in self.parts.values() for way in part["ways"] if way["name"] == name]
        values: dict[str, Labels] = {}
        for way in told:
            values |= {key: by_code(labels) for key, labels in way["values"]}
        labels = next((by_code(way["labels"]) for way in told if way["labels"]), {})
        return Way(name, position, labels, any(way["multiple"] for way in told), values)


def publish_indicators(journal: Journal, form_id: str, sheets: Sheets, form: Form, event: int) -> set[str]:
    """Make `sheets` what this form's workbook says of indicators and targets from `event` on.

    The names answered are those whose rows have to be counted anew: something that decides the numbers is different,
    new or gone. Other labels alone make a new version too, but nothing to count. Indicators that no workbook names any
    more are closed.
    """
    there = _open_versions(journal)
    changed = {row.name for row in sheets.indicators if _put_part(journal, there, form_id, sheets, form, row, event)}
    named = {row.name for row in sheets.indicators}
    for name, version in there.items():
        if name not in named and form_id in version.definition["parts"]:
            _withdraw_part(journal, version, form_id, event)
            changed.add(name)
    _put_targets(journal, form_id, sheets.targets, event)
    journal.session.flush()
    return changed


def definitions_at(
    session: Session, project_id: int, as_of: int | None, changed: Changed | None = None
) -> Mapping[str, Definition]:
    """By name, in the order of the names; those of now for None. Those that hold still are read again only when one was
    `changed`, which is looked up if it is not given."""
    changed = changed or last_changes(session, project_id)
    newest = changed.definitions
    as_of = newest if as_of is None else as_of
    return as_of_event(_definitions, session, project_id, (changed.epoch, newest), as_of, _read_definitions)


_definitions: Kept[Mapping[str, Definition]] = Kept()


def _read_definitions(session: Session, project_id: int, as_of: int) -> dict[str, Definition]:
    rows = session.execute(
        select(Indicator.name, IndicatorVersion.indicator_id, IndicatorVersion.opened, IndicatorVersion.definition)
        .join_from(
            IndicatorVersion,
            Indicator,
            (Indicator.project_id == IndicatorVersion.project_id) & (Indicator.id == IndicatorVersion.indicator_id),
        )
        .where(IndicatorVersion.project_id == project_id, *held_at(IndicatorVersion, as_of))
        .order_by(Indicator.name)
    )
    return {
        name: Definition(id_, opened, IndicatorRow.from_json(stored["common"]), stored["parts"])
        for name, id_, opened, stored in rows
    }


@record
class Planned:
    """What was planned, and where things stood before, in millionths; for an indicator, period, place and cell."""

    id: int
    indicator: str
    period: str
    place: str | None
    by: Mapping[str, str]
    baseline: int | None
    target: int | None
    note: str | None


def targets_at(session: Session, project_id: int, as_of: int, changed: Changed) -> Sequence[Planned]:
    """In the order in which the workbooks gave them; those that hold still are kept as definitions are."""
    return as_of_event(_targets, session, project_id, (changed.epoch, changed.targets), as_of, _read_targets)


_targets: Kept[Sequence[Planned]] = Kept()
_PLANNED = tuple(getattr(Target, field.name) for field in fields(Planned))


def _read_targets(session: Session, project_id: int, as_of: int) -> Sequence[Planned]:
    query = select(*_PLANNED).where(Target.project_id == project_id, *held_at(Target, as_of)).order_by(Target.id)
    return [Planned(*row) for row in fetch_rows(session.connection(), query)]


def ids_for(journal: Journal) -> Mapping[str, int]:
    """`indicator_ids`, read again only when there are more, if the journal has seen the last one."""
    session, project_id, last = journal.session, journal.project_id, journal.seen.indicators
    if last is None:
        return indicator_ids(session, project_id)
    settled = last <= journal.found.last_id
    return _ids.get(session, project_id, last, settled, lambda: indicator_ids(session, project_id))


_ids: Kept[Mapping[str, int]] = Kept()


def indicator_ids(session: Session, project_id: int) -> dict[str, int]:
    """Of all indicators that the project ever had."""
    return dict(session.connection().execute(_IDS, {"project": project_id}).all())


_IDS = select(Indicator.name, Indicator.id).where(Indicator.project_id == bindparam("project"))


def held_at(table: Any, as_of: int | None) -> tuple[ColumnElement[bool], ...]:
    """The condition on rows with `opened` and `closed` that held at an event; that hold now, for None."""
    if as_of is None:
        return (table.closed.is_(None),)
    return table.opened <= as_of, or_(table.closed.is_(None), table.closed > as_of)


def by_code(labels: Labels) -> dict[str, str]:
    """Labels by language code instead of the workbook's spelling of the language."""
    return {language_code(language): label for language, label in labels.items()}


def label_in(labels: Labels, language: str) -> str | None:
    """In this language, else in the workbook's only one, else in the first."""
    return labels.get(language) or labels.get("") or next(iter(labels.values()), None)


def _open_versions(journal: Journal) -> dict[str, IndicatorVersion]:
    names = {id_: name for name, id_ in indicator_ids(journal.session, journal.project_id).items()}
    versions = journal.session.scalars(
        select(IndicatorVersion).where(
            IndicatorVersion.project_id == journal.project_id, IndicatorVersion.closed.is_(None)
        )
    )
    return {names[version.indicator_id]: version for version in versions}


def _put_part(
    journal: Journal,
    there: Mapping[str, IndicatorVersion],
    form_id: str,
    sheets: Sheets,
    form: Form,
    row: IndicatorRow,
    event: int,
) -> bool:
    """Say whether the numbers may be others than before."""
    part = _part(sheets, form, row)
    before = there.get(row.name)
    parts = dict(before.definition["parts"]) if before else {}
    known = parts.get(form_id)
    parts[form_id] = part
    definition = {"common": _common(row), "parts": parts}
    if before is None:
        _open(journal, _indicator_id(journal, row.name), definition, event)
    elif before.definition != definition:
        _supersede(journal, before, definition, event)
    return known is None or known["counting"] != part["counting"]


def _withdraw_part(journal: Journal, version: IndicatorVersion, form_id: str, event: int) -> None:
    parts = {form: part for form, part in version.definition["parts"].items() if form != form_id}
    if parts:
        _supersede(journal, version, version.definition | {"parts": parts}, event)
    elif version.opened == event:
        journal.session.delete(version)
    else:
        version.closed = event


def _supersede(journal: Journal, before: IndicatorVersion, definition: dict[str, Any], event: int) -> None:
    if before.opened == event:  # two workbooks published at one event
        before.definition = definition
        return
    before.closed = event
    _open(journal, before.indicator_id, definition, event)


def _open(journal: Journal, indicator_id: int, definition: dict[str, Any], event: int) -> None:
    version = IndicatorVersion(
        project_id=journal.project_id, indicator_id=indicator_id, opened=event, closed=None, definition=definition
    )
    journal.session.add(version)


def _indicator_id(journal: Journal, name: str) -> int:
    known = indicator_ids(journal.session, journal.project_id).get(name)
    if known is not None:
        return known
    indicator = Indicator(project_id=journal.project_id, id=journal.new_id(), name=name)
    journal.session.add(indicator)
    journal.session.flush()
    return indicator.id


def _common(row: IndicatorRow) -> dict[str, Any]:
    """What its workbooks agree on, in the form that `Indicator.from_json` reads."""
    return {name: value for name, value in row.common().items() if value not in (None, "", [], {})}


def _part(sheets: Sheets, form: Form, row: IndicatorRow) -> dict[str, Any]:
    ways = [_way_in(sheets, form, name) for name in row.by]
    counting = json.loads(sheets.definition_of(row))
    named = sorted(set(_REFERENCE.findall(json.dumps(counting, ensure_ascii=False))) | set(row.by))
    return {
        "subject": row.subject,
        "value": row.value,
        "ways": ways,
        "counting": {
            **counting,
            "fields": {name: sheets.fields[name] for name in named if name in sheets.fields},
            "multiple": [way["multiple"] for way in ways],
        },
    }


def _way_in(sheets: Sheets, form: Form, name: str) -> dict[str, Any]:
    defined = sheets.breakdown(name)
    asked = _asked(sheets, form, name, defined)
    labels = defined.labels if defined else asked.labels if asked else {}
    return {
        "name": name,
        "labels": dict(labels),
        "multiple": asked is not None and asked.type in _SEVERAL and not (defined and defined.bands),
        "values": [[key, labels] for key, labels in value_labels(form, sheets, name).items()],
    }


def _asked(sheets: Sheets, form: Form, name: str, defined: Breakdown | None) -> Field | None:
    called = plain_reference(defined.value) if defined else name
    return field_called(form, sheets, called) if called else None


def _put_targets(journal: Journal, form_id: str, wanted: Sequence[TargetRow], event: int) -> None:
    there = journal.session.scalars(
        select(Target).where(
            Target.project_id == journal.project_id, Target.form_id == form_id, Target.closed.is_(None)
        )
    )
    known = {_content(target): target for target in there}
    for row in wanted:
        target = _target(journal, form_id, row, event)
        if known.pop(_content(target), None) is None:
            target.id = journal.new_id()
            journal.session.add(target)
    for target in known.values():
        target.closed = event


def _target(journal: Journal, form_id: str, row: TargetRow, event: int) -> Target:
    return Target(
        project_id=journal.project_id,
        opened=event,
        form_id=form_id,
        indicator=row.indicator,
        period=row.period,
        place=row.place,
        by=dict(row.by),
        baseline=None if row.baseline is None else millionths(row.baseline),
        target=None if row.target is None else millionths(row.target),
        note=row.note or None,
    )


def _content(target: Target) -> tuple[Any, ...]:
    cell = tuple(sorted(target.by.items()))
    return target.indicator, target.period, target.place, cell, target.baseline, target.target, target.note
