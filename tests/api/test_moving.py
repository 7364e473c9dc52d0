"""Moving in from another server over its own interface: the other one here is a Siby too, asked as ODK Central and as
KoboToolbox would be."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.workbooks.workbook import read_workbook
from server import clock
from server.app import create_app
from server.commands import forms as form_commands
from server.db import engine_of, session
from server.moving.central import Central
from server.moving.found import FoundForm, FoundId, FoundVersion
from server.moving.moving import Moved, move_in
from server.moving.openrosa import OpenRosa
from server.settings import Settings
from sync.accounts.installation import found_installation
from sync.accounts.people import add_device, find_user
from sync.accounts.roles import role_in
from sync.encryption.keys import make_key
from sync.entities.writing import update_entity
from sync.errors import Undecryptable, Unexpected
from sync.exports.exporting import prepare_export
from sync.exports.options import Options
from sync.intake.posting import Post, receive_post
from sync.intake.prepare import unpack
from sync.journal import open_journal
from sync.models import (
    Actor,
    Attachment,
    Comment,
    EncryptionKey,
    Entity,
    EntityList,
    Form,
    FormVersion,
    Quarantined,
    Submission,
    SubmissionVersion,
)
from sync.models.database import begin_writing
from sync.projects.keys import encrypt_project
from sync.projects.publish import create_project, publish_form
from sync.review.decide import set_review_state
from sync.review.removing import delete_submission
from tests.conftest import create_tables
from tests.support.collect import Collect, through
from tests.support.encrypting import Encrypted, encrypted_submission
from tests.support.exports import publish
from tests.support.live import served
from tests.support.projects import NOON, SALE, a_sale, instance_id
from tests.support.web import PASSWORD, House, shown
from tests.support.workbooks import a_workbook, xlsx_of

VISIT = """
    | survey  |      |       |
    | type    | name | label |
    | select_one_from_file a_corriger.csv | to_correct | Which? |
    | integer | sacks | Sacks |
