"""The sheets of our own in a workbook: indicators, breakdowns, targets, matching and renamed questions, once read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from forms.form import Field
from forms.xforms.xform import Form

AGGREGATES = ("count", "distinct", "sum", "mean", "median", "min", "max", "list", "ratio")
PER_SUBJECT = ("latest", "latest_known", "first", "sum", "mean", "min", "max", "gain", "growth")
ROLES = (
    "first_name",
    "last_name",
    "full_name",
    "sex",
    "birth_year",
    "birth_date",
    "age",
    "asked_on",  # the date on which the age was asked
    "phone",
    "village",
    "commune",
    "group",
    "id_number",
    "address",
    "name",  # of an organisation or a household
)
OPERATORS = ("<=", ">=", "!=", "=", "<", ">")
_PLAIN_REFERENCE = re.compile(r"\s*\$\{\s*([^\s{}]+)\s*\}\s*")
# What the column `subject` of an indicator may be, where it is no expression.
LIST_NAME = re.compile(r"[^\W\d][\w.-]*")
_LANGUAGE_CODE = re.compile(r"\(([A-Za-z]{2,8}(?:-[A-Za-z0-9]+)*)\)\s*$")

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Keep:
    """The comparison of the `keep` column: only subjects whose value passes it are counted."""

    operator: str
    bound: Decimal

    def passes(self, value: Decimal) -> bool:
        match self.operator:
            case "<":
                return value < self.bound
            case "<=":
                return value <= self.bound
            case "=":
                return value == self.bound
            case "!=":
                return value != self.bound
            case ">=":
                return value >= self.bound
            case _:
                return value > self.bound

    def __str__(self) -> str:
        return f"{self.operator} {self.bound}"


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a breakdown. Its text as written (`15-35`, `36-`) is the key of its cell.

    Bounds are inclusive, and a whole upper bound holds until the next whole number, as ages do: 14.5 is in `0-14`.
    """

    text: str
    low: Decimal | None
    high: Decimal | None

    def holds(self, value: Decimal) -> bool:
        if self.low is not None and value < self.low:
            return False
        return self.high is None or value <= self.high or (_whole(self.high) and value < self.high + 1)


