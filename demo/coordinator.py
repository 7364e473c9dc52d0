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


def decide_top(reader: Reader, doubles: Doubles, look: Callable[[int], None] = lambda _: None) -> None:
    """Decide the pairs at the head of the queue until no figure hangs on what is left. `look` is told how many are
    done."""
    done = 0
    while done < MOST:
        page = reader.get("matches", list="people", state="open", limit=str(_PAGE))
        hanging = [pair for pair in page["matches"] if pair["effect"]]
        if not hanging:
            break
        for pair in hanging:
            one = doubles.person(pair["a"]["id"]) == doubles.person(pair["b"]["id"])
            said = {"decision": "same" if one else "different", "seen": int(pair["event"])}
            reader.post(f"matches/{pair['id']}", said | {"reason": "Appel au village."})
            done += 1
            look(done)


def decided(reader: Reader) -> Decided:
    """What has been decided so far, in this run of the demo or in an earlier one that was ended."""
    same, different = (_events(reader, state) for state in ("same", "different"))
    return Decided(len(same), len(different), tuple(sorted(same + different)))


def _events(reader: Reader, state: str) -> list[int]:
    pairs = reader.pages("matches", "matches", list="people", state=state, limit=str(_PAGE))
    return [int(pair["event"]) for pair in pairs]
