"""Two fillings of a form side by side, question by question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forms.xforms.instance import Instance
from server.db import session
from server.language.words import words
from server.pages.submissions.answers import Line
from server.pages.submissions.submission_seen import answers_said
from sync.entities.reach import tree_of
from sync.projects.catalogue import Unpublished, published


@dataclass(frozen=True, slots=True)
class Both:
    """A question, with the answers of both; empty where one has none."""

    label: str
    one: str
    other: str


def answers_of_both(pid: int, one: Instance, other: Instance) -> list[Both] | None:
    """What differs first, each in the order of the form; None where the answers of one cannot be shown."""
    told = [_told(pid, instance) for instance in (one, other)]
    if told[0] is None or told[1] is None:
        return None
    mine, others = told[0], told[1]
    labels = {place: label for several in (others, mine) for place, (label, _value) in several.items()}
    places = [*mine, *(place for place in others if place not in mine)]
    found = [Both(labels[place], mine.get(place, ("", ""))[1], others.get(place, ("", ""))[1]) for place in places]
    return sorted(found, key=lambda both: both.one == both.other)


def _told(pid: int, instance: Instance) -> Mapping[str, tuple[str, str]] | None:
    found = published(session(), pid, instance.form_id, instance.version)
    form = None if isinstance(found, Unpublished) else found.form
    lines = answers_said(pid, instance, form, tree_of(session(), pid), words().language)
    if lines is None:
        return None
    told: dict[str, tuple[str, str]] = {}
    around: list[Line] = []  # the turns of repeats in which a question stands
    for line in lines:
        around = [turn for turn in around if turn.depth < line.depth]
        if line.heading:
            around.append(line)
        else:
            label = " › ".join([*(turn.label for turn in around), line.label])
            told[line.place] = label, line.value
    return told
