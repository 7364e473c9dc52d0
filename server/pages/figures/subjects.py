"""What the subjects of an indicator are called, whom or what its figure counts, and the cells in which it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from flask_babel import gettext
from sqlalchemy import select

from forms.form import Choice
from forms.indicators.sheets import field_called, plain_reference
from server import current
from server.db import session
from server.language.words import words
from server.pages import frame
from server.queries.submissions import labels_of_entities
from sync.indicators.definitions import Definition, Way, by_code, label_in
from sync.indicators.figures import Cells
from sync.indicators.reading import PLACE, Reading
from sync.models import Form
from sync.projects.catalogue import Published, published


def called(pid: int, definitions: Iterable[Definition], keys: Iterable[str], language: str) -> dict[str, str]:
    """Key → what an entity of that id, or else a choice of that name, is called in the form that asks for it."""
    known = labels_of_entities(session(), pid, keys)
    if left := set(keys) - known.keys():
        for choice in _choices(pid, definitions):
            if choice.value in left and (said := label_in(by_code(choice.labels), language)):
                known.setdefault(choice.value, said)
    return known


def cells_called(pid: int, reading: Reading, definition: Definition, cells: Cells) -> list[tuple[str, str]]:
    """Each breakdown with its key, as they are called."""
    ways, project = reading.breakings(definition), frame.project_of(pid)
    entities, found = entities_called(pid, cells.values()), []
    for name, key in cells.items():
        place = reading.tree.places.get(key or "") if name.startswith(PLACE) else None
        level = frame.called(project, "levels", name.removeprefix(PLACE))
        said = place.name if place else key_called(ways.get(name), key, entities)
        found.append((way_called(ways[name]) if name in ways else level, said))
    return found


def way_called(way: Way) -> str:
    """A breakdown in the visitor's language."""
    return words().label(way.labels) or way.name


def key_called(way: Way | None, key: str | None, entities: Mapping[str, str]) -> str:
    """A key of a breakdown: a choice by its label, an entity as `entities_called` says."""
    label = way.label_of(key, words().language) if way is not None else None
    return label or entities.get(key or "") or key or gettext("unknown")


def entities_called(pid: int, keys: Iterable[str | None]) -> Mapping[str, str]:
    """Those of the keys that are ids of entities, with what they are called; who does not read visits is not told."""
    named = labels_of_entities(session(), pid, filter(None, keys))
    if current.has_right("submissions.read"):
        return named
    return dict.fromkeys(named, gettext("named to coordinators only"))


def _choices(pid: int, definitions: Iterable[Definition]) -> Iterator[Choice]:
    """Of the question that an indicator has for its subject, or of those that it is worked out from."""
    subjects = {
        (form_id, name)
        for definition in definitions
        for form_id, part in definition.parts.items()
        if (name := plain_reference(part.get("subject") or ""))
    }
    newest = dict(
        session()
        .execute(select(Form.form_id, Form.version).where(Form.project_id == pid, Form.version.is_not(None)))
        .all()
    )
    for form_id, name in sorted(subjects):
        found = published(session(), pid, form_id, newest[form_id]) if form_id in newest else None
        asked = field_called(found.form, found.sheets, name) if isinstance(found, Published) else None
        if asked is None or not isinstance(found, Published):
            continue
        bind = found.form.binds.get(asked.path)
        read = sorted(bind.calculate.depends_on) if bind is not None and bind.calculate is not None else []
        for path in (asked.path, *read):
            one = found.form.fields.get(path)
            if one is not None and one.itemset is not None and not one.external:
                yield from found.form.choices.get(one.itemset, {}).values()
