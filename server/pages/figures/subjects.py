"""What the subjects of an indicator are called: whom or what its figure counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import select

from forms.form import Choice
from forms.indicators.sheets import field_called, plain_reference
from server.db import session
from server.queries.submissions import labels_of_entities
from sync.indicators.definitions import Definition, by_code, label_in
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
