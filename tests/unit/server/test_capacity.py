"""Who asks for more than one process can do is told when to come back."""

import pytest

from server.door.capacity import Rates, Slots
from sync.errors import Busy, TooMany


def test_a_burst_is_served_and_then_the_next_has_to_wait() -> None:
    rates = Rates(an_hour=400)
    for _ in range(100):
        rates.count("amina")

    with pytest.raises(TooMany) as refusal:
        rates.count("amina")

    assert 1 <= (refusal.value.retry_after or 0) <= 10
    rates.count("baraka")


def test_whoever_finds_no_slot_in_time_is_told_to_come_back() -> None:
    slots = Slots(1, patience=0.01)
    slots.take()

    with pytest.raises(Busy) as refusal:
        slots.take()
    slots.give_back()
    slots.take()

    assert 15 <= (refusal.value.retry_after or 0) <= 25
