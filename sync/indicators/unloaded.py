"""Wordings of statements that come in a programme folder, read over before the project has the folder's indicators."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from forms.findings import Finding
from forms.spelling import did_you_mean
from sync.errors import Unexpected
from sync.indicators.marks import Page, clean
from sync.indicators.periods import read_period
from sync.indicators.reading import AsOf, Reading
from sync.indicators.statements import VARIABLES
from sync.indicators.templates import check_source
from sync.journal import When, moment_of

_WORD = re.compile(r"\w+")


def read_over(
    session: Session,
    now: When,
    statements: Mapping[tuple[str, str], str],
    indicators: Mapping[str, Collection[str] | None] | None,
) -> list[Finding]:
    """What is wrong whatever there is to be counted: the language of the texts, and figures and breakdowns that
    `indicators` (name → what breaks it down, if that is known) has not. None where it is not known which there will
    be."""
    nothing = Reading(session, 0, AsOf(0, moment_of(now)))
    found: list[Finding] = []
    for (name, language), source in sorted(statements.items()):
        text = clean(source)
        environment = Page(nothing, language, "all", None, sees_small_cells=True).environment()
        known = [*indicators, *VARIABLES] if indicators is not None else _WORD.findall(text)
        place = f"statements/{name}.{language}.md"
        found += check_source(environment, text, known, lambda *call: _faults_of(indicators, *call), place)
    return found


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
