"""An encrypted submission is kept unread, and complete only with every file that its manifest names."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from sync.encryption.keys import NewKey, keys_of_form, make_key
from sync.intake.content import store_of
from sync.intake.files import keep_file
from sync.journal import open_journal
from sync.models import Contribution, EncryptionKey, Entity, FormVersion, SubmissionVersion
from tests.support.encrypting import Encrypted, encrypted_submission
from tests.support.projects import NOON, Desk, a_desk

NAME = "uuid:6a1f0f5e-7c2b-4f53-9a49-0d4f5a1b2c3d"
META = f"<meta><instanceID>{NAME}</instanceID></meta>"
XML = f"<data id='sale' version='1'><seller>Awa</seller><sacks>4</sacks>{META}</data>"
MEDIA = {"1.jpg": b"a photo" * 50_000, "2.m4a": b"a voice"}


@cache
def a_key() -> NewKey:
    return make_key("le karité de Siby", "what we press from nuts")


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    """A project whose form is encrypted with key 5."""
    desk = a_desk(engine, tmp_path / "files")
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        made = a_key()
        session.add(
            EncryptionKey(
                project_id=desk.project_id,
                id=5,
                public=made.public,
                private=made.private,
                hint=made.hint,
                created_at=NOON,
            )
        )
        session.flush()
        session.execute(update(FormVersion).values(key_id=5))
        journal.close()
        session.commit()
    return desk


def encrypted() -> Encrypted:
    return encrypted_submission(
        a_key().public, XML.encode(), form_id="sale", version="1", instance_id=NAME, media=MEDIA
    )


def send(desk: Desk, sent: Encrypted, *without: str) -> dict[str, Any]:
    """Post the manifest and, beforehand, the content of its files."""
    attachments = []
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        for name, content in sent.files.items():
            sha256 = hashlib.sha256(content).hexdigest()
            attachments.append({"name": name, "sha256": sha256, "size": len(content)})
            if name not in without:
                keep_file(journal, store_of(session).put(content), len(content))
        journal.close()
        session.commit()
    item = {"instance_id": sent.instance_id, "xml": sent.manifest.decode(), "attachments": attachments}
    return dict(desk.send([item]).receipts[0])


def test_it_is_stored_unread_and_complete_only_with_every_file(desk: Desk) -> None:
    sent = encrypted()

    receipt = send(desk, sent, "2.m4a.enc")

    assert (receipt["outcome"], len(receipt["missing"]), receipt["flags"]) == ("stored", 1, [])
    assert [one.missing for one in desk.submissions()] == [1]
    with desk.sessions() as session:
        version = session.scalars(select(SubmissionVersion)).one()
        assert (version.answers or {}) == {}
        assert version.encrypted_key is not None
        for kind in (Contribution, Entity):
            assert session.scalars(select(kind)).all() == []


def test_a_form_names_the_keys_that_its_submissions_need(desk: Desk) -> None:
    with desk.sessions() as session:
        assert keys_of_form(session, desk.project_id, "sale") == []

    send(desk, encrypted())

    with desk.sessions() as session:
        assert [key.id for key in keys_of_form(session, desk.project_id, "sale")] == [5]
