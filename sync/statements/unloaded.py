"""Wordings of statements that come in a programme folder, read over before the project has the folder's indicators."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from forms.findings import Finding
from forms.indicators.sheets import Sheets
from forms.programmes.programme import Settings, broken_down
from forms.spelling import did_you_mean
from sync.errors import Unexpected
from sync.indicators.moments import AsOf
from sync.indicators.periods import read_period
from sync.indicators.reading import Reading
from sync.journal import When, moment_of
from sync.projects.catalogue import latest_sheets, projects_called
from sync.statements.marks import Page, clean
from sync.statements.statements import VARIABLES
from sync.statements.templates import check_source

_WORD = re.compile(r"\w+")


def read_over(
    session: Session,
    project_id: int | None,
    now: When,
    statements: Mapping[tuple[str, str], str],
    settings: Settings | None,
    sheets: Sequence[Sheets] | None,
) -> list[Finding]:
    """What is wrong whatever there is to be counted: the language of the texts, and figures and breakdowns that neither
    the folder's `sheets` have nor the other forms of the project, which is the one that its settings name where it has
    no number. None where it is not known which sheets there will be."""
    indicators = _indicators(session, project_id, settings, sheets)
    nothing = Reading(session, 0, AsOf(0, moment_of(now)))
    found: list[Finding] = []
    for (name, language), source in sorted(statements.items()):
        text = clean(source)
        environment = Page(nothing, language, "all", None, sees_small_cells=True).environment()
        known = [*indicators, *VARIABLES] if indicators is not None else _WORD.findall(text)
        place = f"statements/{name}.{language}.md"
        found += check_source(environment, text, known, lambda *call: _faults_of(indicators, *call), place)
    return found


def _indicators(
    session: Session, project_id: int | None, settings: Settings | None, sheets: Sequence[Sheets] | None
) -> Mapping[str, Collection[str] | None] | None:
    """Name → what breaks it down, if that is known; None where it cannot be told which there will be."""
    projects = [project_id] if project_id is not None else projects_called(session, settings.name) if settings else None
    if projects is None or sheets is None:
        return None
    there = {form_id: one for number in projects for form_id, one in latest_sheets(session, number).items()}
    return broken_down({**there, **{one.form_id: one for one in sheets}}.values())


def _faults_of(
    indicators: Mapping[str, Collection[str] | None] | None, name: str, asked: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    ways = (indicators or {}).get(name)
    for key, value in asked.items():
        if key == "period" and isinstance(value, str):
            try:
                read_period(value, 1)
            except Unexpected as refusal:
                yield from ((finding.fault, finding.remedy) for finding in refusal.findings)
        elif key not in ("period", "place") and ways is not None and key not in ways:
            yield f"‘{name}’ is not broken down by ‘{key}’.", did_you_mean(key, [*ways, "period", "place"])
