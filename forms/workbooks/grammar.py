"""What is wrong with an expression whatever the questions are that it names."""

from __future__ import annotations

import re

from forms.findings import Faulty, Finding
from forms.xpath.expressions import compile_expression

_REFERENCE = re.compile(r"\$\{[^{}]*\}")
_DEEP = "/data" + "/x" * 60  # deeper than a form is, so that no path climbs out of it


def grammar_faults(text: str) -> list[Finding]:
    """Faults of syntax, and functions that there are not, at the characters at which they are written."""
    try:
        compile_expression(_REFERENCE.sub(lambda found: " x".ljust(len(found[0])), text), at=_DEEP)
    except Faulty as faulty:
        return faulty.findings
    return []
