"""What another server holds, in plain values, whichever interface it was read over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FoundVersion:
    """A version of a form. `workbook` is the spreadsheet that it was made from, where the server still has it."""

    form_id: str
    version: str
    xform: bytes
    workbook: bytes | None
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class FoundForm:
    """A form with its versions, the oldest first. `state` is open, closing or closed.

    Where the other server hands out no older versions, the `last_alone` has to stand for them.
    """

    form_id: str
    title: str
    state: str
    versions: Sequence[FoundVersion]
    last_alone: bool = False


@dataclass(frozen=True, slots=True)
class FoundId:
    """A submission by its first instance, and the one that counts now."""

    first: str
    current: str


@dataclass(frozen=True, slots=True)
class FoundInstance:
    """One instance as it was sent there, and its files that are there."""

    instance_id: str
    xml: bytes
    files: Mapping[str, bytes]
    sent_at: dt.datetime | None
    sender: str | None
    device: str | None


@dataclass(frozen=True, slots=True)
class FoundComment:
    """What somebody said about a submission."""

    body: str
    by: str | None
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class FoundSubmission:
    """A submission: its chain of instances, the first one first; what was decided and said about it, in that order."""

    form_id: str
    instances: Sequence[FoundInstance]
    review_state: str | None
    comments: Sequence[FoundComment]


@dataclass(frozen=True, slots=True)
class FoundEntity:
    """A row of an entity list as it stands, and when that was last changed."""

    entity_id: str
    label: str
    data: Mapping[str, str]
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class FoundList:
    """An entity list with its rows; of those that were deleted, the id and when."""

    name: str
    properties: Sequence[str]
    entities: Sequence[FoundEntity]
    deleted: Mapping[str, dt.datetime]


@dataclass(frozen=True, slots=True)
class FoundRules:
    """What an entity list asks of submissions, and whom it gives its rows. `filtered` is a rule about devices there."""

    name: str
    approval_required: bool
    owner_only: bool
    filtered: bool


@dataclass(frozen=True, slots=True)
class FoundUser:
    """Somebody with an account there, and the role in this project: administrator, coordinator, viewer, collector."""

    email: str
    name: str
    role: str


class Elsewhere(Protocol):
    """Another server's project. Each is read when it is asked for, one thing at a time."""

    def name(self) -> str: ...

    def forms(self) -> Iterator[FoundForm]: ...

    def submission_ids(self, form_id: str) -> Iterator[FoundId]: ...

    def submission(self, form_id: str, instance_id: str) -> FoundSubmission: ...

    def rules(self) -> Iterator[FoundRules]: ...

    def lists(self) -> Iterator[FoundList]: ...

    def users(self) -> Iterator[FoundUser]: ...
