"""What a compiled form is made of: its rules, actions, choices, and everything together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from forms.form import Choice, EntityDeclaration, Field, Lists
from forms.xpath.context import ListInside
from forms.xpath.expressions import Expression
from forms.xpath.shape import Shape

# What is shown of an item that names its text in each language.
ITEXT = re.compile(r"jr:itext\(\s*([\w.-]+)\s*\)")
_NOT_TRANSLATED = "-"  # as pyxform writes it


@dataclass(frozen=True, slots=True)
class Bind:
    """The rules of one node of the model: a question, a group, a repeat, or an attribute (`…/entity/@create`).

    `type` is the bind's own (`string` for selects). Messages are by language.
    """

    path: str
    type: str
    required: Expression | None = None
    relevant: Expression | None = None
    constraint: Expression | None = None
    calculate: Expression | None = None
    readonly: bool = False
    asked: bool = False  # so that people may type over what is calculated, unless it is read-only
    preload: str | None = None
    preload_params: str | None = None
    required_messages: Mapping[str, str] = field(default_factory=dict)
    constraint_messages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """A value that is set on an event: odk-instance-first-load, odk-new-repeat, xforms-value-changed of `trigger`, …

    `name` is setvalue, setgeopoint or recordaudio; only the first has a value, and none if it blanks the question.
    """

    name: str
    path: str
    events: tuple[str, ...]
    value: Expression | None
    trigger: str | None = None


@dataclass(frozen=True, slots=True)
class Itemset:
    """Where a select's choices come from. `chosen` tells of a value, given as `chosen`, whether it is one of them;
    without it all items of the list are. `answers` finds those that are answers to another question, `passing` all
    that the filter of a list lets through."""

    list_name: str | None  # None: the choices are answers to another question
    external: bool
    value: str  # the column that is stored
    label: str  # the column that is shown, or `jr:itext(…)` of one
    chosen: Expression | None
    answers: Expression | None = None
    passing: Expression | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """One compiled form version. Nothing in it changes; threads may share it.

    Paths are without positions, in document order, and begin with `/data` whatever the root element is called. `root`
    is the primary instance as a new record starts, without namespaces, each repeat in it once: copy it before changing
    it. `derived` keeps what other modules work out once per form.
    """

    form_id: str
    version: str
    title: str
    xform: bytes
    languages: tuple[str, ...]
    default_language: str  # "" for a form without languages
    fields: Mapping[str, Field]
    by_identity: Mapping[str, Field]
    repeats: tuple[str, ...]
    headings: Mapping[str, Mapping[str, str]]  # what groups and repeats are called, by path and language
    choices: Mapping[str, Mapping[str, Choice]]
    entities: tuple[EntityDeclaration, ...]
    entities_version: str | None
    root: etree._Element
    binds: Mapping[str, Bind]
    calculations: tuple[Bind, ...]  # those with `calculate`, each after the ones that it reads
    actions: tuple[Action, ...]
    itemsets: Mapping[str, Itemset]  # by path
    shape: Shape
    secondary: Mapping[str, ListInside]
    texts: Mapping[str, Mapping[str, str]]  # itext id → language → text
    renames: Mapping[str, str] = field(default_factory=dict)  # path here → identity, groups and repeats included
    derived: dict[str, object] = field(default_factory=dict)

    def choice_label(self, path: str, value: str, lists: Lists, language: str | None = None) -> str:
        """What the question at `path` calls the choice; "" for a value that its list does not have. With a language,
        what a tablet shows that is set to it; else another one stands in for a label that is missing."""
        itemset = self.itemsets.get(path)
        if itemset is None:
            return ""
        if itemset.list_name is None:
            return value  # one of the answers, which are shown as they are
        choice = self.choices.get(itemset.list_name, {}).get(value)
        if choice is not None and language is not None:
            return choice.labels.get(language, _NOT_TRANSLATED)
        if choice is not None:
            return choice.labels.get(self.default_language) or next(iter(choice.labels.values()), "")
        found = lists.find(itemset.list_name, itemset.value, value) if itemset.external else ()
        if found and (translated := ITEXT.fullmatch(itemset.label)):
            return self.itext(found[0].findtext(translated[1], ""), language)
        return found[0].findtext(itemset.label, "") if found else ""

    def itext(self, identifier: str, language: str | None = None) -> str:
        texts = self.texts.get(identifier, {})
        return texts.get(language, _NOT_TRANSLATED) if language is not None else texts.get(self.default_language, "")
