"""How much a device is advised to send at once: little on a failing link, much on a good one."""

from __future__ import annotations

import datetime as dt

from sync.intake.luck import Luck, advised, after_post
from tests.support.projects import NOON

USUAL, MB = 10_000_000, 1_000_000


def after(*posts: tuple[int, float, bool]) -> int:
    """What is advised after posts of so many bytes in so many seconds, cut or not."""
    luck: Luck | None = None
    for received, seconds, cut in posts:
        luck = after_post(luck, NOON, received, seconds, cut=cut) or luck
    return advised(luck, NOON)


def test_a_device_of_which_nothing_is_known_is_advised_the_usual_length() -> None:
    assert after() == USUAL


def test_on_a_failing_link_one_to_two_megabytes_are_advised() -> None:
    assert after((100, 1, True)) == MB
    assert after((3 * MB, 30, True)) == 1.5 * MB
    assert after((9 * MB, 30, True)) == 2 * MB


def test_a_good_link_gets_up_to_twenty_megabytes() -> None:
    assert after((2 * MB, 1, False)) == 20 * MB
    assert after((9 * MB, 1, True), (2 * MB, 1, False)) == 4 * MB
    assert after((9 * MB, 1, True), *[(2 * MB, 1, False)] * 5) == 20 * MB
    climbing: Luck | None = Luck(MB, NOON)
    for minute in range(1, 7):
        moment = NOON + dt.timedelta(minutes=minute)
        climbing = after_post(climbing, moment, 2 * MB, 1, cut=False) or climbing
    assert climbing is not None
    assert climbing.length == 20 * MB


def test_a_slow_link_that_holds_gets_what_it_carries_in_a_minute() -> None:
    assert after((2 * MB, 24, False)) == 5 * MB
    assert after(*[(2 * MB, 60, False)] * 5) == 2 * MB


def test_a_small_form_says_nothing_about_a_link() -> None:
    assert after_post(None, NOON, 20_000, 0.1, cut=False) is None


def test_what_was_learnt_is_forgotten_in_the_next_village() -> None:
    unlucky = Luck(MB, NOON)

    lengths = [advised(unlucky, NOON + dt.timedelta(hours=hours)) for hours in (0, 6, 12, 72)]

    assert lengths[0] == MB
    assert lengths == sorted(lengths)
    assert lengths[-1] > 0.99 * USUAL