"""
NOTE = "| survey |\n| type | name | label |\n| text | note | Note |\n"
PHOTO = b"\xff\xd8\xff a photo of sacks"


@pytest.fixture
def elsewhere(house: House, here: Flask) -> Iterator[str]:
    """The address of a server with something to bring along."""
    # It begins to answer once the other application is made: Python 3.11 cannot make two at once in two threads.
    photo = {"name": "p.jpg", "sha256": hashlib.sha256(PHOTO).hexdigest(), "size": len(PHOTO), "type": "image/jpeg"}
    items = [a_sale(1, photo="p.jpg") | {"attachments": [photo]}, a_sale(2), a_sale(3), a_sale(4, edits=3, sacks=9)]
    assert house.amina.outcomes(*items) == ["stored", "stored", "stored", "edited"]
    path = f"forms/sale/submissions/{instance_id(1)}"
    assert house.baraka.post(f"{path}/attachments/p.jpg", data=PHOTO).status_code == 200
    shown(house.baraka.patch(f"forms/sale/submissions/{instance_id(2)}", json={"reviewState": "hasIssues"}))
    shown(house.baraka.post(f"forms/sale/submissions/{instance_id(2)}/comments", json={"body": "Quel village ?"}))
    shown(house.djeneba.post("datasets/people/entities", json={"label": "Kadi", "data": {"seller": "Kadi"}}))
    shown(house.djeneba.patch("forms/sale", json={"state": "closed"}))
    with served(house.app) as url:
        yield url


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Flask]:
    """Another installation, still empty."""
    folder = tmp_path / "here"
    folder.mkdir()
    app = create_app(Settings(folder=folder, reserve_mb=0))
    engine = engine_of(app)
    create_tables(str(engine.url))
    with Session(engine) as opened:
        begin_writing(opened)
        found_installation(opened, clock.now())
        opened.commit()
    with app.app_context():
        yield app
    engine.dispose()


def from_central(url: str, house: House, project: int | None = None) -> Moved:
    central = Central.signed_in(url, house.pid, "djeneba@example.org", PASSWORD)
    return move_in(central, project, "central.example.org", lambda _: None)


def all_of(column: Any, *where: Any) -> list[Any]:
    found = list(session().scalars(select(column).where(*where).order_by(column)))
    session().rollback()
    return found


def versions_of(app: Flask, pid: int) -> dict[str, tuple[bytes, Any]]:
    """The bytes of every instance, and when it was received."""
    with app.app_context():
        rows = session().scalars(select(SubmissionVersion).where(SubmissionVersion.project_id == pid)).all()
        return {row.instance_id: (unpack(row.xml), row.received_at) for row in rows}


def test_everything_of_a_project_on_central_comes_over_byte_for_byte(elsewhere: str, house: House, here: Flask) -> None:
    moved = from_central(elsewhere, house)

    pid = moved.project_id
    assert moved.problems == []
    assert (moved.versions, moved.submissions, moved.files) == (1, 3, 1)
    assert versions_of(here, pid) == versions_of(house.app, house.pid)
    with here.app_context():
        reviewed = session().scalars(select(Submission).where(Submission.instance_id == instance_id(2))).one()
        assert (reviewed.review_state, reviewed.missing) == ("hasIssues", 0)
        edited = session().scalars(select(Submission).where(Submission.instance_id == instance_id(3))).one()
        assert (edited.versions, edited.current_instance_id) == (2, instance_id(4))
        assert session().get_one(Form, (pid, "sale")).state == "closed"
    said = shown(house.baraka.get(f"forms/sale/submissions/{instance_id(2)}/comments"))
    with here.app_context():
        comment = session().scalars(select(Comment)).one()
        speaker = session().get_one(Actor, comment.actor_id)
        assert (comment.body, speaker.name) == ("Quel village ?", "Baraka (central.example.org)")
        assert comment.at == dt.datetime.fromisoformat(said[0]["createdAt"])
    assert all_of(Attachment.present) == [True]
    assert "Kadi" in all_of(Entity.label)
    assert len(all_of(Entity.label)) == 4
    with house.app.app_context():
        there = session().scalars(select(FormVersion.md5).where(FormVersion.project_id == house.pid)).all()
    assert all_of(FormVersion.md5) == there


def test_rows_that_were_deleted_there_are_not_made_again_by_the_submissions_that_made_them(
    elsewhere: str, house: House, here: Flask
) -> None:
    entity = shown(house.baraka.get("datasets/people/entities"))[0]
    shown(house.baraka.delete(f"datasets/people/entities/{entity['uuid']}"))

    from_central(elsewhere, house)

    living = all_of(Entity.id, Entity.deleted_at.is_(None))
    assert len(living) == 3
    assert entity["uuid"] not in living


def test_rows_come_over_with_the_very_texts_that_they_have_there(elsewhere: str, house: House, here: Flask) -> None:
    texts = ["=1+1", "'quoted", "@home", "two\r\nlines", 'a "b", c', "-5"]
    made = [{"label": f"{text}!", "data": {"seller": text}} for text in texts]
    shown(house.djeneba.post("datasets/people/entities", json={"entities": made, "source": {"name": "list"}}))

    from_central(elsewhere, house)

    rows = session().scalars(select(Entity)).all()
    assert {(f"{text}!", text) for text in texts} <= {(row.label, row.data.get("seller")) for row in rows}


def test_what_waits_for_approval_there_waits_here_and_acts_once_it_is_approved(
    elsewhere: str, house: House, here: Flask
) -> None:
    shown(house.djeneba.patch("forms/sale", json={"state": "open"}))
    shown(house.baraka.patch("datasets/people", json={"approvalRequired": True, "ownerOnly": True}))
    assert house.amina.outcomes(a_sale(7, seller="Waits"), a_sale(8, seller="Good"), batch="b2") == ["stored"] * 2
    shown(house.baraka.patch(f"forms/sale/submissions/{instance_id(8)}", json={"reviewState": "approved"}))

    moved = from_central(elsewhere, house)

    assert moved.problems == []
    labels = all_of(Entity.label)
    assert ("Good" in labels, "Waits" in labels) == (True, False)
    people = session().get_one(EntityList, (moved.project_id, "people"))
    assert (people.approval_required, people.owner_only) == (True, True)


def test_a_rule_about_tablets_that_cannot_be_brought_along_is_told_before_tablets_get_everything(
    elsewhere: str, house: House, here: Flask
) -> None:
    shown(house.baraka.patch("datasets/people", json={"accessFilter": {"type": "assigned"}}))

    first = from_central(elsewhere, house)
    again = from_central(elsewhere, house, first.project_id)

    assert first.problems == ["list people: the rule which rows reach which tablets; every tablet gets all"]
    assert again.problems == []


def test_a_list_that_cannot_be_called_so_here_is_told_and_all_else_comes_over(
    elsewhere: str, house: House, here: Flask
) -> None:
    with house.app.app_context():
        begin_writing(session())
        session().add(EntityList(project_id=house.pid, name="mes_envois", properties=[], created_at=NOON))
        session().commit()

    moved = from_central(elsewhere, house)

    told = "list mes_envois: Every device has a list called mes_envois for itself; choose another name."
    assert moved.problems == [told]
    assert (moved.submissions, all_of(Entity.label, Entity.label == "Kadi")) == (3, ["Kadi"])
    assert all_of(EntityList.name, EntityList.project_id == moved.project_id) == ["people"]


def test_a_form_whose_id_would_be_the_address_of_a_feed_is_told_and_all_else_comes_over(
    elsewhere: str, house: House, here: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    xform = read_workbook(a_workbook("note.svc", "1", NOTE), "note.xlsx").xform
    odd = FoundForm("note.svc", "Note", "open", [FoundVersion("note.svc", "1", xform, None, {})])
    forms, ids, fetch = Central.forms, Central.submission_ids, Central.submission
    sent = [FoundId(instance_id(number), instance_id(number)) for number in (31, 32, 33)]
    fetched = []
    monkeypatch.setattr(Central, "forms", lambda central: chain([odd], forms(central)))
    monkeypatch.setattr(
        Central, "submission_ids", lambda central, form: iter(sent) if form == "note.svc" else ids(central, form)
    )
    monkeypatch.setattr(
        Central, "submission", lambda central, form, id_: fetched.append(form) or fetch(central, form, id_)
    )

    moved = from_central(elsewhere, house)

    assert len(moved.problems) == 2
    assert moved.problems[0].startswith("form note.svc 1: A form's id cannot end in .svc")
    assert moved.problems[1] == (
        "submissions of note.svc: 3 submissions, not fetched, as a form with this id cannot be here"
    )
    assert (set(fetched), moved.counted["note.svc"], all_of(Quarantined.id)) == ({"sale"}, (3, 0), [])
    assert (moved.submissions, all_of(Form.form_id, Form.project_id == moved.project_id)) == (3, ["sale"])


def test_a_row_that_was_changed_here_since_is_left_alone_and_one_changed_there_comes_along(
    elsewhere: str, house: House, here: Flask
) -> None:
    first = from_central(elsewhere, house)
    ours, theirs = (row["uuid"] for row in shown(house.baraka.get("datasets/people/entities"))[:2])
    journal = open_journal(session(), first.project_id, None, clock.now())
    update_entity(journal, "people", ours, label="Changed here", force=True)
    journal.close()
    session().commit()
    shown(house.baraka.patch(f"datasets/people/entities/{theirs}?force=true", json={"label": "Changed there"}))

    again = from_central(elsewhere, house, first.project_id)

    assert again.problems == []
    assert all_of(Entity.label, Entity.id.in_([ours, theirs])) == ["Changed here", "Changed there"]


def test_who_worked_there_has_the_same_role_here_and_no_password(elsewhere: str, house: House, here: Flask) -> None:
    shown(house.sekou.post(f"/v1/assignments/admin/{house.djeneba.actor_id}"))

    moved = from_central(elsewhere, house)

    found = {name: find_user(session(), f"{name}@example.org") for name in ("baraka", "fanta", "coumba")}
    assert found["coumba"] is None
    assert found["baraka"] is not None
    assert found["fanta"] is not None
    assert role_in(session(), found["baraka"], moved.project_id) == "coordinator"
    assert role_in(session(), found["fanta"], moved.project_id) == "viewer"
    assert found["fanta"].password_hash is None


def test_moving_again_brings_nothing_twice_and_fetches_what_is_new(elsewhere: str, house: House, here: Flask) -> None:
    first = from_central(elsewhere, house)
    again = from_central(elsewhere, house, first.project_id)

    assert (again.versions, again.users, again.problems) == (0, 0, [])
    assert (again.submissions, again.here_before) == (1, 2)  # the last one is looked at once more

    shown(house.djeneba.patch("forms/sale", json={"state": "open"}))
    house.amina.outcomes(a_sale(7), a_sale(8, edits=1, sacks=5), batch="b2")
    late = from_central(elsewhere, house, first.project_id)

    assert (late.problems, late.submissions) == ([], 2)
    assert versions_of(here, first.project_id) == versions_of(house.app, house.pid)


def test_encrypted_submissions_come_over_unopened_and_are_whole_once_every_file_is_there(
    elsewhere: str, house: House, here: Flask
) -> None:
    tablet, key = an_encrypting_tablet(house)
    sent = {number: sealed(key, number) for number in (30, 31)}
    assert tablet.post(sent[30].manifest, sent[30].files).status == 201
    assert tablet.post(sent[31].manifest, {"submission.xml.enc": sent[31].files["submission.xml.enc"]}).status == 201

    first = from_central(elsewhere, house)
    early = {row.instance_id: (row.missing, row.review_state) for row in submissions_of("visit")}
    decide(first.project_id, instance_id(31), "rejected")
    assert tablet.post(sent[31].manifest, sent[31].files).status in (201, 202)
    again = from_central(elsewhere, house, first.project_id)
    last = from_central(elsewhere, house, first.project_id)

    assert (first.problems, again.problems, last.problems) == ([], [], [])
    assert early == {instance_id(30): (0, None), instance_id(31): (1, None)}
    found = {row.instance_id: (row.missing, row.review_state) for row in submissions_of("visit")}
    assert found == {instance_id(30): (0, None), instance_id(31): (0, "rejected")}
    assert versions_of(here, first.project_id) == versions_of(house.app, house.pid)
    kept = set(all_of(Attachment.sha256, Attachment.name.endswith(".enc")))
    assert kept == {hashlib.sha256(content).hexdigest() for one in sent.values() for content in one.files.values()}


def test_what_was_corrected_or_deleted_here_stays_so_though_files_and_comments_come_later(
    elsewhere: str, house: House, here: Flask
) -> None:
    publish_own(house, "style", "pages")
    tablet = a_tablet(house)
    for number in (30, 31):
        assert tablet.post(a_visit(number)).status == 201
        shown(house.baraka.patch(f"forms/visit/submissions/{instance_id(number)}", json={"reviewState": "approved"}))
    pid = from_central(elsewhere, house).project_id
    office, _ = add_device(session(), pid, "office", clock.now())
    session().commit()
    receive_post(session(), pid, office.id, Post(a_visit(32, edits=30)), clock.now)
    [deleted] = all_of(Submission.id, Submission.instance_id == instance_id(31))
    journal = open_journal(session(), pid, None, clock.now())
    delete_submission(journal, deleted)
    journal.close()
    session().commit()
    shown(house.baraka.post(f"forms/visit/submissions/{instance_id(31)}/comments", json={"body": "Quel village ?"}))

    again = from_central(elsewhere, house, pid)

    assert again.problems == []
    found = {row.current_instance_id: (row.review_state, row.deleted_at) for row in submissions_of("visit")}
    assert found[instance_id(32)] == ("edited", None)
    assert found[instance_id(31)][1] is not None


def test_with_the_private_half_of_their_key_encrypted_submissions_open_after_the_move(
    elsewhere: str, house: House, here: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tablet, key = an_encrypting_tablet(house)
    sent = sealed(key, 30)
    assert tablet.post(sent.manifest, sent.files).status == 201
    pid = from_central(elsewhere, house).project_id
    monkeypatch.setattr(form_commands, "installation_opened", contextlib.nullcontext)
    files = {"own": key, "other": generate_private_key(public_exponent=65537, key_size=2048)}
    for name, private in files.items():
        (tmp_path / name).write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    bring, typed = ["key", "--project", str(pid)], f"{PASSWORD}\n{PASSWORD}\n"

    closed = opened_with(pid, {})
    brought = CliRunner().invoke(form_commands.form, [*bring, str(tmp_path / "own")], input=typed)

    assert brought.exit_code == 0, brought.output
    assert PASSWORD not in brought.output
    [key_id] = all_of(EncryptionKey.id)
    assert closed == [(instance_id(30), None)]
    assert opened_with(pid, {key_id: PASSWORD}) == [(instance_id(30), "p.jpg")]
    for name, why in (("own", "here already"), ("other", "No form of the project")):
        refused = CliRunner().invoke(form_commands.form, [*bring, str(tmp_path / name)], input=typed)
        assert why in str(refused.exception)
    with pytest.raises(Undecryptable, match="not the passphrase"):
        opened_with(pid, {key_id: "another one"})


def test_in_a_project_with_a_key_what_was_filled_in_openly_is_filed_and_the_forms_are_encrypted_from_then_on(
    elsewhere: str, house: House, here: Flask
) -> None:
    journal = create_project(session(), {"name": "Sealed"}, None, clock.now())
    encrypt_project(journal, make_key(PASSWORD))
    journal.close()
    session().commit()

    moved = from_central(elsewhere, house, journal.project_id)
    again = from_central(elsewhere, house, journal.project_id)

    assert (moved.problems, again.problems) == ([], [])
    assert (moved.counted, again.versions) == ({"sale": (3, 3)}, 0)
    assert versions_of(here, moved.project_id) == versions_of(house.app, house.pid)
    current = session().get_one(Form, (moved.project_id, "sale")).version
    assert current.startswith("1[encrypted:")
    assert session().get_one(FormVersion, (moved.project_id, "sale", current)).key_id is not None


def test_a_form_by_which_tablets_would_go_on_sending_to_another_server_is_named(
    elsewhere: str, house: House, here: Flask
) -> None:
    address = "https://kc.example.org/submission"
    publish_own(house, "submission_url", address)

    moved = from_central(elsewhere, house)

    assert (moved.problems, moved.sent_elsewhere["visit"]) == ([], address)


def an_encrypting_tablet(house: House) -> tuple[Collect, RSAPrivateKey]:
    """A tablet for the form `visit`, which brings its own key, and the private half of that."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    publish_own(house, "public_key", public_of(key))
    return a_tablet(house), key


