"""Where the words that were looked for stand: in which answers of a submission, and in the names of which lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from forms.xforms.xform import Form
from server.db import session
from server.language.words import words
from server.pages.submissions.answers import label_of, said_of
from sync.errors import Refusal
from sync.models import CURRENT, EntityList, Submission, SubmissionVersion
from sync.projects.catalogue import Catalogue, Unpublished
from sync.review.people import people
from sync.review.queue import Waiting, words_of

_MOST = 4  # answers beside one submission
_BEFORE, _AFTER = 40, 120  # characters shown around the first word

# A text in pieces, each with whether it is one of the words.
Marked = Sequence[tuple[str, bool]]
# Which turn of each repeat on the way.
Turns = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """An answer in which words stand, with its question; `turn` is that of the repeats in which it was given."""

    turn: str
    label: str
    said: Marked


def standing_in(pid: int, items: Sequence[Waiting], sought: str) -> dict[int, tuple[Sequence[Standing], int]]:
    """By submission: the answers in which words stand, those first whose turn of a repeat holds most of them, and how
    many more there are: none where its name or that of a question matches alone."""
    rows = session().execute(
        select(Submission.id, SubmissionVersion.form_id, SubmissionVersion.form_version, SubmissionVersion.answers)
        .join(SubmissionVersion, CURRENT)
        .where(Submission.project_id == pid, Submission.id.in_([one.id for one in items]))
    )
    catalogue = Catalogue(session(), pid)
    found = {}
    for id_, form_id, form_version, answers in rows:
        known = catalogue.published(form_id, form_version)
        if answers and not isinstance(known, Unpublished):
            found[id_] = _standing(known.form, answers, words_of(sought))
    return found


def marked(text: str, sought: str) -> Marked:
    """The text with the words marked."""
    return _pieces(text, _pattern(words_of(sought)))


def lists_naming(pid: int, sought: str) -> list[str]:
    """The lists of people in which somebody is called so."""
    compared = select(EntityList).where(EntityList.project_id == pid).order_by(EntityList.name)
    return [one.name for one in session().scalars(compared) if one.matching and _names(pid, one.name, sought)]


def _names(pid: int, name: str, sought: str) -> bool:
    try:
        return bool(people(session(), pid, name, sought, limit=1).items)
    except Refusal:
        return False


def _standing(form: Form, answers: Mapping[str, Any], several: Sequence[str]) -> tuple[Sequence[Standing], int]:
    pattern, language = _pattern(several), words().language
    found = [
        (path, turns, value, {word.casefold() for word in stand})
        for path, turns, value in _leaves(answers, "/data", ())
        if (stand := pattern.findall(value))
    ]
    together: dict[Turns | str, set[str]] = {}
    for path, turns, _, hits in found:
        together.setdefault(turns or path, set()).update(hits)
    found.sort(key=lambda one: -len(together[one[1] or one[0]]))
    first = [
        Standing(
            " – ".join(f"{label_of(form, repeat, language)} {number}" for repeat, number in turns),
            label_of(form, path, language),
            _cut(said_of(form, path, value, language), pattern),
        )
        for path, turns, value, _ in found[:_MOST]
    ]
    return first, len(found) - len(first)


def _leaves(answers: Mapping[str, Any], path: str, turns: Turns) -> Iterator[tuple[str, Turns, str]]:
    """Path, turns and value of each answer; what the form made besides is none."""
    for name, value in answers.items():
        if value is None or name == "meta":
            continue
        below = f"{path}/{name}"
        if isinstance(value, dict):
            yield from _leaves(value, below, turns)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for number, one in enumerate(value, 1):
                yield from _leaves(one, below, (*turns, (below, number)))
        else:  # several choices, or the numbers of a point, as they were sent
            yield below, turns, " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _pattern(several: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(several, key=len, reverse=True))) or r"(?!)", re.IGNORECASE)


def _cut(said: str, pattern: re.Pattern[str]) -> Marked:
    first = pattern.search(said)
    at = max(0, first.start() - _BEFORE) if first else 0
    end = at + _BEFORE + _AFTER
    return _pieces(f"{'…' if at else ''}{said[at:end]}{'…' if end < len(said) else ''}", pattern)


def _pieces(text: str, pattern: re.Pattern[str]) -> Marked:
    parts = re.split(f"({pattern.pattern})", text, flags=re.IGNORECASE)
    return [(part, bool(at % 2)) for at, part in enumerate(parts) if part]
