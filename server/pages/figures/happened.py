"""What happened to a figure between two moments: visits, decisions about people, changed definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from flask import url_for
from flask_babel import lazy_gettext

from server import current
from server.db import session
from server.pages.people.people_words import PEOPLE, kind_of
from server.pages.said import EVENTS
from server.queries.submissions import (
    Decided,
    forms_and_places,
    labels_of_entities,
    pairs_decided,
    titles_of_forms,
    who_did,
)
from sync.dedup.pairs import DIFFERENT, OPEN, SAME
from sync.entities.reach import tree_of
from sync.indicators.changes import Became, Changes
from sync.review.matches import compared_lists

MOST_PEOPLE = 8  # of one event
# Of two records about which nobody has decided.
_PROBABLY = {
    "one": lazy_gettext("“%(one)s” and “%(other)s” are probably one."),
    "two": lazy_gettext("“%(one)s” and “%(other)s” are probably two."),
}
_AGAIN = {
    "one": lazy_gettext("“%(one)s” and “%(other)s” count as one again."),
    "two": lazy_gettext("“%(one)s” and “%(other)s” count as two again."),
}
_UNDONE = lazy_gettext("“%(one)s” and “%(other)s”: the decision was undone, and the pair is open again.")


def happened(
    pid: int, told: Changes, first: int = 0, most: int = MOST_PEOPLE
) -> list[tuple[str, list[dict[str, Any]]]]:
    """What happened, by cause, each with its form and place if it was about a submission, with the pair or the number
    of pairs if it was a decision about people, else with what it was; also of whom it made one or two, and who did it.

    Of each event at most so many people are named, from the first on, and `others` follow them.
    """
    about = forms_and_places(session(), pid, [int(one["submission"]) for one in told.events if one["submission"]])
    titles, tree = titles_of_forms(session(), pid), tree_of(session(), pid)
    others = [one["event"] for one in told.events if one["submission"] is None]
    decided, names = pairs_decided(session(), pid, others), who_did(session(), pid, others)
    decides = current.has_right("people.decide")
    people = _People(pid, told, decided, first, most) if decides else None
    by_cause: dict[str, list[dict[str, Any]]] = {}
    for one in told.events:
        event = one["event"]
        form, place = about.get(int(one["submission"] or 0), ("", None))
        decision = decided.get(event)
        pair = decision.match if decision is not None else None
        more = {
            "form": titles.get(form, form),
            "place": tree.names_of([place]).get(place, place),
            "pair": url_for("match_pages.pair", pid=pid, number=pair) if pair and decides else None,
            "pairs": decision.pairs if decision is not None else 0,
            "decided": people.decided(event) if people else None,
            "people": people.of(event) if people else [],
            "others": people.others(event) if people else 0,
            "effect": told.effects.get(event),
            "by": names.get(event),
            "what": EVENTS.get(one["kind"]) if one["submission"] is None else None,
        }
        by_cause.setdefault(one["cause"], []).append(one | more)
    return [(cause.cause, by_cause[cause.cause]) for cause in told.causes if cause.cause in by_cause]


class _People:
    """Who turned out to be whom, in sentences: what was decided, and by event what else came of it."""

    def __init__(self, pid: int, told: Changes, decided: Mapping[int, Decided], first: int, most: int) -> None:
        self._pid, self._decided, self._first, self._most = pid, decided, first, most
        self._became = {
            event: [one for one in those if not _is_decided(one, decided.get(event))]
            for event, those in told.people.items()
        }
        named = {key for one in chain.from_iterable(map(self._shown, told.people)) for key in one[1:3]}
        ends = {key for one in decided.values() if one.ends for key in one.ends}
        self._labels = labels_of_entities(session(), pid, named | ends)
        self._kinds = {known.name: kind_of(known) for known in compared_lists(session(), pid)}

    def decided(self, event: int) -> str | None:
        """What was decided about the pair, if it was one and is still there."""
        decision = self._decided.get(event)
        if decision is None or decision.ends is None:
            return None
        words = self._kinds.get(decision.list_name, PEOPLE)
        said = {SAME: words["one"], DIFFERENT: words["two"], OPEN: _UNDONE}[decision.decision]
        return self._sentence(said, *decision.ends)

    def of(self, event: int) -> list[tuple[str, str | None]]:
        """Who else became whom, and the page of that person, if there is one."""
        return [self._said(one, self._decided.get(event)) for one in self._shown(event)]

    def others(self, event: int) -> int:
        """How many more follow those that are named."""
        return max(0, len(self._became.get(event, ())) - self._first - self._most)

    def _shown(self, event: int) -> Sequence[Became]:
        return self._became.get(event, [])[self._first : self._first + self._most]

    def _said(self, one: Became, decision: Decided | None) -> tuple[str, str | None]:
        words: Mapping[str, Any] = _PROBABLY
        if decision is not None and decision.decision == OPEN:
            words = _AGAIN
        elif decision is not None and decision.decision == SAME and one.joined:
            words = self._kinds.get(one.list_name, PEOPLE)
        sentence = self._sentence(words["one" if one.joined else "two"], one.entity_id, one.person_id)
        if one.list_name not in self._kinds:  # it was deleted since, and its records with it
            return sentence, None
        return sentence, url_for("people_pages.person", pid=self._pid, name=one.list_name, uuid=one.entity_id)

    def _sentence(self, words: Any, one: str, other: str) -> str:
        return str(words) % {"one": self._labels.get(one, one), "other": self._labels.get(other, other)}


def _is_decided(one: Became, decision: Decided | None) -> bool:
    """Whether it says no more than the decision itself."""
    if decision is None or decision.ends is None or decision.decision == OPEN:
        return False
    return {one.entity_id, one.person_id} == set(decision.ends) and one.joined == (decision.decision == SAME)
