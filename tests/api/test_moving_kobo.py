"""Moving in from KoboToolbox over version 2 of its API, from a stand-in that answers as its documentation says."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from forms.workbooks.workbook import read_workbook
from server import clock
from server.commands import moving as commands
from server.db import session
from server.moving.fetching import Stopped
from server.moving.kobo import Kobo
from server.moving.moving import Moved, move_in
from sync.accounts.people import add_device, find_user
from sync.accounts.roles import role_in
from sync.encryption.keys import keys_of_form, make_key
from sync.errors import Unexpected
from sync.intake.posting import Post, receive_post
from sync.intake.prepare import unpack
from sync.journal import open_journal
from sync.models import (
    Actor,
    Attachment,
    Audit,
    Comment,
    Form,
    FormFile,
    FormVersion,
    Quarantined,
    Submission,
    SubmissionVersion,
)
from sync.projects.publish import publish_form
from tests.support.encrypting import encrypted_submission
from tests.support.kobo import TOKEN, Asset, KoboServer, Version, content, row, serving, uuid_of
from tests.support.workbooks import xlsx_of

UID = "aSales"
SELLER, SACKS = row("text", "seller", "Seller", "Vendeuse"), row("integer", "sacks", "Sacks", "Sacs")
VILLAGE = row("select_one", "village", "Village", "Village", select_from_list_name="village")
PHOTO = row("image", "photo", "Photo", "Photo")
SAW = row("select_one_from_file", "shop", "Shop", "Boutique", file="shops.csv")
FIRST = Version("vFirst", content(SELLER, SACKS, VILLAGE, PHOTO, style="pages"), "1 (2026-10-01 08:00:00)")
SECOND = Version("vSecond", content(SELLER, VILLAGE, PHOTO, SAW), "2 (2026-11-01 09:30:00)")
SHOPS = b"name,label\nm1,March\xc3\xa9\n"
PASSPHRASE = "une phrase secrète"
JPEG = b"\xff\xd8\xff a photo of sacks"


@pytest.fixture
def sales() -> Asset:
    """A form in two versions, of which the second asks other things, with three submissions."""
    asset = Asset(UID, "Sales", [FIRST, SECOND], media={"shops.csv": SHOPS})
    asset.send(1, FIRST, "<seller>Awa</seller><sacks>4</sacks><village>siby</village>")
    asset.send(2, SECOND, "<seller>Kadi</seller><photo>a photo.jpg</photo>", files={"a photo.jpg": JPEG})
    asset.send(3, SECOND, "<seller>Nana</seller>", _submitted_by=None)
    return asset


@pytest.fixture
def kobo(sales: Asset, app: Flask) -> Iterator[KoboServer]:
    with serving(KoboServer([sales])) as kobo, app.app_context():
        yield kobo


def moved_from(kobo: KoboServer, project: int | None = None, *chosen: str) -> Moved:
    return move_in(Kobo(kobo.url, TOKEN, chosen), project, "kf.example.org", lambda _: None)


def all_of(column: Any, *where: Any) -> list[Any]:
    found = list(session().scalars(select(column).where(*where).order_by(column)))
    session().rollback()
    return found


def answers_of(number: int) -> dict[str, Any]:
    """The answers that count now of the submission that began as this one."""
    of_it = (Submission.instance_id == uuid_of(number), Submission.current_instance_id == SubmissionVersion.instance_id)
    found = session().scalars(select(SubmissionVersion.answers).join(Submission, of_it[1]).where(*of_it)).one()
    session().rollback()
    return found or {}


def test_forms_submissions_and_files_come_over_each_by_the_version_that_it_was_filled_in_with(
    kobo: KoboServer, sales: Asset
) -> None:
    moved = moved_from(kobo)

    assert (moved.problems, moved.stand_ins) == ([], [])
    assert (moved.versions, moved.submissions, moved.files) == (3, 3, 1)
    assert moved.counted == {UID: (3, 3)}
    form = session().get_one(Form, (moved.project_id, UID))
    assert (form.title, form.version, form.state) == ("Sales", SECOND.uid, "open")
    versions = session().scalars(select(SubmissionVersion)).all()
    assert {one.instance_id: unpack(one.xml) for one in versions} == {
        uuid_of(number): xml for number, xml in sales.xml.items()
    }
    assert {one.form_version for one in versions} == {FIRST.named, SECOND.named}
    assert all_of(Submission.flags) == [[], [], []]
    assert (answers_of(1)["sacks"], answers_of(1)["village"]) == (4, "siby")
    first = session().scalars(select(Submission).where(Submission.instance_id == uuid_of(1))).one()
    assert (first.received_at, first.device) == (dt.datetime(2026, 11, 2, 10, 1, tzinfo=dt.UTC), "collect:abc")
    senders = {"amina (kf.example.org)", "unknown (kf.example.org)"}
    assert senders <= {actor.name for actor in session().scalars(select(Actor))}
    workbook = session().get_one(FormVersion, (moved.project_id, UID, FIRST.named)).source
    assert read_workbook(workbook or b"", "sales.xlsx").form.version == FIRST.named


def test_files_are_fetched_from_the_store_without_the_token(kobo: KoboServer) -> None:
    moved = moved_from(kobo)

    assert kobo.heard == [(f"/{UID}/2/att0?signature=s", None)]
    assert all_of(Attachment.name) == ["a photo.jpg"]
    assert all_of(Attachment.present) == [True]
    assert session().get_one(FormFile, (moved.project_id, UID, "shops.csv")).sha256 is not None


def test_what_was_decided_and_noted_there_stands_here(kobo: KoboServer, sales: Asset) -> None:
    for number, state in ((1, "approved"), (2, "not_approved"), (3, "on_hold")):
        sales.rows[number - 1]["_validation_status"] = {"uid": f"validation_status_{state}", "by_whom": "baraka"}
    sales.rows[2]["_notes"] = ["Quel village ?", {"note": "Siby.", "date_created": "2026-11-03T08:00:00"}]

    moved_from(kobo)

    states = {one.instance_id: one.review_state for one in session().scalars(select(Submission))}
    assert states == {uuid_of(1): "approved", uuid_of(2): "rejected", uuid_of(3): "hasIssues"}
    assert all_of(Comment.body) == ["Quel village ?", "Siby."]


def test_a_form_is_taken_from_its_workbook_where_that_is_the_deployed_version(kobo: KoboServer, sales: Asset) -> None:
    score = row("begin_score", "likes", "Likes", "Aime", **{"kobo--score-choices": "village"})
    third = Version("vThird", content(score, row("score__row", "shea", "Shea", "Karité"), {"type": "end_score"}), "3")
    sales.versions.append(third)
    sales.xls = xlsx_of("""
        | survey     |             |                 |               |
        | type       | name        | label           | calculation   |
        | begin_group | likes      | Likes           |               |
        | select_one village | shea | Shea           |               |
        | end_group  | likes       |                 |               |
        | calculate  | __version__ |                 | 'vThird'      |
        | choices    |             |                 |               |
        | list_name  | name        | label           |               |
        | village    | siby        | Siby            |               |
        | settings   |             |                 |               |
        | id_string  | version     |                 |               |
        | other      | 9           |                 |               |
    """)
    sales.send(4, third, "<likes><shea>siby</shea></likes>")

    moved = moved_from(kobo)

    assert moved.problems == []
    assert answers_of(4)["likes"]["shea"] == "siby"


def test_people_come_with_the_least_of_their_rights_and_nobody_gets_more_than_there(
    kobo: KoboServer, sales: Asset
) -> None:
    other = Asset("aOther", "Other", [Version("vOther", content(SELLER), "1")])
    kobo.assets.append(other)
    view, manage = ["view_asset", "view_submissions"], ["view_asset", "manage_asset"]
    sales.rights = {
        "djeneba": manage,
        "baraka": [*view, "validate_submissions"],
        "fanta": view,
        "sira": view,
        "amina": ["add_submissions"],
        "reader": ["view_asset"],
        "AnonymousUser": view,
    }
    other.rights = {"djeneba": manage, "baraka": view, "sira": view, "amina": view}
    kobo.members = {"baraka": "baraka@example.org", "fanta": "fanta@example.org", "amina": "amina@example.org"}

    moved = moved_from(kobo)

    found = {name: find_user(session(), f"{name}@example.org") for name in ("djeneba", "baraka", "amina", "fanta")}
    roles = {name: role_in(session(), actor, moved.project_id) for name, actor in found.items() if actor}
    assert roles == {"djeneba": "administrator", "baraka": "viewer", "amina": "collector"}
    assert moved.without_role == ["fanta, in some of the forms only (viewer)", "sira (viewer)"]
    assert moved.users == 3


def test_an_address_that_makes_no_account_here_keeps_nobody_else_from_theirs(kobo: KoboServer, sales: Asset) -> None:
    sales.rights = {"amina": ["add_submissions"], "baraka": ["view_submissions"]}
    kobo.members = {"amina": "amina at home", "baraka": "baraka@example.org"}

    moved = moved_from(kobo)

    assert moved.problems == ["Amina, amina at home: This is not an e-mail address."]
    assert moved.users == 1


def test_nobody_gets_a_role_in_a_project_that_has_other_forms_too(kobo: KoboServer, sales: Asset) -> None:
    project = moved_from(kobo).project_id
    sales.rights = {"djeneba": ["manage_asset"]}
    kobo.assets.append(Asset("aOther", "Other", [Version("vOther", content(SELLER), "1")], rights=sales.rights))

    beside = moved_from(kobo, project, "aOther")
    whole = moved_from(kobo, project)
    after = moved_from(kobo, project, "aOther")

    assert (beside.users, beside.without_role) == (0, ["djeneba@example.org (administrator)"])
    assert (whole.users, whole.without_role) == (1, [])
    assert (after.users, after.without_role) == (0, [])


def test_a_file_that_is_gone_is_named_and_one_that_its_store_refuses_comes_with_the_next_run(
    kobo: KoboServer, sales: Asset
) -> None:
    kobo.store_status = 401
    refused = moved_from(kobo)
    kobo.store_status = 200
    sales.files.clear()

    gone = moved_from(kobo, refused.project_id)

    assert refused.problems == [f"{UID} 2: {kobo.store.removeprefix('http://')} answers 401."]
    assert (refused.submissions, gone.counted) == (2, {UID: (3, 3)})
    assert gone.problems == [f"{uuid_of(2)}: its file a photo.jpg, which is gone there"]


def test_a_server_that_gives_the_same_page_again_ends_the_list_and_the_move_is_not_called_whole(
    kobo: KoboServer,
) -> None:
    kobo.deaf = True

    moved = moved_from(kobo)
    called_whole = all_of(Audit.number, Audit.action == "project.moved_in")
    kobo.deaf = False
    moved_from(kobo, moved.project_id)

    assert moved.problems == [f"submissions of {UID}: {kobo.url} gives the same submissions of {UID} again and again."]
    assert called_whole == []
    assert len(all_of(Audit.number, Audit.action == "project.moved_in")) == 1


def test_what_was_corrected_on_both_sides_waits(kobo: KoboServer, sales: Asset) -> None:
    project = moved_from(kobo).project_id
    ids = f"<instanceID>{uuid_of(99)}</instanceID><deprecatedID>{uuid_of(1)}</deprecatedID>"
    ours = (
        sales.xml[1].replace(b"Awa", b"Ours").replace(f"<instanceID>{uuid_of(1)}</instanceID>".encode(), ids.encode())
    )
    tablet, _ = add_device(session(), project, "tablet", clock.now())
    session().commit()
    receive_post(session(), project, tablet.id, Post(ours, ()), clock.now())
    session().commit()
    sales.send(1, SECOND, "<seller>Once</seller>")
    sales.send(1, SECOND, "<seller>Twice</seller>")

    late = moved_from(kobo, project)

    assert answers_of(1)["seller"] == "Ours"
    assert "it waits in quarantine" in late.problems[0]
    assert all_of(Quarantined.state) == ["open"]


def test_moving_again_brings_nothing_twice_and_what_was_corrected_there_as_a_correction(
    kobo: KoboServer, sales: Asset
) -> None:
    first = moved_from(kobo)
    again = moved_from(kobo, first.project_id)
    sales.send(1, SECOND, "<seller>Awa</seller><village>kati</village>")
    sales.send(4, SECOND, "<seller>Sali</seller>")

    late = moved_from(kobo, first.project_id)

    assert (again.versions, again.problems, again.here_before) == (0, [], 2)  # the last one is looked at once more
    assert (late.problems, late.submissions, late.counted) == ([], 3, {UID: (4, 4)})
    assert answers_of(1)["village"] == "kati"
    corrected = session().scalars(select(Submission).where(Submission.instance_id == uuid_of(1))).one()
    assert corrected.versions == 2


def test_a_correction_of_a_correction_that_nobody_hands_out_joins_its_submission(
    kobo: KoboServer, sales: Asset
) -> None:
    for number in (2, 3):
        sales.send(number, SECOND, "<seller>Half</seller>")
        sales.send(number, SECOND, "<seller>Whole</seller>")  # neither of the two before will come over
    first = moved_from(kobo)
    unchanged = moved_from(kobo, first.project_id)
    for number in (1, 3):
        sales.send(number, SECOND, "<seller>Once</seller>")
        sales.send(number, SECOND, "<seller>Twice</seller>")

    late = moved_from(kobo, first.project_id)
    again = moved_from(kobo, first.project_id)

    assert [one.problems for one in (first, unchanged, late, again)] == [[], [], [], []]
    assert (unchanged.submissions, unchanged.here_before) == (1, 2)
    assert late.counted == {UID: (3, 3)}
    assert sorted(one.versions for one in session().scalars(select(Submission))) == [1, 2, 2]
    now = select(SubmissionVersion.answers).join(
        Submission, Submission.current_instance_id == SubmissionVersion.instance_id
    )
    assert sorted((answers or {})["seller"] for answers in session().scalars(now)) == ["Twice", "Twice", "Whole"]


def test_answers_that_break_off_and_a_server_that_is_busy_are_asked_again(kobo: KoboServer) -> None:
    kobo.cut, kobo.busy = 2, 2

    moved = moved_from(kobo)

    assert (moved.problems, moved.submissions) == ([], 3)


def test_moving_that_was_cut_short_goes_on_where_it_stopped(kobo: KoboServer) -> None:
    kobo.revoked_after = 11  # somewhere among the submissions
    with pytest.raises(Stopped, match=r"answers 401: .* Begun again with --project 1, this goes on from here\."):
        moved_from(kobo)
    begun = len(all_of(Submission.id))

    kobo.revoked_after = None
    moved = moved_from(kobo, 1)

    assert 0 < begun < 3
    assert (moved.problems, moved.counted) == ([], {UID: (3, 3)})


def test_the_same_version_deployed_again_is_known_and_one_that_is_gone_is_stood_for(
    kobo: KoboServer, sales: Asset
) -> None:
    again = Version(FIRST.uid, FIRST.content, "1 (2026-10-05 17:00:00)")
    gone = Version("vGone", FIRST.content, "0 (2026-09-01 07:00:00)")
    sales.send(4, again, "<seller>Sali</seller><sacks>7</sacks>")
    sales.send(5, gone, "<seller>Rokia</seller><sacks>2</sacks>")

    moved = moved_from(kobo)

    assert (moved.problems, moved.stand_ins) == ([], [f"{UID} {gone.named}"])
    assert answers_of(4)["sacks"] == 7
    assert "sacks" not in answers_of(5)
    assert session().get_one(Form, (moved.project_id, UID)).version == SECOND.uid


def test_encrypted_submissions_come_unopened_also_of_a_version_that_is_gone_and_tablets_send_here(
    kobo: KoboServer, sales: Asset
) -> None:
    key = make_key(PASSPHRASE)
    theirs = {"public_key": key.public, "submission_url": "https://kc.example.org/submission"}
    now, gone = (Version("vSealed", content(SELLER, PHOTO, **theirs), named) for named in ("3", "2"))
    sales.versions.append(now)
    sent = {}
    for number, version in ((4, now), (5, gone)):
        own = uuid_of(number)
        xml = f'<{UID} id="{UID}" version="{version.named}"><photo>p.jpg</photo></{UID}>'.encode()
        sent[number] = encrypted_submission(
            key.public, xml, form_id=UID, version=version.named, instance_id=own, media={"p.jpg": JPEG}
        )
        sales.send(number, version, "", files=sent[number].files)
        sales.xml[number] = sent[number].manifest

    moved = moved_from(kobo)

    assert (moved.problems, moved.stand_ins, moved.counted) == ([], [f"{UID} 3", f"{UID} 2"], {UID: (5, 5)})
    sealed = SubmissionVersion.encrypted_key.is_not(None)
    found = session().scalars(select(SubmissionVersion).where(sealed)).all()
    assert {one.instance_id: unpack(one.xml) for one in found} == {uuid_of(n): one.manifest for n, one in sent.items()}
    assert all_of(Submission.missing) == [0] * 5
    form = session().get_one(FormVersion, (moved.project_id, UID, now.uid))
    [kept] = keys_of_form(session(), moved.project_id, UID)
    assert (kept.public, kept.id) == (key.public, form.key_id)
    assert all_of(FormVersion.key_id, FormVersion.version.in_(["2", "3"])) == [kept.id] * 2
    assert b"kc.example.org" not in form.xform


def test_a_form_that_makes_none_here_is_named_and_its_submissions_wait_for_it(kobo: KoboServer, sales: Asset) -> None:
    broken = Version("vBroken", content(SELLER, row("integer", "sum", "Sum", "Somme", relevant="${none} > 1")), "1")
    sales.versions, sales.rows = [broken], []
    sales.send(7, broken, "<seller>Awa</seller>")

    moved = moved_from(kobo)

    again = moved_from(kobo, moved.project_id)
    assert moved.problems[0].startswith(f"form {UID} vBroken: ")
    assert "none" in moved.problems[0]
    assert again.problems == moved.problems
    assert all_of(Quarantined.state) == ["open"]
    assert "it waits in quarantine" in moved.problems[1]
    assert (moved.submissions, moved.counted) == (0, {UID: (1, 0)})
    journal = open_journal(session(), moved.project_id, None, clock.now())
    mended = xlsx_of(f"""
        | survey   |         |        |
        | type     | name    | label  |
        | text     | seller  | Seller |
        | settings |         |        |
        | form_id  | version |        |
        | {UID}    | 1       |        |
    """)
    assert publish_form(journal, read_workbook(mended, "mended.xlsx")) == 1
    journal.close()
    session().commit()
    assert all_of(Quarantined.state) == ["resolved"]


def test_what_is_unreadable_or_has_a_former_form_id_or_an_id_twice_is_neither_lost_nor_mixed_up(
    kobo: KoboServer, sales: Asset
) -> None:
    sales.send(4, SECOND, "<seller>Sali</seller>", id="former_name")
    sales.send(5, SECOND, "<seller>Other</seller>")
    sales.xml[3] = b"<" + UID.encode()
    sales.rows[4] |= {"meta/instanceID": uuid_of(1), "_uuid": uuid_of(1)[5:]}
    sales.xml[5] = sales.xml[5].replace(uuid_of(5).encode(), uuid_of(1).encode())

    moved = moved_from(kobo)

    assert answers_of(4)["seller"] == "Sali"
    assert moved.counted == {UID: (5, 3)}
    assert len(moved.problems) == 2
    assert "quarantined; it waits in quarantine" in moved.problems[0]
    assert "conflict; it waits in quarantine" in moved.problems[1]


def test_a_form_whose_data_this_account_may_not_see_does_not_keep_the_others(kobo: KoboServer) -> None:
    kobo.assets.insert(0, Asset("aHidden", "Hidden", [Version("vHidden", content(SELLER), "1")], active=False))
    kobo.assets.append(Asset("aDraft", "Draft", [Version("vDraft", content(SELLER), "1", deployed=False)]))
    kobo.blind = {"aHidden"}

    moved = moved_from(kobo)

    assert len(moved.problems) == 1
    assert moved.problems[0].startswith("submissions of aHidden: ")
    assert "does not let this account read" in moved.problems[0]
    assert moved.submissions == 3
    assert all_of(Form.form_id) == ["aHidden", UID]
    assert session().get_one(Form, (moved.project_id, "aHidden")).state == "closed"


def test_only_the_forms_that_were_named_come_and_what_cannot_be_meant_is_said(kobo: KoboServer, sales: Asset) -> None:
    draft = Asset("aDraft", "Draft", [Version("vDraft", content(SELLER), "1", deployed=False)])
    kobo.assets += [Asset("aOther", "Other", [Version("vOther", content(SELLER), "1")]), draft]

    assert Kobo(f"{kobo.url}/#/projects", TOKEN, [UID]).name() == "Sales"
    assert [form.form_id for form in Kobo(kobo.url, TOKEN, [UID]).forms()] == [UID]
    with pytest.raises(Unexpected, match="was never deployed"):
        Kobo(kobo.url, TOKEN, ["aDraft"]).name()
    with pytest.raises(Unexpected, match="shows this account no form aNone"):
        Kobo(kobo.url, TOKEN, ["aNone"]).name()
    with pytest.raises(Unexpected, match=r"not that of kc\."):
        Kobo(f"{kobo.url}/amina", TOKEN).name()
    with pytest.raises(Stopped, match="answers 401"):
        Kobo(kobo.url, "mistyped").name()


def test_the_command_tells_what_came_over_and_what_did_not(kobo: KoboServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "installation_opened", contextlib.nullcontext)

    done = CliRunner().invoke(commands.move, ["kobo", f"{kobo.url}/#/projects", "--form", UID], input=f"{TOKEN}\n")
    mistyped = CliRunner().invoke(commands.move, ["kobo", kobo.url], env={"SIBY_MOVE_TOKEN": "mistyped"})

    assert done.exit_code == 0, done.output
    assert f"{UID}: 3 submissions there, 3 here." in done.output
    assert "Project 1: 3 form versions, 3 submissions with 1 file, 0 entities, 0 people." in done.output
    assert mistyped.exit_code == 1
    assert mistyped.output == f"Error: {kobo.url} answers 401: the password or token is wrong, or no longer valid.\n"