@dataclass(frozen=True, slots=True)
class Indicator:
    """A row of the sheet `indicators`, its expressions as written, with `${…}`.

    Labels and descriptions are by language as the workbook spells it (`English (en)`), `""` for a plain column.
    """

    name: str
    labels: Labels = field(default_factory=dict)
    descriptions: Labels = field(default_factory=dict)
    unit: str = ""
    each: str | None = None
    where: str | None = None
    subject: str | None = None
    value: str | None = None
    per_subject: str = "latest"
    keep: Keep | None = None
    aggregate: str = "count"
    numerator: str | None = None
    denominator: str | None = None
    date: str | None = None
    until: str | None = None
    place: str | None = None
    baseline: str | None = None
    by: tuple[str, ...] = ()
    minimum_cell: int | None = None
    decimals: int | None = None
    codes: tuple[str, ...] = ()

    @property
    def decimals_shown(self) -> int:
        """Decimals in texts: as written, else none for counts and percentages and one for everything else."""
        if self.decimals is not None:
            return self.decimals
        return 0 if self.unit == "%" or self.aggregate in ("count", "distinct") else 1

    @property
    def counts_subjects(self) -> bool:
        """Whether a figure goes over subjects and not over rows, so that a row without a subject has no part in it."""
        return self.subject is not None and self.aggregate not in ("count", "list", "ratio")

    @property
    def definition(self) -> str:
        """Canonical JSON of all columns that decide what the figures are; a change in it is a new version.

        Labels, descriptions, codes, and how a figure is shown are not part of it. `Sheets.definition_of` adds the
        breakdowns that `by` names.
        """
        shown = self.to_json()
        return _canonical({key: shown[key] for key in _DEFINING if key in shown})

    def common(self) -> dict[str, Any]:
        """What must agree when two workbooks feed this indicator: everything but where, value, subject, date, place."""
        shown = self.to_json()
        return {key: shown.get(key) for key in _COLUMNS if key not in _OWN_TO_A_WORKBOOK}

    def to_json(self) -> dict[str, Any]:
        """Without what is blank; Decimals and comparisons as texts."""
        found = {name: getattr(self, name) for name in _COLUMNS}
        found |= {
            "labels": dict(self.labels),
            "descriptions": dict(self.descriptions),
            "keep": str(self.keep) if self.keep else None,
            "by": list(self.by),
            "codes": list(self.codes),
        }
        return {key: value for key, value in found.items() if value not in (None, "", [], {})}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Indicator:
        given = dict(stored)
        if "keep" in given:
            operator, bound = given["keep"].split(" ", 1)
            given["keep"] = Keep(operator, Decimal(bound))
        for name in ("by", "codes"):
            given[name] = tuple(given.get(name, ()))
        return cls(**given)


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A row of the sheet `breakdowns`: an expression, and the bands that its number falls into, if any."""

    name: str
    labels: Labels = field(default_factory=dict)
    value: str = ""
    bands: tuple[Band, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "labels": dict(self.labels),
            "value": self.value,
            "bands": [[band.text, _text(band.low), _text(band.high)] for band in self.bands],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Breakdown:
        bands = tuple(Band(text, _decimal(low), _decimal(high)) for text, low, high in stored["bands"])
        return cls(stored["name"], stored["labels"], stored["value"], bands)


@dataclass(frozen=True, slots=True)
class Target:
    """A row of the sheet `targets`. `by` is breakdown → key (`sex=female`), empty for the total."""

    indicator: str
    period: str = "all"
    place: str | None = None
    by: Mapping[str, str] = field(default_factory=dict)
    baseline: Decimal | None = None
    target: Decimal | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "indicator": self.indicator,
            "period": self.period,
            "place": self.place,
            "by": dict(self.by),
            "baseline": _text(self.baseline),
            "target": _text(self.target),
            "note": self.note,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Target:
        given = dict(stored)
        return cls(**given | {key: _decimal(given[key]) for key in ("baseline", "target")})


@dataclass(frozen=True, slots=True)
class Matching:
    """A row of the sheet `matching`: what a property of a people list says about a person."""

    list_name: str
    property: str
    role: str

    def to_json(self) -> dict[str, Any]:
        return {"list_name": self.list_name, "property": self.property, "role": self.role}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Matching:
        return cls(**stored)


@dataclass(frozen=True, slots=True)
class Sheets:
    """Everything of our own in one workbook, in the order of its rows.

    `renames` is path in this version → identity. `fields` is each name that `${…}` may use here (questions, groups and
    repeats) → identity, so that an older version of the form can be read by these sheets. `identifying` is path in this
    version → whether the answer tells who somebody is, of the questions of which the workbook says so or denies it.
    `subject` is the list of which a visit is about somebody, `none` where one day may bring several visits, or blank.
    `expected` names the indicator that counts those of whom the form is expected, `none` says nobody, blank everybody.
    """

    form_id: str
    indicators: tuple[Indicator, ...] = ()
    breakdowns: tuple[Breakdown, ...] = ()
    targets: tuple[Target, ...] = ()
    matching: tuple[Matching, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    identifying: Mapping[str, bool] = field(default_factory=dict)
    subject: str = ""
    expected: str = ""

    def indicator(self, name: str) -> Indicator | None:
        return next((indicator for indicator in self.indicators if indicator.name == name), None)

    def breakdown(self, name: str) -> Breakdown | None:
        return next((breakdown for breakdown in self.breakdowns if breakdown.name == name), None)

    def definition_of(self, indicator: Indicator) -> str:
        """Canonical JSON of an indicator of this workbook together with the breakdowns that it uses."""
        used = (self.breakdown(name) for name in indicator.by)
        ways = [[way.name, way.value, [band.text for band in way.bands]] for way in used if way]
        return _canonical({"indicator": json.loads(indicator.definition), "breakdowns": ways})

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; `from_json` gives an equal value back.

        `identifying`, `subject` and `expected` are left out where nothing is said, as before there were such columns.
        """
        said: dict[str, Any] = {"identifying": dict(self.identifying)} if self.identifying else {}
        said |= {name: value for name in ("subject", "expected") if (value := getattr(self, name))}
        return said | {
            "form_id": self.form_id,
            "indicators": [row.to_json() for row in self.indicators],
            "breakdowns": [row.to_json() for row in self.breakdowns],
            "targets": [row.to_json() for row in self.targets],
            "matching": [row.to_json() for row in self.matching],
            "renames": dict(self.renames),
            "fields": dict(self.fields),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Sheets:
        return cls(
            form_id=stored["form_id"],
            indicators=tuple(Indicator.from_json(row) for row in stored["indicators"]),
            breakdowns=tuple(Breakdown.from_json(row) for row in stored["breakdowns"]),
            targets=tuple(Target.from_json(row) for row in stored["targets"]),
            matching=tuple(Matching.from_json(row) for row in stored["matching"]),
            renames=stored["renames"],
            fields=stored["fields"],
            identifying=stored.get("identifying", {}),
            subject=stored.get("subject", ""),
            expected=stored.get("expected", ""),
        )


def value_labels(form: Form, sheets: Sheets, breakdown: str) -> dict[str, dict[str, str]]:
    """What the cells of a breakdown are called: key → language → label.

    From the form's choices where the breakdown is a question with a choice list of its own, or a calculation of the
    same name as a list; a band is called by its bounds, under the language `""`; empty where the keys are free.
    """
    defined = sheets.breakdown(breakdown)
    if defined and defined.bands:
        return {band.text: {"": _band_label(band)} for band in defined.bands}
    name = plain_reference(defined.value) if defined else breakdown
    asked = field_called(form, sheets, name) if name else None
    if asked is None or asked.external:
        return {}
    called = asked.itemset or name or ""
    return {choice.value: dict(choice.labels) for choice in form.choices.get(called, {}).values()}


def field_called(form: Form, sheets: Sheets, name: str) -> Field | None:
    """The field of this version of the form that `${name}` means in these sheets, by its identity."""
    identity = sheets.fields.get(name)
    return form.by_identity.get(identity) if identity else None


def plain_reference(expression: str) -> str | None:
    """The name, if the expression is nothing but `${name}`."""
    found = _PLAIN_REFERENCE.fullmatch(expression)
    return found[1] if found else None


def language_code(language: str) -> str:
    """`en` of `English (en)`; a name without a code is its own code."""
    found = _LANGUAGE_CODE.search(language)
    return found[1].lower() if found else language


_COLUMNS = tuple(column.name for column in fields(Indicator))
_OWN_TO_A_WORKBOOK = frozenset({"where", "value", "subject", "date", "place"})
_DEFINING = (
    "name",
    "unit",
    "each",
    "where",
    "subject",
    "value",
    "per_subject",
    "keep",
    "aggregate",
    "numerator",
    "denominator",
    "date",
    "until",
    "place",
    "baseline",
    "by",
)


def _band_label(band: Band) -> str:
    if band.high is None:
        return f"{band.low}+"
    return f"≤ {band.high}" if band.low is None else f"{band.low}–{band.high}"


def _whole(number: Decimal) -> bool:
    return number == number.to_integral_value()


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
