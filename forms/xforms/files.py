"""The files that an XForm names: pictures, sounds, CSV lists, each to be given to devices beside the form."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

# A name ends as its address began: one in double quotes, or between tags, may have an apostrophe.
_NAMED = re.compile(rb"([\"'>]|&quot;)\s*jr://([a-z-]+)/((?:(?!\1)[^<>])+)(?:\1|<)")
# The answers of the record before are no file, though they are written as if they were.
_NO_FILES = frozenset({"instance"})
_KINDS = {"images": "image", "audio": "audio", "video": "video"}


@dataclass(frozen=True, slots=True)
class NamedFile:
    """`kind` is image, audio, video or file, as ODK's REST calls them."""

    name: str
    kind: str


def named_files(xform: bytes) -> list[NamedFile]:
    """By name, each once."""
    found: dict[str, NamedFile] = {}
    for _, host, written in _NAMED.findall(xform):
        if host.decode() in _NO_FILES:
            continue
        name = html.unescape(written.rstrip().decode("utf-8", "replace"))
        found.setdefault(name, NamedFile(name, _KINDS.get(host.decode(), "file")))
    return [found[name] for name in sorted(found)]
