"""QR codes in a terminal."""

from __future__ import annotations

import sys

import segno


def show_code(text: str) -> None:
    """Print the code with half blocks on standard error, so that what programs read on standard output stays plain."""
    code = segno.make(text, error="m")
    code.terminal(out=sys.stderr, compact=True, border=2)
