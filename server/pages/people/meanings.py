"""What the values of a list's rows stand for, as people say it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from server.db import session
from server.language.words import words
from sync.entities.reading import choices_of_list, lists_of_project
from sync.indicators.definitions import by_code
from sync.projects.places import PlaceTree
from sync.review.one_person import labels_of

_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Meanings:
    """Says codes of places, ids of entities of any list, and choices of the forms that save to the list by their names;
    anything else as it is. `written` are all values that will be asked for."""

    def __init__(self, pid: int, list_name: str, tree: PlaceTree, written: Iterable[str]) -> None:
        values = set(written)
        self._choices = choices_of_list(session(), pid, list_name)
        self._named = {value: tree.places[value].name for value in values & tree.places.keys()}
        ids = [value for value in values if _ID.fullmatch(value)]
        for known in lists_of_project(session(), pid) if ids else ():
            self._named |= labels_of(session(), pid, known.name, ids)

    def __call__(self, property_name: str, value: object) -> str:
        """The value of a property in the page's language; empty for none."""
        text = "" if value is None else str(value)
        choices = self._choices.get(property_name)
        if choices is None:
            return self._named.get(text, text)
        keys = [text] if text in choices else text.split()  # of several that were chosen
        return ", ".join(words().label(by_code(choices.get(key, {}))) or self._named.get(key, key) for key in keys)
