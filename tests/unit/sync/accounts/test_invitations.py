"""Invitations: good once, for one person, for a while."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from sync.accounts.invitations import (
    LASTS,
    State,
    accept,
    find_invitation,
    invite,
    open_invitations,
    revoke_invitation,
    state_of,
)
from sync.accounts.people import add_user, find_user
from sync.accounts.roles import role_in
from sync.errors import Exists, Gone, NotFound, Unexpected
from sync.projects.publish import create_project
from tests.support.projects import NOON

PASSWORD = "four baskets of shea"
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def pid(session: Session) -> int:
    journal = create_project(session, {"name": "Siby", "time_zone": "Africa/Bamako"}, None, NOON)
    journal.close()
    return journal.project_id


def test_an_invitation_makes_an_account_with_its_role_once(session: Session, pid: int) -> None:
    made = invite(session, pid, " Nana@Example.org ", "viewer", 1, NOON)

    actor, _ = accept(session, made.token, " Nana ", PASSWORD, NOON)
    assert (actor.name, actor.email, role_in(session, actor, pid)) == ("Nana", "nana@example.org", "viewer")
    session.refresh(made.invitation)
    assert state_of(made.invitation, NOON) is State.USED
    with pytest.raises(Gone):
        accept(session, made.token, "Nana", PASSWORD, NOON)


def test_it_is_good_until_the_last_second_and_not_after(session: Session, pid: int) -> None:
    late = invite(session, pid, "late@example.org", "viewer", 1, NOON)
    in_time = invite(session, pid, "intime@example.org", "viewer", 1, NOON)

    assert state_of(late.invitation, NOON + LASTS) is State.EXPIRED
    assert open_invitations(session, pid, NOON + LASTS) == []
    with pytest.raises(Gone):
        accept(session, late.token, "Late", PASSWORD, NOON + LASTS)
    assert find_user(session, "late@example.org") is None
    accept(session, in_time.token, "In time", PASSWORD, NOON + LASTS - SECOND)


def test_a_second_invitation_of_the_same_person_ends_the_first(session: Session, pid: int) -> None:
    first = invite(session, pid, "nana@example.org", "administrator", 1, NOON)
    second = invite(session, pid, "NANA@example.org", "viewer", 1, NOON + SECOND)

    assert [one.sha256 for one in open_invitations(session, pid, NOON + SECOND)] == [second.invitation.sha256]
    with pytest.raises(Gone):
        accept(session, first.token, "Nana", PASSWORD, NOON + SECOND)


def test_what_was_withdrawn_opens_nothing_and_only_its_project_withdraws_it(session: Session, pid: int) -> None:
    made = invite(session, pid, "nana@example.org", "viewer", 1, NOON)
    key = made.invitation.sha256

    with pytest.raises(NotFound):
        revoke_invitation(session, pid + 1, key, NOON)
    assert state_of(revoke_invitation(session, pid, key, NOON), NOON) is State.REVOKED
    with pytest.raises(Gone):
        accept(session, made.token, "Nana", PASSWORD, NOON)
    with pytest.raises(NotFound):
        revoke_invitation(session, pid, key, NOON)


def test_a_weak_password_does_not_use_it_up(session: Session, pid: int) -> None:
    made = invite(session, pid, "nana@example.org", "viewer", 1, NOON)
    session.commit()

    with pytest.raises(Unexpected):
        accept(session, made.token, "Nana", "short", NOON)
    session.rollback()
    accept(session, made.token, "Nana", PASSWORD, NOON)


def test_nobody_is_invited_over_an_account_that_is_there(session: Session, pid: int) -> None:
    made = invite(session, pid, "nana@example.org", "administrator", 1, NOON)
    add_user(session, "nana@example.org", NOON, name="Nana")

    with pytest.raises(Exists):
        invite(session, pid, "nana@example.org", "viewer", 1, NOON)
    with pytest.raises(Exists):
        accept(session, made.token, "Somebody", PASSWORD, NOON)


def test_a_role_that_is_none_and_a_link_that_never_was_are_refused(session: Session, pid: int) -> None:
    with pytest.raises(Unexpected):
        invite(session, pid, "nana@example.org", "owner", 1, NOON)
    assert find_invitation(session, "siby_" + "x" * 43) is None
    with pytest.raises(NotFound):
        accept(session, "../../etc", "Nana", PASSWORD, NOON)
