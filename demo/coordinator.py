"""A coordinator who goes through the pairs of records that may be one person, those first on which figures hang.

Nothing in the product knows who is who. This coordinator does, as somebody would who rings the villages up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.doubles import Doubles
from demo.reading import Reader

MOST = 1_500  # decisions, after which the day is over
_PAGE = 200
_UNSURE = (0.2, 0.8)  # so likely is one person: a coordinator would want to look twice


@dataclass(frozen=True, slots=True)
class Decided:
    """How many pairs were one person, and how many two. `events` are those of the decisions, in their order."""

    same: int
    different: int
    events: tuple[int, ...]

    @property
    def pairs(self) -> int:
        return self.same + self.different

    def as_of(self, decisions: int) -> str | None:
        """The moment when so many decisions had been taken; None for now, if there were no more than that."""
        return str(self.events[decisions] - 1) if decisions < len(self.events) else None


def decide_top(reader: Reader, doubles: Doubles, left: int = 0, look: Callable[[int], None] = lambda _: None) -> None:
    """Decide the pairs at the head of the queue until no figure hangs on what is left, but for so many that are `left`
    to whoever comes next. `look` is told how many are done."""

    def decide(pair: Mapping[str, Any]) -> None:
        said = {"decision": "same" if _is_one(pair, doubles) else "different", "seen": int(pair["event"])}
        reader.post(f"matches/{pair['id']}", said | {"reason": "Appel au village."})

    done, spared = 0, None
    while done < MOST:
        page = reader.get("matches", list="people", state="open", limit=str(_PAGE))
        hanging = [pair for pair in page["matches"] if pair["effect"]]
        if spared is None:
            spared = _spared(hanging, doubles, left)
        hanging = [pair for pair in hanging if pair["id"] not in spared]
        if not hanging:
            break
        for _ in reader.at_once(decide, hanging):
            done += 1
            look(done)


def _spared(pairs: Sequence[Mapping[str, Any]], doubles: Doubles, left: int) -> set[str]:
    """Pairs that hang together with no other of these, and of which the product thinks what is true, unsurely."""
    often = Counter(pair[end]["id"] for pair in pairs for end in ("a", "b"))
    unsure = [
        pair
        for pair in pairs
        if _UNSURE[0] <= pair["probability"] <= _UNSURE[1]
        and (pair["probability"] >= 0.5) == _is_one(pair, doubles)
        and often[pair["a"]["id"]] == often[pair["b"]["id"]] == 1
    ]
    return {pair["id"] for pair in unsure[:left]}


def _is_one(pair: Mapping[str, Any], doubles: Doubles) -> bool:
    return doubles.person(pair["a"]["id"]) == doubles.person(pair["b"]["id"])


def decided(reader: Reader) -> Decided:
    """What has been decided so far, in this run of the demo or in an earlier one that was ended."""
    same, different = (_events(reader, state) for state in ("same", "different"))
    return Decided(len(same), len(different), tuple(sorted(same + different)))


def _events(reader: Reader, state: str) -> list[int]:
    pairs = reader.pages("matches", "matches", list="people", state=state, limit=str(_PAGE))
    return [int(pair["event"]) for pair in pairs]
