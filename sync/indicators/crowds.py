"""Sets of many subjects, of which hundreds are united for one figure: kept as CRoaring's bitmaps of numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import cache
from typing import Any

from pyroaring import BitMap


class Register:
    """Subjects with the numbers that stand for them. It only grows."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._subjects: list[str] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._subjects)

    def enter(self, subjects: Set[str]) -> BitMap:
        """The numbers of these; new ones for those that had none."""
        with self._lock:
            for subject in subjects:
                if subject not in self._numbers:
                    self._subjects.append(subject)
                    self._numbers[subject] = len(self._subjects) - 1
        return BitMap([*map(self._numbers.__getitem__, subjects)])

    def find(self, subjects: Set[str]) -> BitMap:
        """The numbers of those that have one."""
        with self._lock:
            return BitMap([*map(self._numbers.__getitem__, self._numbers.keys() & subjects)])

    def number_of(self, subject: object) -> int | None:
        return self._numbers.get(subject)  # type: ignore[call-overload,no-any-return]

    def named(self, numbers: Iterable[int]) -> Iterator[str]:
        """Whom these numbers stand for."""
        return map(self._subjects.__getitem__, numbers)


class Crowd(Set[str]):
    """Some of the subjects of a register."""

    def __init__(self, register: Register, numbers: BitMap) -> None:
        self.register = register
        self.numbers = numbers

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> set[Any]:  # what comes of crowds and others
        return set(it)

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[str]:
        return self.register.named(self.numbers)

    def __contains__(self, subject: object) -> bool:
        number = self.register.number_of(subject)
        return number is not None and number in self.numbers


def united(some: Sequence[Set[str]]) -> Set[str]:
    """Everybody who is in any of them. Either none is a crowd, or all are, of one register."""
    first = some[0] if some else frozenset()
    if len(some) < 2:
        return first
    if not isinstance(first, Crowd):
        return set().union(*some)
    others = (one.numbers for one in some[1:] if isinstance(one, Crowd))
    return Crowd(first.register, first.numbers.union(*others))


def heads_by(persons: Mapping[str, str]) -> Callable[[Set[str]], int]:
    """What counts how many persons some subjects are. `persons` says for whom each of those stands that do not stand
    for themselves: for somebody who does."""
    if not persons:
        return len
    entered = cache(lambda register: register.find(persons.keys()))

    def count(subjects: Set[str]) -> int:
        others: Iterable[str]
        if isinstance(subjects, Crowd):
            others = [*subjects.register.named(entered(subjects.register) & subjects.numbers)]
        else:
            others = persons.keys() & subjects
        beside = sum(person not in subjects for person in {persons[subject] for subject in others})
        return len(subjects) - len(others) + beside

    return count
