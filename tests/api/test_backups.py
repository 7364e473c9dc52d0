"""A backup counts when it was restored: all of it, on either database, and tablets send again what was lost."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from flask import Flask
from sqlalchemy import Text, cast, func, select, type_coerce, update
from sqlalchemy.types import JSON

from migrations import schema
from server import clock
from server.app import create_app
from server.db import db, engine_of, session
from server.settings import Settings
from server.upkeep.keeping import backing_up, last_backup, restore
from server.upkeep.schema import known
from sync.accounts.audit import NO_PROJECT, Origin, first_broken
from sync.errors import Exists, Refusal, Unparseable
from sync.keeping.archive import Archive, Part, Tally, save
from sync.keeping.saving import LEFT_OUT
from sync.models import Base, Event, Webhook
from sync.webhooks.telling import due, next_message
from tests.support.pages import read, send, signed_in
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, Voice, refused, shown

HERE = Origin(None, None, "test")
PHOTO = b"\xff\xd8\xff a photo" * 1000
SHA256 = hashlib.sha256(PHOTO).hexdigest()
ALL = "forms/sale/submissions"


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """An installation of either kind in which nothing was ever done, not even `siby init`."""
    folder = tmp_path / "elsewhere"
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgres_url")
    app = create_app(Settings(folder=folder, database=url, reserve_mb=0))
    app.testing = True
    yield app
    engine_of(app).dispose()


@pytest.fixture
def lived_in(house: House, migrated: None) -> House:
    """An edit, a decision, a comment, a photo, something in quarantine, and texts that are hard to keep."""
    photo = {"attachments": [{"name": "1.jpg", "sha256": SHA256, "size": len(PHOTO), "type": "image/jpeg"}]}
    house.amina.send(
        {**a_sale(1, photo="1.jpg", remark="Ünïcödé ☃ 𝛑 \u2028"), **photo},
        a_sale(2, sacks=7),
        a_sale(3),
        a_sale(4, version="7"),
    )
    house.amina.send(a_sale(5, edits=3, sacks=9), batch="b2")
    shown(house.amina.post(f"{ALL}/{instance_id(1)}/attachments/1.jpg", data=PHOTO))
    shown(house.baraka.patch(f"{ALL}/{instance_id(2)}", json={"reviewState": "rejected"}))
    shown(house.baraka.post(f"{ALL}/{instance_id(2)}/comments", json={"body": "How many?"}))
    return house


@pytest.fixture
def migrated(app: Flask) -> None:
    """The tables of tests are made at once; those of an installation know their migration."""
    with engine_of(app).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{known()[-1]}')")


def saved(house: House) -> bytes:
    answer = house.sekou.post("/v1/backup")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data()


def rows_of(app: Flask) -> dict[str, list[Any]]:
    """Every row of every table, JSON as it is written; what changes with every backup is left out."""
    with app.app_context():
        text = cast if db.engine.dialect.name == "postgresql" else type_coerce
        found = {}
        for table in Base.metadata.sorted_tables:
            if table.name in LEFT_OUT | {"servers", "audits", "tokens"}:
                continue
            columns = [text(one, Text) if isinstance(one.type, JSON) else one for one in table.columns]
            rows = [
                tuple(
                    json.loads(value) if isinstance(one.type, JSON) and value is not None else value
                    for one, value in zip(table.columns, row, strict=True)
                )
                for row in session().execute(select(*columns))
            ]
            found[table.name] = sorted(rows, key=repr)
        session().rollback()
    return found


def restored(app: Flask, backup: bytes) -> str:
    with app.app_context():
        return restore(io.BytesIO(backup), HERE).epoch


def test_everything_is_back_on_either_database(lived_in: House, elsewhere: Flask) -> None:
    restored(elsewhere, saved(lived_in))

    assert rows_of(elsewhere) == rows_of(lived_in.app)
    house = House(elsewhere, lived_in.pid, lived_in.other, voices_in(elsewhere, lived_in))
    assert shown(house.baraka.get(f"{ALL}/{instance_id(1)}"))["answers"]["remark"] == "Ünïcödé ☃ 𝛑 \u2028"
    assert house.baraka.get(f"{ALL}/{instance_id(1)}/attachments/1.jpg").get_data() == PHOTO
    raw = f"{ALL}/{instance_id(3)}/versions/{instance_id(5)}.xml"
    assert house.baraka.get(raw).get_data() == lived_in.baraka.get(raw).get_data()
    assert shown(house.fanta.get("figures")) | {"as_of": None} == shown(lived_in.fanta.get("figures")) | {"as_of": None}
    with elsewhere.app_context():
        assert first_broken(session(), NO_PROJECT) is None
        assert first_broken(session(), house.pid) is None
    assert house.amina.outcomes(a_sale(8), batch="after") == ["stored"]


def voices_in(app: Flask, house: House) -> dict[str, Voice]:
    """The same people with the same tokens, who speak to another server."""
    return {
        name: Voice(app.test_client(), voice.token, voice.actor_id, voice.pid) for name, voice in house.voices.items()
    }


def test_a_tablet_that_sent_after_the_backup_sends_again_what_was_lost(lived_in: House, elsewhere: Flask) -> None:
    epoch = shown(lived_in.amina.get("capabilities"))["epoch"]
    backup = saved(lived_in)
    assert lived_in.amina.outcomes(a_sale(6), a_sale(7, edits=1), batch="b3") == ["stored", "edited"]

    restored(elsewhere, backup)
    amina = voices_in(elsewhere, lived_in)["Amina"]
    assert shown(amina.get("capabilities"))["epoch"] != epoch
    held = [(instance_id(number), None) for number in (1, 2, 3, 5, 6, 7)]
    hashes = known_hashes(lived_in)
    asked = {"ids": [[name, hashes[name]] for name, _ in held]}
    lacking = [one[0] for one in shown(amina.post("batches/known", json=asked))["unknown"]]
    assert lacking == [instance_id(6), instance_id(7)]

    # The tablet's batch has the number that it had: its receipts went with the rest, and it is taken in anew.
    assert amina.outcomes(a_sale(6), a_sale(7, edits=1), batch="b3") == ["stored", "edited"]
    house = House(elsewhere, lived_in.pid, lived_in.other, voices_in(elsewhere, lived_in))
    figures = [[one["value"] for one in shown(each.fanta.get("figures"))["figures"]] for each in (house, lived_in)]
    assert figures[0] == figures[1]


def test_what_others_remember_is_not_mistaken_for_what_bears_its_number_after_a_restore(
    lived_in: House, elsewhere: Flask
) -> None:
    shown(lived_in.djeneba.post("webhooks", json={"url": "https://flows.example.org/"}))
    backup = saved(lived_in)
    assert lived_in.amina.outcomes(a_sale(6), batch="b3") == ["stored"]
    restored(elsewhere, backup)
    house = House(elsewhere, lived_in.pid, lived_in.other, voices_in(elsewhere, lived_in))
    assert house.amina.outcomes(a_sale(8), batch="b3") == ["stored"]

    before, after = (shown(each.fanta.get("events")) for each in (lived_in, house))
    assert before["last"] == after["last"]
    assert before["epoch"] != after["epoch"]
    assert told_last(lived_in) != told_last(house)
    for path in ("forms/sale.svc/Submissions", "datasets/people/entities.csv"):
        tag, _ = lived_in.baraka.get(path).get_etag()
        assert house.baraka.get(path, headers={"If-None-Match": f'"{tag}"'}).status_code == 200


def test_a_restored_copy_tells_no_webhook_until_somebody_lets_them_go_on(lived_in: House, elsewhere: Flask) -> None:
    for path in ("active", "failing", "paused"):
        shown(lived_in.djeneba.post("webhooks", json={"url": f"https://flows.example.org/{path}"}))
    with lived_in.app.app_context():
        session().execute(
            update(Webhook).where(Webhook.url.endswith("failing")).values(state="failing", last_status=500)
        )
        session().execute(update(Webhook).where(Webhook.url.endswith("paused")).values(state="paused"))
        session().commit()
    restored(elsewhere, saved(lived_in))
    house = House(elsewhere, lived_in.pid, lived_in.other, voices_in(elsewhere, lived_in))
    page = f"/projects/{house.pid}/settings/webhooks"
    assert house.amina.outcomes(a_sale(8), batch="after") == ["stored"]

    waiting = webhooks_due(house)
    djeneba = signed_in(house, "djeneba", "en")
    before = read(djeneba, page)
    after = send(djeneba, page, f"{page}/resume", {}).get_data(as_text=True)

    assert waiting == []
    assert [hook["last_error"] for hook in shown(lived_in.djeneba.get("webhooks"))] == [None, None, None]
    assert "restored from a backup" in before
    assert "restored from a backup" not in read(djeneba, page) + after
    assert webhooks_due(house) == ["https://flows.example.org/active", "https://flows.example.org/failing"]


def test_a_copy_of_a_copy_says_how_many_webhooks_wait_to_go_on(
    lived_in: House, elsewhere: Flask, tmp_path: Path
) -> None:
    shown(lived_in.djeneba.post("webhooks", json={"url": "https://flows.example.org/active"}))
    shown(lived_in.djeneba.post("webhooks", json={"url": "https://flows.example.org/paused", "paused": True}))
    restored(elsewhere, saved(lived_in))
    copy = House(elsewhere, lived_in.pid, lived_in.other, voices_in(elsewhere, lived_in))
    again = create_app(Settings(folder=tmp_path / "again", reserve_mb=0))

    with again.app_context():
        held = restore(io.BytesIO(saved(copy)), HERE).held

    assert held == 1
    engine_of(again).dispose()


def webhooks_due(house: House) -> list[str]:
    """The addresses that have something to hear."""
    with house.app.app_context():
        found = [session().get_one(Webhook, one).url for one in due(session(), clock.now())]
        session().rollback()
    return sorted(found)


def told_last(house: House) -> str:
    """The id by which the receiver of the only webhook knows the last event again."""
    with house.app.app_context():
        hook = session().scalars(select(Webhook)).one()
        hook.told = session().scalars(select(func.max(Event.number))).one() - 1
        message = next_message(session(), hook, clock.now())
        session().rollback()
    assert message is not None
    return message.headers["webhook-id"]


def known_hashes(house: House) -> dict[str, str]:
    """The SHA-256 of each instance, as the tablet that made it knows it."""
    found = {}
    for row in shown(house.baraka.get("review"))["submissions"]:
        for version in shown(house.baraka.get(f"{ALL}/{row['instance_id']}"))["versions"]:
            raw = house.baraka.get(f"{ALL}/{row['instance_id']}/versions/{version['instanceId']}.xml").get_data()
            found[version["instanceId"]] = hashlib.sha256(raw).hexdigest()
    return found


def test_a_backup_can_be_made_before_the_migrations_of_an_update(lived_in: House, elsewhere: Flask) -> None:
    url = engine_of(lived_in.app).url.render_as_string(hide_password=False)
    schema.downgrade(url, "0001")

    with lived_in.app.app_context():
        backup = b"".join(backing_up(HERE, Tally()))
    with elsewhere.app_context():
        done = restore(io.BytesIO(backup), HERE)

    assert [done.origin.migration, *done.migrated] == known()
    schema.upgrade(url)
    assert rows_of(elsewhere) == rows_of(lived_in.app)


def test_nothing_is_restored_over_what_is_there(lived_in: House, elsewhere: Flask) -> None:
    backup = saved(lived_in)
    before = rows_of(lived_in.app)

    with pytest.raises(Exists, match="empty"):
        restored(lived_in.app, backup)
    restored(elsewhere, backup)
    with pytest.raises(Exists, match="empty"):
        restored(elsewhere, backup)

    assert rows_of(lived_in.app) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_that_is_cut_is_refused_and_leaves_nothing(lived_in: House, elsewhere: Flask) -> None:
    backup = saved(lived_in)

    for at in (0, 3, 40, *(int(len(backup) * share) for share in (0.3, 0.6, 0.9)), len(backup) - 30):
        with pytest.raises(Unparseable):
            restored(elsewhere, backup[:at])

    assert restored(elsewhere, backup)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_changed_backup_is_found_out_wherever_it_was_changed(lived_in: House) -> None:
    backup = saved(lived_in)
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(backup)).read()

    for name, was, now in ((b"photo", b"a photo", b"a phota"), (b"text", b"How many?", b"How much?")):
        assert plain.count(was) >= 1, name
        changed = zstandard.ZstdCompressor().compress(plain.replace(was, now, 1))
        with pytest.raises(Unparseable):
            read_through(changed)
    read_through(backup)


def read_through(backup: bytes) -> Archive:
    whole = Archive(io.BytesIO(backup))
    for _ in whole.members():
        pass
    return whole


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_backup_is_refused(lived_in: House) -> None:
    for strange in (b"", b"PK\x03\x04 a zip", b"\x28\xb5\x2f\xfd", zstandard.ZstdCompressor().compress(b"not a tar")):
        with pytest.raises(Unparseable):
            read_through(strange)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_cannot_reach_beyond_its_tables(lived_in: House, elsewhere: Flask) -> None:
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(saved(lived_in))).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        names = tar.getnames()
    assert names[0] == "siby.json"
    assert names[-1] == "end.json"
    assert not any(name.startswith("/") or ".." in name for name in names)
    evil = plain.replace(b"tables/actors/", b"tables/sqlite/", 1)

    with pytest.raises(Refusal):
        restored(elsewhere, zstandard.ZstdCompressor().compress(evil))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_only_who_administers_the_installation_takes_a_backup(lived_in: House) -> None:
    for voice in (lived_in.djeneba, lived_in.baraka, lived_in.fanta, lived_in.amina, lived_in.coumba):
        assert refused(voice.post("/v1/backup")) == 403.1
    assert lived_in.app.test_client().post("/v1/backup").status_code == 401
    assert refused(lived_in.sekou.post("/v1/backup", json={"passphrase": "x"})) == 501.1

    with lived_in.app.app_context():
        assert last_backup() is None
    saved(lived_in)
    with lived_in.app.app_context():
        made = last_backup()
        assert made is not None
        assert (clock.now() - made).total_seconds() < 60
    [act] = shown(lived_in.sekou.get("/v1/audits?action=backup.made"))
    assert act["actorId"] == lived_in.sekou.actor_id
    assert act["details"]["files"] == 1


def test_a_backup_is_of_one_moment_whatever_arrives_while_it_is_made(lived_in: House) -> None:
    answer = lived_in.sekou.post("/v1/backup", buffered=False)
    pieces = iter(answer.response)
    taken = [next(pieces)]
    assert lived_in.amina.outcomes(*(a_sale(number) for number in range(20, 40)), batch="meanwhile") == ["stored"] * 20
    taken += pieces
    answer.close()

    whole = Archive(io.BytesIO(b"".join(bytes(piece) for piece in taken)))
    rows = {"submissions": 0, "submission_versions": 0}
    for member in whole.members():
        if isinstance(member, Part) and member.table in rows:
            rows[member.table] += len(member.rows)
    assert rows == {"submissions": 3, "submission_versions": 4}


def test_a_backup_is_nobody_elses_on_the_machine(tmp_path: Path) -> None:
    assert save([b"every", b"thing"], tmp_path / "backup") == 10
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