def a_tablet(house: House) -> Collect:
    return Collect(through(house.app.test_client().open), f"/v1/key/{house.amina.token}/projects/{house.pid}")


def publish_own(house: House, name: str, value: str) -> None:
    """The form `visit`, with this setting too."""
    workbook = xlsx_of(f"""
        | survey   |         |         |
        | type     | name    | label   |
        | image    | photo   | Photo   |
        | settings |         |         |
        | form_id  | version | {name}  |
        | visit    | 1       | {value} |
    """)
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, read_workbook(workbook, "visit.xlsx"))
        journal.close()
        session().commit()


def public_of(key: RSAPrivateKey) -> str:
    raw = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(raw).decode()


def a_visit(number: int, edits: int | None = None) -> bytes:
    meta = f"<instanceID>{instance_id(number)}</instanceID>"
    if edits is not None:
        meta += f"<deprecatedID>{instance_id(edits)}</deprecatedID>"
    return f'<data id="visit" version="1"><photo>p.jpg</photo><meta>{meta}</meta></data>'.encode()


def sealed(key: RSAPrivateKey, number: int) -> Encrypted:
    own, media = instance_id(number), {"p.jpg": PHOTO}
    sent = a_visit(number)
    return encrypted_submission(public_of(key), sent, form_id="visit", version="1", instance_id=own, media=media)


