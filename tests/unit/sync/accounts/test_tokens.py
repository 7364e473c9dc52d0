"""Tokens: good until they expire, are revoked, or idle away; a link once."""

import datetime as dt

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sync.accounts.people import add_device, add_user, disable
from sync.accounts.tokens import find_token, is_well_formed, issue_token, note_use, revoke, use_link
from sync.errors import Exists, NotFound, Unexpected
from sync.models import Actor, Project
from sync.models.database import begin_writing

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)


@pytest.fixture
def actor(session: Session) -> Actor:
    begin_writing(session)
    return add_user(session, " Baraka@Example.org ", NOW)


def later(**of: float) -> dt.datetime:
    return NOW + dt.timedelta(**of)


def test_an_api_token_is_good_until_it_is_revoked(session: Session, actor: Actor) -> None:
    token = issue_token(session, actor.id, "api", NOW).token

    known = find_token(session, token, later(days=4000))
    assert known is not None
    assert known.actor.email == "baraka@example.org"
    assert revoke(session, known.sha256, NOW)
    assert not revoke(session, known.sha256, NOW)
    session.expire_all()
    assert find_token(session, token, NOW) is None


def test_a_session_ends_after_half_an_hour_of_rest_and_after_twelve_hours(session: Session, actor: Actor) -> None:
    token = issue_token(session, actor.id, "session", NOW).token

    for minutes in range(0, 719, 29):
        known = find_token(session, token, later(minutes=minutes))
        assert known is not None
        note_use(session, known.sha256, later(minutes=minutes))
        session.expire_all()
    assert find_token(session, token, later(minutes=720)) is None


def test_a_session_that_rested_is_over(session: Session, actor: Actor) -> None:
    token = issue_token(session, actor.id, "session", NOW).token

    assert find_token(session, token, later(minutes=29)) is not None
    assert find_token(session, token, later(minutes=31)) is None


def test_a_link_works_once_and_not_for_long(session: Session, actor: Actor) -> None:
    link, late = (issue_token(session, actor.id, "link", NOW).token for _ in range(2))

    assert find_token(session, link, NOW) is None
    assert use_link(session, link, later(minutes=14)) is actor
    assert use_link(session, link, later(minutes=14)) is None
    assert use_link(session, late, later(minutes=15)) is None


def test_whoever_is_disabled_has_no_good_token(session: Session, actor: Actor) -> None:
    token = issue_token(session, actor.id, "api", NOW).token
    disable(session, actor, NOW)
    session.flush()
    session.expire_all()

    assert find_token(session, token, NOW) is None


@pytest.mark.parametrize(
    "token", ["", "siby_", "siby_" + "a" * 42, "siby_" + "a" * 44, "SIBY_" + "a" * 43, "siby_" + "é" * 43]
)
def test_what_could_be_no_token_is_known_by_its_shape(token: str) -> None:
    assert not is_well_formed(token)


def test_an_address_has_one_account(session: Session, actor: Actor) -> None:
    with pytest.raises(Exists):
        add_user(session, "BARAKA@example.org", NOW)
    with pytest.raises(Unexpected):
        add_user(session, "no address", NOW)


def test_a_device_belongs_to_a_project_and_has_a_name_of_its_own_there(session: Session) -> None:
    begin_writing(session)
    session.add_all([Project(id=number, name="Siby", created_at=NOW) for number in (1, 2)])
    session.flush()

    made = [add_device(session, project, name, NOW) for project, name in ((1, "T1"), (1, "T2"), (2, "T1"))]

    assert len({actor.id for actor, _ in made}) == 3
    with pytest.raises(Exists):
        add_device(session, 1, "T1", NOW)
    with pytest.raises(NotFound):
        add_device(session, 9, "T1", NOW)


def test_two_requests_with_one_link_let_one_in(engine: Engine) -> None:
    with Session(engine) as session:
        begin_writing(session)
        actor = add_user(session, "baraka@example.org", NOW)
        link = issue_token(session, actor.id, "link", NOW).token
        session.commit()

    let_in = 0
    for _ in range(2):
        with Session(engine) as session:
            begin_writing(session)
            let_in += use_link(session, link, NOW) is not None
            session.commit()

    assert let_in == 1
