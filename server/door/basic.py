"""Name and password as HTTP's Basic carries them."""

from __future__ import annotations

import base64


def name_and_password(sent: str) -> tuple[str, str] | None:
    """What follows the word `Basic` in the header; None for what is not base64.

    We ask for UTF-8. ODK Collect does not hear it and writes Latin-1: an é in a tablet's name must not shut it out.
    """
    try:
        said = base64.b64decode(sent)
    except ValueError:
        return None
    try:
        text = said.decode()
    except UnicodeDecodeError:
        text = said.decode("latin-1")
    name, _, password = text.partition(":")
    return name, password
