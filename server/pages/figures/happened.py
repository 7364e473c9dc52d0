"""What happened to a figure between two moments: visits, decisions about people, changed definitions."""

from __future__ import annotations

from collections.abc import Container
from itertools import chain
from typing import Any

from flask import url_for
from flask_babel import lazy_gettext

from server import current
from server.db import session
from server.pages.people.people_words import PEOPLE, kind_of
from server.pages.said import EVENTS
from server.queries.submissions import (
    forms_and_places,
    labels_of_entities,
    pairs_decided,
    titles_of_forms,
    who_did,
)
from sync.entities.reach import tree_of
from sync.indicators.changes import Became, Changes
from sync.review.matches import compared_lists

_MOST_PEOPLE = 8  # of one event
# Of two records about which nobody has decided.
_PROBABLY = {
    "one": lazy_gettext("“%(one)s” and “%(other)s” are probably one."),
    "two": lazy_gettext("“%(one)s” and “%(other)s” are probably two."),
}


def happened(pid: int, told: Changes) -> list[tuple[str, list[dict[str, Any]]]]:
    """What happened, by cause, each with its form and place if it was about a submission, with the pair or the number
    of pairs if it was a decision about people, else with what it was; also of whom it made one or two, and who did it.
    """
    about = forms_and_places(session(), pid, [int(one["submission"]) for one in told.events if one["submission"]])
    titles, tree = titles_of_forms(session(), pid), tree_of(session(), pid)
    others = [one["event"] for one in told.events if one["submission"] is None]
    decided, names = pairs_decided(session(), pid, others), who_did(session(), pid, others)
    decides = current.has_right("people.decide")
    people = _people(pid, told, decided.keys()) if decides else {}
    by_cause: dict[str, list[dict[str, Any]]] = {}
    for one in told.events:
        event = one["event"]
        form, place = about.get(int(one["submission"] or 0), ("", None))
        pair, pairs = decided.get(event, (None, 0))
        more = {
            "form": titles.get(form, form),
            "place": tree.names_of([place]).get(place, place),
            "pair": url_for("match_pages.pair", pid=pid, number=pair) if pair and decides else None,
            "pairs": pairs,
            "people": people.get(event, []),
            "others": max(0, len(told.people.get(event, ())) - _MOST_PEOPLE),
            "effect": told.effects.get(event),
            "by": names.get(event),
            "what": EVENTS.get(one["kind"]) if one["submission"] is None else None,
        }
        by_cause.setdefault(one["cause"], []).append(one | more)
    return [(cause.cause, by_cause[cause.cause]) for cause in told.causes if cause.cause in by_cause]


def _people(pid: int, told: Changes, decided: Container[int]) -> dict[int, list[tuple[str, str | None]]]:
    """By event, who turned out to be whom, in a sentence, and the page of that person, if there is one; the first of
    many."""
    shown = {event: those[:_MOST_PEOPLE] for event, those in told.people.items()}
    known = list(chain.from_iterable(shown.values()))
    labels = labels_of_entities(session(), pid, {key for one in known for key in (one.entity_id, one.person_id)})
    kinds = {known.name: kind_of(known) for known in compared_lists(session(), pid)}

    def said(event: int, one: Became) -> tuple[str, str | None]:
        words = kinds.get(one.list_name, PEOPLE) if event in decided else _PROBABLY
        ends = {"one": labels.get(one.entity_id, one.entity_id), "other": labels.get(one.person_id, one.person_id)}
        sentence = str(words["one" if one.joined else "two"]) % ends
        if one.list_name not in kinds:  # it was deleted since, and its records with it
            return sentence, None
        return sentence, url_for("people_pages.person", pid=pid, name=one.list_name, uuid=one.entity_id)

    return {event: [said(event, one) for one in those] for event, those in shown.items()}
