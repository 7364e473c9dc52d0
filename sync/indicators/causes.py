"""The causes that a reader of figures is told: a short list, whatever finer kinds of events the journal knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.dedup.pairs import OPEN
from sync.review.counting import APPROVED

# The order in which the effects of what happened side by side are told apart.
CAUSES = ("submitted", "edited", "rejected", "restored", "merged", "unmerged", "undone", "trained", "definition")
_ALIKE = {"deleted": "rejected"}


def cause_of(kind: str, details: Mapping[str, Any] | None) -> str:
    """One of `CAUSES` for an event that opened or closed a contribution.

    Where approved submissions alone count, an approval brings one in as if it were restored, and any other decision
    takes it out as if it were rejected. A decision about a pair that was taken back is `undone`, whichever way it had
    gone. What has to do with no single submission is a matter of definitions.
    """
    said = details or {}
    if kind == "reviewed":
        return "restored" if said.get("to") == APPROVED else "rejected"
    if kind in ("merged", "unmerged") and said.get("decision") == OPEN:
        return "undone"
    cause = _ALIKE.get(kind, kind)
    return cause if cause in CAUSES else "definition"
