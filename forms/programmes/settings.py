"""project.toml: what holds for a programme as a whole."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from forms.findings import Finding
from forms.spelling import suggestion
from forms.tables import decode

# Bytes. What reads it takes four times as long for a key of twice the length.
_LONGEST = 16_000
_MOST_LABELS = 500  # of a kind
_LONGEST_LABELS = 12_000  # bytes, so that the file that they are written into is not too long
_LABELLED = frozenset({"lists", "levels"})
_LANGUAGE = re.compile(r"[a-z]{2,8}(-[A-Za-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Settings:
    """project.toml. `fiscal_year_start` is a month (1 to 12); `counts` is `received` or `approved`. `labels` are what
    people call `lists` and `levels` of places: name → language → label."""

    name: str
    time_zone: str = "UTC"
    languages: tuple[str, ...] = ("en",)
    fiscal_year_start: int = 1
    counts: str = "received"
    labels: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)


def read_settings(data: bytes | None, findings: list[Finding]) -> Settings | None:
    """None where something is missing or wrong; what it is goes to the findings."""
    place = "project.toml"
    if data is None:
        findings.append(Finding("The file is missing.", "It gives at least the programme's name.", place))
        return None
    if len(data) > _LONGEST:
        findings.append(Finding("The file is far too long.", "It holds a few lines only.", place))
        return None
    text = decode(data)
    try:
        given = tomllib.loads(text.replace("\r\n", "\n")) if text is not None else None
    except (ValueError, RecursionError) as error:  # A number of 5,000 digits is no TOMLDecodeError.
        findings.append(Finding(f"The file is not TOML: {error}.", 'Lines read like name = "Mali".', place))
        return None
    if given is None:
        findings.append(Finding("The file is not in UTF-8.", "Save it as UTF-8.", place))
        return None
    faults = [
        Finding(f"‘{key}’ is not a setting.", suggestion(key, _SETTINGS), place)
        for key in given
        if key not in _SETTINGS
    ]
    faults += [
        Finding(f"{key}: {_shown(given[key])} will not do.", remedy, place)
        for key, (good, remedy) in _SETTINGS.items()
        if key in given and not good(given[key])
    ]
    if "name" not in given:
        faults.append(Finding("The programme has no name.", 'Write a line like name = "Mali".', place))
    findings += faults
    if faults:
        return None
    if "languages" in given:
        given["languages"] = tuple(given["languages"])
    return Settings(**given)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable() and len(value) <= 200


def _is_time_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and ("/" in value or value == "UTC") and bool(ZoneInfo(value))
    except (OSError, ValueError, LookupError):
        return False


def _are_languages(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(code, str) and _LANGUAGE.fullmatch(code) for code in value)
        and len(set(value)) == len(value)
    )


def are_labels(value: Any) -> bool:
    """Whether it is what `Settings.labels` may be."""
    if not isinstance(value, dict) or value.keys() - _LABELLED:
        return False
    if any(not isinstance(some, dict) or len(some) > _MOST_LABELS for some in value.values()):
        return False
    named = [pair for some in value.values() for pair in some.items()]
    fit = all(
        _is_name(name)
        and isinstance(said, dict)
        and all(_LANGUAGE.fullmatch(code) and _is_name(label) for code, label in said.items())
        for name, said in named
    )
    return fit and len(json.dumps(value, ensure_ascii=False).encode()) <= _LONGEST_LABELS


def _is_month(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 12


_SETTINGS = {
    "name": (_is_name, "It is a text on one line."),
    "time_zone": (_is_time_zone, 'Write it like "Africa/Bamako".'),
    "languages": (_are_languages, 'List codes, the main one first: ["fr", "en"].'),
    "fiscal_year_start": (_is_month, "Give the month as a number from 1 to 12."),
    "labels": (
        are_labels,
        'Write lines like people = { fr = "Personnes", en = "People" } under [labels.lists] or [labels.levels]; '
        "names and labels have 200 characters at most, all together 12,000.",
    ),
    "counts": (lambda value: value in ("received", "approved"), 'It is "received" or "approved".'),
}


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