def submissions_of(form_id: str) -> list[Submission]:
    found = list(session().scalars(select(Submission).where(Submission.form_id == form_id)))
    session().rollback()
    return found


def decide(project_id: int, instance_id: str, state: str) -> None:
    journal = open_journal(session(), project_id, None, clock.now())
    of_it = (Submission.project_id == project_id, Submission.instance_id == instance_id)
    set_review_state(journal, session().scalars(select(Submission.id).where(*of_it)).one(), state)
    journal.close()
    session().commit()


def opened_with(project_id: int, passphrases: dict[int, str]) -> list[tuple[str, Any]]:
    """The photos of the form `visit` as an export with these passphrases has them."""
    export = prepare_export(session(), project_id, "visit", Options(format="csv"), clock.now(), passphrases)
    rows = list(export.source.submissions())
    session().rollback()
    return [(row.instance_id, row.answers.get("photo")) for row in rows]


def test_a_wrong_password_and_a_server_that_is_none_are_told_in_words(
    elsewhere: str, house: House, here: Flask
) -> None:
    with pytest.raises(Unexpected, match="answers 401"):
        Central.signed_in(elsewhere, house.pid, "djeneba@example.org", "wrong password here")
    with pytest.raises(Unexpected, match="does not answer"):
        Central.signed_in("http://127.0.0.1:1", house.pid, "djeneba@example.org", PASSWORD)
    with pytest.raises(Unexpected, match="holds no password"):
        Central.signed_in(elsewhere.replace("://", "://djeneba:secret@"), house.pid, "djeneba@example.org", PASSWORD)


