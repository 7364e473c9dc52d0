"""What a submission does to entity lists, after the ODK Entities specification (2022.1 to 2025.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from forms.form import EntityDeclaration, Flag
from forms.records import record
from forms.xforms.instance import Instance
from forms.xforms.walk import Scope, walk_of
from forms.xforms.xform import Form

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VERSION = re.compile(r"[0-9]{1,9}")


@record
class EntityAction:
    """What one row of a submission does to one entity. Both `create` and `update`: update it, create it if unknown.

    `entity_id` is lower-case without the prefix `uuid:`. `data` holds the properties that the row answers, blank ones
    too: an update empties them. `path` is the `<entity>` element's, with positions of repeats.
    An action with `flags` is faulty: it is reported and neither creates nor updates.
    """

    list_name: str
    entity_id: str
    create: bool
    update: bool
    label: str | None
    data: Mapping[str, str]
    base_version: int | None
    trunk_version: int | None
    branch_id: str | None
    path: str
    flags: tuple[Flag, ...] = ()


def entity_actions(form: Form, instance: Instance) -> list[EntityAction]:
    """Every creation and update that the submission asks for, those of one declaration together in document order.

    Whether the conditions of the form hold was settled by the client: the attributes `create` and `update` say so.
    An encrypted submission asks for nothing that could be read.
    """
    if instance.encrypted:
        return []
    walk = walk_of(form, instance)
    return [
        action
        for declared in form.entities
        for scope, path in _rows(walk.root, declared, form)
        if (action := _action(form, declared, scope, path)) is not None
    ]


def is_true(attribute: str | None) -> bool:
    """An entity's `create` or `update` as clients write it."""
    return attribute is not None and attribute.strip().lower() in ("1", "true")


def plain_id(text: str) -> str:
    """An entity's id as it is kept: lower-case, without the prefix `uuid:`."""
    return text.strip().lower().removeprefix("uuid:")


def _rows(root: Scope, declared: EntityDeclaration, form: Form) -> Iterator[tuple[Scope, str]]:
    """The rows that the declaration is for, each with its path with positions."""
    rows = [(root, root.path)]
    if declared.repeat is not None:
        for repeat in sorted((path for path in form.repeats if _is_in(declared.path, path)), key=len):
            rows = [
                (inner, f"{path}{repeat[len(scope.path) :]}[{position}]")
                for scope, path in rows
                for position, inner in enumerate(scope.repeats.get(repeat, ()), start=1)
            ]
    yield from rows


def _is_in(path: str, repeat: str) -> bool:
    return path.startswith(f"{repeat}/")


def _action(form: Form, declared: EntityDeclaration, row: Scope, path: str) -> EntityAction | None:
    entity = row.entities.get(declared.path)
    if entity is None:
        return None
    said = {str(name): str(value) for name, value in entity.items()}
    create, update = is_true(said.get("create")), is_true(said.get("update"))
    if not (create or update):
        return None
    label = next((element.text or "" for element in entity.iterchildren("label")), "").strip() or None
    here = path + declared.path[len(row.path) :]
    flags = tuple(_faults(said, create and not update, label, here))
    return EntityAction(
        list_name=declared.list_name,
        entity_id=plain_id(said.get("id", "")),
        create=create and not flags,
        update=update and not flags,
        label=label,
        data=_data(form, declared, row),
        base_version=_version(said.get("baseVersion", "")),
        trunk_version=_version(said.get("trunkVersion", "")),
        branch_id=plain_id(said.get("branchId", "")) or None,
        path=here,
        flags=flags,
    )


def _faults(said: Mapping[str, str], only_creates: bool, label: str | None, path: str) -> Iterator[Flag]:
    entity_id = said.get("id", "")
    if not _UUID.fullmatch(plain_id(entity_id)):
        yield Flag("type", path, f"The entity's id ‘{entity_id[:80]}’ is not a UUID; it was left as it is.")
    if only_creates and label is None:
        yield Flag("required", f"{path}/label", "The new entity has no label; it was not created.")
    for name in ("baseVersion", "trunkVersion"):
        written = said.get(name, "").strip()
        if written and not _VERSION.fullmatch(written):
            yield Flag("type", path, f"The entity's {name} ‘{written[:80]}’ is not a whole number.")


def _data(form: Form, declared: EntityDeclaration, row: Scope) -> dict[str, str]:
    """Answers by property. A question that was not relevant is not there: it says nothing about its property."""
    found = {}
    for name, path in declared.saves.items():
        text = row.texts.get(path)
        if text is None:
            text = _further_in(form, row, path)
        if text is not None:
            found[name] = text.strip()
    return found


def _further_in(form: Form, row: Scope, path: str) -> str | None:
    """The first answer to a question in a repeat inside the row's own."""
    asked = form.fields.get(path)
    if asked is None or asked.repeat is None or not _is_in(asked.repeat, row.path):
        return None
    found = row.element.find(path[len(row.path) + 1 :])
    return None if found is None else found.text or ""


def _version(text: str) -> int | None:
    written = text.strip()
    return int(written) if _VERSION.fullmatch(written) else None
