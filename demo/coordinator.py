"""A coordinator who goes through the pairs of records that may be one person, those first on which figures hang.

Nothing in the product knows who is who. This coordinator does, as somebody would who rings the villages up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from demo.doubles import Doubles
from demo.reading import Reader

MOST = 1_500  # decisions, after which the day is over
_PAGE = 200


@dataclass(slots=True)
class Decided:
    """How many pairs were one person, and how many two."""

    same: int = 0
    different: int = 0

    @property
    def pairs(self) -> int:
        return self.same + self.different


def decide_top(reader: Reader, doubles: Doubles, look: Callable[[int], None] = lambda _: None) -> Decided:
    """Decide the pairs at the head of the queue until no figure hangs on what is left. `look` is told how many are
    done."""
    decided = Decided()
    while decided.pairs < MOST:
        page = reader.get("matches", list="people", state="open", limit=str(_PAGE))
        hanging = [pair for pair in page["matches"] if pair["effect"]]
        if not hanging:
            break
        for pair in hanging:
            same = doubles.person(pair["a"]["id"]) == doubles.person(pair["b"]["id"])
            reader.post(
                f"matches/{pair['id']}",
                {
                    "decision": "same" if same else "different",
                    "seen": int(pair["event"]),
                    "reason": "Appel au village.",
                },
            )
            decided.same += same
            decided.different += not same
            look(decided.pairs)
    return decided
