"""On how many pairs that nobody has decided a figure hangs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sync.indicators.definitions import Definition
from sync.indicators.figures import Figure
from sync.indicators.persons import FEWEST, MOST, named_lists
from sync.indicators.reading import Reading
from sync.models import Match
from sync.models.probing import rows_of_keys

_OPEN = "open"
_LEAST = 0.05  # the probability from which an open pair is one person in the low bound


def pairs_behind(reading: Reading, figure: Figure) -> int | None:
    """The open pairs of which both have a part in the figure, and that are one person in its low bound and two in its
    high one. None where that is not known: of a figure without a range, and of one as it was in the past, because the
    journal keeps what was decided and not what was open.
    """
    if figure.hidden or figure.low == figure.high or not reading.is_current:
        return None
    pairs: set[int] = set()
    for definition in _counted(reading, figure.definition):
        subjects = reading.subjects(definition, figure.period, figure.place, figure.by)
        pairs |= _open_among(reading, definition, subjects)
    return len(pairs)


def _counted(reading: Reading, definition: Definition) -> Iterable[Definition]:
    if definition.aggregate != "ratio":
        return [definition] if definition.has_subject else []
    return [one for part in reading.parts(definition) for one in _counted(reading, part)]


def _open_among(reading: Reading, definition: Definition, subjects: set[str]) -> set[int]:
    persons = reading.persons(definition)
    fewest, most = persons.by[FEWEST], persons.by[MOST]
    doubtful = _doubtful(subjects & persons.unsure, fewest, most)
    lists = named_lists(reading.session, reading.project_id, definition.subject_lists)
    rows = rows_of_keys(
        reading.session.connection(),
        [Match.id, Match.a, Match.b],
        [Match.list_name, Match.a],
        [(name, subject) for name in lists for subject in sorted(doubtful)],
        (Match.project_id, reading.project_id),
        Match.state == _OPEN,
        Match.probability >= _LEAST,
    )
    return {
        match_id
        for match_id, a, b in rows
        if b in doubtful and fewest.get(a, a) == fewest.get(b, b) and most.get(a, a) != most.get(b, b)
    }


def _doubtful(subjects: set[str], fewest: Mapping[str, str], most: Mapping[str, str]) -> set[str]:
    """Those of the subjects who are one with another of them in the low bound, and not in the high one."""
    together: dict[str, set[str]] = defaultdict(set)
    for subject in subjects:
        together[fewest.get(subject, subject)].add(subject)
    return {
        subject
        for those in together.values()
        if len({most.get(subject, subject) for subject in those}) > 1
        for subject in those
    }
