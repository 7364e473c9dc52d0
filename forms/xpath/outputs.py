"""Answers that a form puts into its texts: `${name}` in a choice's label."""

from __future__ import annotations

import re

from forms.form import Field
from forms.xpath.context import Context
from forms.xpath.values import Unevaluable, node_text

_OUTPUT = re.compile(r"\$\{([^}]*)\}")
# The rest a tablet writes in its own way and language.
_AS_STORED = frozenset({"string", "int", "barcode", "binary", "select1", "select", "rank"})


def filled(text: str, context: Context) -> str:
    """The text with the answers in it. Raises Unevaluable where a tablet alone knows how it shows one."""
    return _OUTPUT.sub(lambda output: _shown(output[1], context), text) if "${" in text else text


def _shown(name: str, context: Context) -> str:
    meant = [field for field in context.form.fields.values() if field.name == name] if context.form else []
    if len(meant) != 1 or meant[0].type not in _AS_STORED:
        raise Unevaluable(f"a label has the answer to ‘{name}’ in it, as a tablet shows it")
    return _nearest(meant[0], context)


def _nearest(field: Field, context: Context) -> str:
    """Its answer in the iterations that the node stands in; blank where there is none."""
    around = [*reversed(list(context.node.iterancestors())), context.node]
    element = context.root
    for depth, step in enumerate(field.path.split("/")[2:], 1):
        same = element is around[depth - 1] if depth <= len(around) else False
        inside = around[depth] if same and depth < len(around) and around[depth].tag == step else element.find(step)
        if inside is None:
            return ""
        element = inside
    return node_text(element)
