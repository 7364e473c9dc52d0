"""Passwords: which are taken, how they are kept, and that nobody learns who has one."""

import time

import pytest

from sync.accounts.passwords import hash_password, needs_rehash, require_good, verify_password
from sync.errors import Unexpected


def test_the_right_password_is_known_again_and_a_wrong_one_is_not() -> None:
    stored = hash_password("trois sacs de riz")

    assert verify_password(stored, "trois sacs de riz")
    assert not verify_password(stored, "trois sacs de ri")
    assert not verify_password("nonsense", "trois sacs de riz")
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored
    assert not needs_rehash(stored)


def test_two_people_with_one_password_have_different_hashes() -> None:
    assert hash_password("trois sacs de riz") != hash_password("trois sacs de riz")


@pytest.mark.parametrize(
    "password",
    [
        "",
        "too short",
        "1234567890",
        "0987654321",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "azertyuiop",
        "PASSWORD123",
        "\ud800" * 12,
    ],
)
def test_a_password_that_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(Unexpected):
        require_good(password)


@pytest.mark.parametrize("password", ["karité de Siby", "x" * 9 + "yz", "a" * 64 + "b", "ߒߞߏ ߞߊ߲ ߛߓߍ", "a" * 999 + "b"])
def test_nothing_else_is_asked_of_a_password(password: str) -> None:
    require_good(password)


def test_an_endless_password_costs_nothing() -> None:
    assert not verify_password(None, "x" * 10**7)


def test_it_takes_as_long_when_there_is_nobody() -> None:
    stored = hash_password("trois sacs de riz")

    def seconds(known: str | None) -> float:
        times = []
        for _ in range(5):
            start = time.process_time()
            verify_password(known, "wrong password")
            times.append(time.process_time() - start)
        return min(times)

    assert 0.5 < seconds(stored) / seconds(None) < 2
