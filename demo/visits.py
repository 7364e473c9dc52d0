"""The words of the simulated year: a visit as a tablet holds it, and the year as a whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from demo.doubles import Doubles

Answers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a visit, under the name by which its answers call it."""

    name: str
    content: bytes
    type: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One filled form as a tablet holds it. `tablet` counts from 0; `recorded_at` is when it happened, in UTC.

    `instance_id` and `edits` come with `uuid:`. `answers` are as the batch protocol takes them; where `xml` is given,
    it is sent in their stead (a record that went bad on the tablet).
    """

    tablet: int
    form: str
    version: str
    instance_id: str
    answers: Mapping[str, Any]
    recorded_at: dt.datetime
    edits: str | None = None
    attachments: tuple[Attachment, ...] = ()
    xml: str | None = None


@dataclass(frozen=True, slots=True)
class Year:
    """All visits in the order in which they were made, and what is true of the people visited.

    `truth` is figure → value, `people_trained.sex=female` for a cell; `milestones` are the events' codes. `naive` is
    what a plain count or sum over all rows would say of the same figures. `troubles` names what goes wrong on the way
    (`double_save`, `edit`, `conflict`, `same_id`, `unreadable`, `old_version`), each → the instance ids concerned.
    `doubles` says who was registered twice.
    """

    visits: tuple[Visit, ...]
    truth: Mapping[str, Decimal | tuple[str, ...]]
    naive: Mapping[str, Decimal]
    troubles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    doubles: Doubles = field(default_factory=Doubles)
