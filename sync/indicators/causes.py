"""The causes that a reader of figures is told: a short list, whatever finer kinds of events the journal knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.dedup.pairs import OPEN
from sync.review.counting import APPROVED

# The order in which the effects of what happened side by side are told apart.
CAUSES = (
    *("submitted", "edited", "rejected", "restored", "merged", "unmerged"),
    *("rejoined", "parted", "trained", "definition"),
)
_TOLD_AS = {"rejoined": "merged", "parted": "unmerged", "trained": "definition"}
_ALIKE = {"deleted": "rejected"}


def cause_of(kind: str, details: Mapping[str, Any] | None) -> str:
    """One of `CAUSES` for an event that opened or closed a contribution.

    Where approved submissions alone count, an approval brings one in as if it were restored, and any other decision
    takes it out as if it were rejected. A decision about a pair that was taken back is `rejoined` if it had been that
    they are different, `parted` if it had been that they are the same. What has to do with no single submission is a
    matter of definitions.
    """
    said = details or {}
    if kind == "reviewed":
        return "restored" if said.get("to") == APPROVED else "rejected"
    if kind in ("merged", "unmerged") and said.get("decision") == OPEN:
        return "rejoined" if kind == "merged" else "parted"
    cause = _ALIKE.get(kind, kind)
    return cause if cause in CAUSES else "definition"


def told_as(cause: str) -> str:
    """The cause as other programs are told it: their list is shorter (batch-api.md §4)."""
    return _TOLD_AS.get(cause, cause)
