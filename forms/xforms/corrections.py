"""Corrections that a tablet makes by choosing what was sent back to it from its own list `a_corriger.csv`."""

from __future__ import annotations

import re

from forms.xforms.instance import Instance
from forms.xforms.xform import Form

# The lists that every device has for itself, without their suffix: what became of what it sent, what it is to correct.
SENT, TO_CORRECT = "mes_envois", "a_corriger"
OWN_LISTS = (SENT, TO_CORRECT)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PREFIX, _BARE = "uuid:", "id:"


def correction_questions(form: Form) -> list[str]:
    """The paths of the questions that choose from the list; one inside a repeat cannot make the whole form an edit."""
    return [
        field.path
        for field in form.fields.values()
        if field.external and field.itemset == TO_CORRECT and field.repeat is None and field.type == "select1"
    ]


def corrected_instance(form: Form, instance: Instance) -> str | None:
    """The instance that this one corrects by the row it chose; None if it chose none, or says so by itself.

    A chosen row makes the submission an edit, as `deprecatedID` does, which goes before it.
    """
    if instance.encrypted or instance.deprecated_id:
        return None
    for path in correction_questions(form):
        chosen = (instance.root.findtext(path.split("/", 2)[2]) or "").strip()
        if chosen:
            return instance_of_row(chosen)
    return None


def row_of_instance(instance_id: str) -> str:
    """How the row of an instance is called: by its UUID without a prefix, or by its id as it is after `id:`."""
    bare = instance_id.removeprefix(_PREFIX)
    return bare if bare != instance_id and _UUID.fullmatch(bare) else _BARE + instance_id


def instance_of_row(name: str) -> str:
    """The instance that a row stands for."""
    return name.removeprefix(_BARE) if name.startswith(_BARE) else _PREFIX + name.removeprefix(_PREFIX)
