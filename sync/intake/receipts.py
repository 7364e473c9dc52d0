"""Who sends, and what we promise about each item that was sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from forms.form import Flag
from forms.records import record
from sync.intake.attaching import Brought


@record
class Sender:
    """Who sent what is filed, and what came with it. `received_at` is of submissions that another server had first."""

    actor_id: int | None
    device: str | None
    user_agent: str | None = None
    more_to_come: bool = False
    received_at: dt.datetime | None = None


@dataclass(slots=True)
class Receipt:
    """What we promise about one item. `why` is the reason as a code, where it was not filed; `news` whether a
    duplicate brought anything.
    """

    instance_id: str | None
    outcome: str  # stored | duplicate | edited | conflict | quarantined | refused
    submission: int | None = None
    missing: list[str] = field(default_factory=list)
    flags: Sequence[Flag] = ()
    alike: Sequence[Flag] = ()  # about others, and told only once
    reason: str | None = None
    why: str | None = None
    filed_as: str | None = None  # the instance id of its version, where another content has its own
    news: Brought = Brought.NOTHING
    superseded: bool = False
    deleted: bool = False

    def to_json(self, *, again: bool = False) -> dict[str, Any]:
        """As batch-api.md §1 has it; `again` as it may be told any time."""
        flags = self.flags if again or not self.alike else [*self.flags, *self.alike]
        return {
            "instance_id": self.instance_id,
            "outcome": self.outcome,
            "submission": str(self.submission) if self.submission is not None else None,
            "missing": self.missing,
            "flags": [{"code": flag.code, "place": flag.place, "message": flag.message} for flag in flags],
            "reason": self.reason,
        }
