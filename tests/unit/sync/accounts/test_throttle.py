"""Guessing passwords takes longer and longer; nobody is locked out for good."""

import datetime as dt

from sqlalchemy.orm import Session

from sync.accounts.throttle import drop_old_failures, forget_failures, keys_of, note_failure, wait_of
from sync.models.database import begin_writing

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)
KEYS = keys_of("baraka@example.org", "192.0.2.7")


def fail(session: Session, times: int, now: dt.datetime = NOW) -> list[int]:
    waits = []
    for _ in range(times):
        note_failure(session, KEYS, now)
        waits.append(wait_of(session, KEYS, now))
        now += dt.timedelta(seconds=waits[-1])
    return waits


def test_the_wait_doubles_up_to_a_quarter_of_an_hour(session: Session) -> None:
    begin_writing(session)

    assert fail(session, 16) == [0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


def test_the_right_password_clears_the_account_and_not_the_address(session: Session) -> None:
    begin_writing(session)
    fail(session, 30)

    forget_failures(session, KEYS[0])

    assert wait_of(session, KEYS[:1], NOW) == 0
    assert wait_of(session, KEYS[1:], NOW) > 0


def test_another_account_from_another_address_does_not_wait(session: Session) -> None:
    begin_writing(session)
    fail(session, 10)

    assert wait_of(session, keys_of("coumba@example.org", "192.0.2.8"), NOW) == 0


def test_after_a_day_it_is_forgotten(session: Session) -> None:
    begin_writing(session)
    fail(session, 10)

    assert fail(session, 1, NOW + dt.timedelta(days=2)) == [0]


def test_what_was_forgotten_is_not_kept(session: Session) -> None:
    begin_writing(session)
    fail(session, 1)
    note_failure(session, keys_of("coumba@example.org", "192.0.2.8"), NOW + dt.timedelta(days=2))

    assert drop_old_failures(session, NOW + dt.timedelta(days=2)) == 2
    assert drop_old_failures(session, NOW + dt.timedelta(days=2)) == 0


def test_the_addresses_of_one_line_are_one() -> None:
    def line(address: str) -> str:
        return keys_of("baraka@example.org", address)[1]

    assert line("2001:db8:0:7::1") == line("2001:db8:0:7:ffff::2") != line("2001:db8:0:8::1")
    assert line("::ffff:192.0.2.7") == line("192.0.2.7") != line("192.0.2.8")
    assert line("unknown") == "address:unknown"


def test_the_account_is_not_readable_in_the_table() -> None:
    assert "baraka" not in KEYS[0]