def test_forms_and_submissions_come_from_a_server_that_speaks_openrosa(
    elsewhere: str, house: House, here: Flask
) -> None:
    shown(house.djeneba.patch("forms/sale", json={"state": "open"}))

    moved = move_in(OpenRosa(elsewhere, "djeneba@example.org", PASSWORD), None, "kc.example.org", lambda _: None)

    assert moved.problems == []
    assert (moved.versions, moved.submissions, moved.files) == (1, 3, 1)
    there, came = versions_of(house.app, house.pid), versions_of(here, moved.project_id)
    assert set(came) == {instance_id(1), instance_id(2), instance_id(3)}
    assert all(
        abs(there[name][1] - received_at) < dt.timedelta(milliseconds=1) for name, (_, received_at) in came.items()
    )
    with here.app_context():
        edited = (
            session().scalars(select(SubmissionVersion).where(SubmissionVersion.instance_id == instance_id(3))).one()
        )
        assert (edited.answers or {})["sacks"] == 9
    assert all_of(Attachment.present) == [True]


def test_what_was_corrected_by_choosing_it_on_the_tablet_comes_over_openrosa_in_its_last_state(
    elsewhere: str, house: House, here: Flask
) -> None:
    publish(house.app, house.pid, "visit", "1", VISIT)
    for number, chosen, sacks in ((11, None, 4), (12, 11, 6), (13, 12, 7)):
        row = instance_id(chosen).removeprefix("uuid:") if chosen else ""
        body = f"<to_correct>{row}</to_correct><sacks>{sacks}</sacks>"
        xml = f'<data id="visit" version="1">{body}<meta><instanceID>{instance_id(number)}</instanceID></meta></data>'
        sent = house.amina.post("forms/visit/submissions", data=xml, headers={"Content-Type": "application/xml"})
        assert sent.status_code == 200, sent.get_data(as_text=True)

    moved = move_in(OpenRosa(elsewhere, "djeneba@example.org", PASSWORD), None, "kc.example.org", lambda _: None)

    assert (moved.problems, moved.counted["visit"]) == ([], (1, 1))
    with here.app_context():
        kept = session().scalars(select(SubmissionVersion).where(SubmissionVersion.form_id == "visit")).one()
        assert (kept.instance_id, (kept.answers or {})["sacks"]) == (instance_id(11), 7)


def test_submissions_of_versions_that_the_other_server_hands_out_no_more_are_filed_by_the_last(
    elsewhere: str, house: House, here: Flask
) -> None:
    shown(house.djeneba.patch("forms/sale", json={"state": "open"}))
    publish(house.app, house.pid, "sale", "2", SALE.replace("| Sacks     | . >", "| Sold      | . >"))
    assert house.amina.outcomes(a_sale(7, version="2", sacks=6), batch="b2") == ["stored"]

    moved = move_in(OpenRosa(elsewhere, "djeneba@example.org", PASSWORD), None, "kc.example.org", lambda _: None)

    assert (moved.problems, moved.stand_ins, moved.submissions) == ([], ["sale 1"], 4)
    assert session().get_one(Form, (moved.project_id, "sale")).version == "2"
    found = select(SubmissionVersion.form_version, SubmissionVersion.answers)
    filed = [(version, (answers or {})["sacks"]) for version, answers in session().execute(found)]
    assert sorted(filed) == [("1", 4), ("1", 4), ("1", 9), ("2", 6)]
