"""The flags of a submission that other submissions decide, kept apart by their codes from those of its own check.

A flag is stored as [code, place, message]. Whoever owns a code replaces the flags that have it, and no others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from forms.form import Flag

DOUBLE_SAVE = "double_save"
SAME_DAY = "same_day"
MATCH = "match"
PLACE = "place"
RIVAL_FILE = "rival_file"  # of its files, which come and go after its check
LEFT_OUT = "left_out"  # of the version before it
OF_NEIGHBOURS = frozenset({DOUBLE_SAVE, SAME_DAY, MATCH, RIVAL_FILE, LEFT_OUT})
_CREATED_TWICE = "Another submission created this entity first, and what that one says stays."


def replace_code(stored: Sequence[Any], code: str, flags: Sequence[Flag]) -> list[Any]:
    """The stored flags with those of the code replaced."""
    return [flag for flag in stored if flag[0] != code] + [as_stored(flag) for flag in flags]


def replace_created_twice(stored: Sequence[Any], paths: Collection[str], twice: Sequence[str]) -> list[Any]:
    """The stored flags with those about the creations at `paths` replaced: the ones in `twice` came too late."""
    kept = [flag for flag in stored if flag[2] != _CREATED_TWICE or flag[1] not in paths]
    return kept + [[MATCH, path, _CREATED_TWICE] for path in twice]


def as_stored(flag: Flag) -> list[str]:
    """A flag as `submissions.flags` keeps it."""
    return [flag.code, flag.place, flag.message]
