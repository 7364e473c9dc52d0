"""Word documents for tests."""

from __future__ import annotations

import io

import docx


def a_template(*paragraphs: str) -> bytes:
    """A document of these paragraphs, as an organisation might upload it."""
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()
