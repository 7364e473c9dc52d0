"""The causes that a reader of figures is told: a short list, whatever finer kinds of events the journal knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.review.counting import APPROVED

# The order in which the effects of what happened side by side are told apart.
CAUSES = ("submitted", "edited", "rejected", "restored", "merged", "unmerged", "definition")
_ALIKE = {"deleted": "rejected"}


def cause_of(kind: str, details: Mapping[str, Any] | None) -> str:
    """One of `CAUSES` for an event that opened or closed a contribution.

    Where approved submissions alone count, an approval brings one in as if it were restored, and any other decision
    takes it out as if it were rejected. What has to do with no single submission is a matter of definitions.
    """
    if kind == "reviewed":
        return "restored" if (details or {}).get("to") == APPROVED else "rejected"
    cause = _ALIKE.get(kind, kind)
    return cause if cause in CAUSES else "definition"
