"""Codes of the phone and recovery codes: which are good, how often, and what switching off leaves."""

from __future__ import annotations

import datetime as dt

import pyotp
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from sync.accounts.people import add_user
from sync.accounts.second_factor import is_on, new_secret, switch_off, switch_on, use_code
from sync.models import Actor, RecoveryCode
from tests.support.projects import NOON

STEP = dt.timedelta(seconds=30)
LATER = NOON + STEP * 10


@pytest.fixture
def baraka(session: Session) -> Actor:
    return add_user(session, "baraka@example.org", NOON, name="Baraka")


def enrolled(session: Session, actor: Actor) -> tuple[pyotp.TOTP, list[str]]:
    phone = pyotp.TOTP(new_secret(session, actor))
    codes = switch_on(session, actor, phone.at(NOON), NOON)
    assert codes is not None
    return phone, codes


def test_a_secret_counts_only_once_a_code_of_it_was_shown(session: Session, baraka: Actor) -> None:
    phone = pyotp.TOTP(new_secret(session, baraka))

    assert switch_on(session, baraka, phone.at(NOON - STEP * 5), NOON) is None
    assert not is_on(baraka)
    assert not use_code(session, baraka, phone.at(NOON), NOON)
    assert len(set(switch_on(session, baraka, phone.at(NOON), NOON) or [])) == 10
    assert is_on(baraka)


def test_a_code_is_good_half_a_minute_early_or_late_and_no_more(session: Session, baraka: Actor) -> None:
    phone, _ = enrolled(session, baraka)

    assert not use_code(session, baraka, phone.at(LATER - STEP * 2), LATER)
    assert not use_code(session, baraka, phone.at(LATER + STEP * 2), LATER)
    assert use_code(session, baraka, phone.at(LATER - STEP), LATER)
    assert use_code(session, baraka, phone.at(LATER + STEP), LATER)


def test_neither_a_used_code_nor_an_older_one_is_good_afterwards(session: Session, baraka: Actor) -> None:
    phone, _ = enrolled(session, baraka)
    spaced = f"{phone.at(LATER)[:3]} {phone.at(LATER)[3:]}"

    assert use_code(session, baraka, spaced, LATER)
    assert not use_code(session, baraka, phone.at(LATER), LATER)
    assert not use_code(session, baraka, phone.at(LATER - STEP), LATER)


def test_a_recovery_code_is_good_once_and_for_its_owner_only(session: Session, baraka: Actor) -> None:
    _, codes = enrolled(session, baraka)
    other = add_user(session, "coumba@example.org", NOON, name="Coumba")
    enrolled(session, other)

    assert not use_code(session, other, codes[0], LATER)
    assert use_code(session, baraka, codes[0], LATER)
    assert not use_code(session, baraka, codes[0], LATER)
    assert use_code(session, baraka, codes[1].upper().replace("-", ""), LATER)


def test_switching_off_and_on_again_leaves_nothing_of_the_old_codes(session: Session, baraka: Actor) -> None:
    phone, codes = enrolled(session, baraka)

    switch_off(session, baraka)
    assert not use_code(session, baraka, codes[0], LATER)
    assert session.scalar(select(func.count()).select_from(RecoveryCode)) == 0
    enrolled(session, baraka)
    assert not use_code(session, baraka, codes[0], LATER)
    assert not use_code(session, baraka, phone.at(LATER), LATER)


@pytest.mark.parametrize("code", ["", "12345", "١٢٣٤٥٦", "１２３４５６", "\udcff\ud800", "0" * 100_000])
def test_what_is_no_code_is_refused(session: Session, baraka: Actor, code: str) -> None:
    enrolled(session, baraka)

    assert not use_code(session, baraka, code, LATER)


def test_of_two_who_bring_the_same_code_at_once_one_gets_in(engine: Engine, session: Session, baraka: Actor) -> None:
    phone, codes = enrolled(session, baraka)
    session.commit()
    with Session(engine) as first, Session(engine) as second:
        # Both have read the account before either has used the code.
        actors = [one.get_one(Actor, baraka.id) for one in (first, second)]
        first.rollback(), second.rollback()
        for code in (phone.at(LATER), codes[0]):
            got = []
            for one, actor in zip((first, second), actors, strict=True):
                got.append(use_code(one, actor, code, LATER))
                one.commit()
            assert got == [True, False]
