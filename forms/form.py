"""The words for a compiled form version: its questions, choices and the rules on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lxml import etree

ENTITIES_NS = "http://www.opendatakit.org/xforms/entities"
METADATA_PRELOADS = frozenset({"timestamp", "date", "property", "uid"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a list: its value and its labels by language (`""` for a form without languages)."""

    value: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One question, note, calculation or metadata item of one form version.

    `path` is the absolute path in the instance without positions (`/data/visit/people/age`, repeats included) and
    always begins with `/data`, whatever the root element is called. `identity` is the path under which the field was
    first known: a rename or move declared in the workbook's `was` column leaves it unchanged.
    """

    path: str
    identity: str
    name: str
    # string int decimal boolean date time dateTime geopoint geotrace geoshape binary select1 select rank barcode
    type: str
    repeat: str | None  # path of the innermost repeat around it
    labels: Mapping[str, str] = field(default_factory=dict)
    calculated: bool = False
    metadata: bool = False  # start, end, today, deviceid, username, audit, everything under /data/meta
    itemset: str | None = None  # the choice list (or entity list, or CSV without its suffix) it selects from
    external: bool = False  # the itemset lives outside the form: an entity list or an attached CSV
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class EntityDeclaration:
    """An `<entity>` element of the form's model, after the ODK Entities specification (2022.1 to 2025.1)."""

    list_name: str
    path: str  # of the <entity> element, without positions
    repeat: str | None
    saves: Mapping[str, str]  # property name → absolute path of the field saved to it
    label: str | None = None  # the expression that makes the label


class Lists(Protocol):
    """Where secondary instances outside the form come from: attached CSV files and entity lists.

    Each answers lxml `<item>` elements whose children are the columns, as the XForms secondary instance would have
    them. `is_entities` tells an entity list from a file.
    """

    def find(self, list_name: str, column: str, value: str) -> Sequence[etree._Element]: ...

    def whole(self, list_name: str) -> etree._Element | None:
        """The list as `<root><item>…</item>…</root>`; None when there is no such list."""
        ...

    def is_entities(self, list_name: str) -> bool: ...


class NoLists:
    """A form that looks nothing up outside itself."""

    def find(self, list_name: str, column: str, value: str) -> Sequence[etree._Element]:
        return ()

    def whole(self, list_name: str) -> etree._Element | None:
        return None

    def is_entities(self, list_name: str) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Flag:
    """A breach found when a submission was checked again on arrival. It never loses the submission.

    `code` is one of required, constraint, relevant, choice, type, calculation (found by `forms`), double_save,
    same_day, clock, place, match, rival_file, left_out (found by `sync`). `place` is the element's path with positions
    of repeats.
    """

    code: str
    place: str
    message: str
