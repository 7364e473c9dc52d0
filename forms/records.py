"""Records of which taking a submission in makes dozens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True)
def record(made: type[_Class]) -> type[_Class]:
    """A frozen dataclass with slots, as far as the checker of types sees. Python is not asked to guard its fields: that
    takes it three times as long to make one."""
    return dataclass(slots=True, unsafe_hash=True)(made)
