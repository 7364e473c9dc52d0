"""What another server holds, in plain values, whichever interface it was read over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FoundVersion:
    """A version of a form. `workbook` is the spreadsheet that it was made from, where the server still has it; one that
    is asked for rows has nothing else."""

    form_id: str
    version: str
    xform: bytes | None
    workbook: bytes | None
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class FoundForm:
    """A form with its versions, the oldest first. `state` is open, closing or closed.

    With `last_alone` the older versions are not among them: they are asked for once something turns out to have been
    filled in with one, and where the other server has it no more, the last has to stand for it.
    """

    form_id: str
    title: str
    state: str
    versions: Sequence[FoundVersion]
    last_alone: bool = False


@dataclass(frozen=True, slots=True)
class FoundId:
    """A submission as the other server names it, most by its first instance, and the instance that counts now."""

    first: str
    current: str


@dataclass(frozen=True, slots=True)
class FoundInstance:
    """One instance as it was sent there, and its files; the names of those that are `lacking`, though they are listed.

    Where earlier states of a submission are not handed out, `root` is the id that the first of them had.
    """

    instance_id: str
    xml: bytes
    files: Mapping[str, bytes]
    sent_at: dt.datetime | None
    sender: str | None
    device: str | None
    root: str | None = None
    lacking: Sequence[str] = ()


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
    """Somebody with an account there, and the role in this project: administrator, coordinator, viewer, collector. Some
    servers do not tell the address."""

    email: str | None
    name: str
    role: str


class Elsewhere(Protocol):
    """Another server's project. Each is read when it is asked for, one thing at a time."""

    def name(self) -> str: ...

    def forms(self) -> Iterator[FoundForm]: ...

    def submission_ids(self, form_id: str) -> Iterator[FoundId]: ...

    def submission(self, form_id: str, instance_id: str) -> FoundSubmission: ...

    def workbook_of(self, form_id: str, xml: bytes, version: str) -> bytes | None:
        """What this instance was filled in with, under the version that it names; None if that is not to be had."""

    def rules(self) -> Iterator[FoundRules]: ...

    def lists(self) -> Iterator[FoundList]: ...

    def users(self) -> Iterator[FoundUser]: ...
