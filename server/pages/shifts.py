"""What a change does to figures, in the visitor's words."""

from __future__ import annotations

from collections.abc import Iterable

from server.language.words import words
from sync.review.shifts import Shift


def said_shifts(shifts: Iterable[Shift]) -> list[dict[str, str]]:
    """Each figure that moves, before and after, as `pieces.shifts` shows it."""
    return [
        {
            "label": one.after.definition.label(words().language),
            "before": words().figure(one.before),
            "after": words().figure(one.after),
        }
        for one in shifts
    ]
