"""Where an expression is evaluated, and what it needs of the form, the record and the lists around it."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lxml import etree

from forms.form import Field, Lists
from forms.xpath.dates import days_of, write_moment
from forms.xpath.shape import Shape


@dataclass(slots=True)
class Context:
    """Where an expression is evaluated. `node` is the element that `.` means, `root` the instance's root element.

    For a rule on an attribute `node` is the element that has it. `scope` has the texts around the node where a walk
    gathered them and found each question once; everyday rules then need not look at the elements. `seed` is what
    random(), uuid() and randomize() are drawn from: the same seed gives the same values. A context belongs to one
    thread.
    """

    root: etree._Element
    node: etree._Element
    lists: Lists
    form: FormAround | None
    now: dt.datetime
    tz: dt.tzinfo
    seed: str = ""
    language: str | None = None  # of jr:choice-name and jr:itext; the form's default language if None
    draws: int = 0
    values: dict[str, str | float] = field(default_factory=dict)  # of today() and now(), reckoned once
    scope: TextsAround | None = None

    def find(self, name: str, column: str, value: str) -> Sequence[etree._Element]:
        """Items of a list of the form's own, else of one outside it, whose column holds the value."""
        if self.form is None:
            return self.lists.find(name, column, value)
        inside = self.form.secondary.get(name)
        if inside is not None:
            return inside.find(column, value)
        return self.lists.find(self.form.shape.outside.get(name, name), column, value)

    def whole(self, name: str) -> etree._Element | None:
        if self.form is None:
            return self.lists.whole(name)
        inside = self.form.secondary.get(name)
        if inside is not None:
            return inside.root
        return self.lists.whole(self.form.shape.outside.get(name, name))

    def variable(self, name: str) -> object:
        if name == "root":
            return self.root
        if name == "current":
            return self.node
        value = self.values.get(name)
        if value is None:
            value = self.values[name] = self._reckoned(name)
        return value

    @property
    def today(self) -> dt.date:
        return self.now.astimezone(self.tz).date()

    def _reckoned(self, name: str) -> str | float:
        if name == "now":
            return write_moment(self.now.astimezone(self.tz))
        return self.today.isoformat() if name == "today" else float(days_of(self.today))


class FormAround(Protocol):
    """The form that an expression is in."""

    @property
    def version(self) -> str: ...

    @property
    def fields(self) -> Mapping[str, Field]: ...

    @property
    def shape(self) -> Shape: ...

    @property
    def secondary(self) -> Mapping[str, ListInside]: ...

    def choice_label(self, path: str, value: str, lists: Lists, language: str | None = None) -> str: ...

    def itext(self, identifier: str, language: str | None = None) -> str: ...


class TextsAround(Protocol):
    """The texts of a record, or of one iteration of a repeat, by path; and those of what is around the iteration."""

    @property
    def texts(self) -> Mapping[str, str]: ...

    @property
    def outer(self) -> TextsAround | None: ...


class ListInside:
    """A secondary instance that the form carries, with an index for each column that was asked for."""

    def __init__(self, root: etree._Element) -> None:
        self.root = root
        self._columns: dict[str, dict[str, list[etree._Element]]] = {}

    def find(self, column: str, value: str) -> Sequence[etree._Element]:
        index = self._columns.get(column)
        if index is None:
            built: dict[str, list[etree._Element]] = {}
            for item in self.root.iterchildren("item"):
                built.setdefault(item.findtext(column) or "", []).append(item)
            index = self._columns[column] = built
        return index.get(value, ())


class _Here(threading.local):
    context: Context


# lxml gives extension functions no argument of ours; each thread evaluates one expression at a time.
HERE = _Here()
