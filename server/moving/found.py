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
    """A form with all its versions, the oldest first. `state` is open, closing or closed."""

    form_id: str
    title: str
    state: str
    versions: Sequence[FoundVersion]


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
class FoundSubmission:
    """A submission: its chain of instances, the first one first; what was decided and said about it."""

    form_id: str
    instances: Sequence[FoundInstance]
    review_state: str | None
    comments: Sequence[str]


@dataclass(frozen=True, slots=True)
class FoundEntity:
    """A row of an entity list as it stands."""

    entity_id: str
    label: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FoundList:
    """An entity list with its rows."""

    name: str
    properties: Sequence[str]
    entities: Sequence[FoundEntity]


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

    def submission_ids(self, form_id: str) -> Iterator[str]: ...

    def submission(self, form_id: str, instance_id: str) -> FoundSubmission: ...

    def lists(self) -> Iterator[FoundList]: ...

    def users(self) -> Iterator[FoundUser]: ...
