"""Batches over HTTP: receipts for what can be read, one clear refusal for what cannot, and never a 5xx."""

from __future__ import annotations

import gzip
import hashlib
import json
import secrets
from typing import Any

import pytest
import zstandard
from sqlalchemy import event

from server.db import db, engine_of
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, refused, shown


def test_a_batch_gets_a_receipt_for_each_item_in_order(house: House) -> None:
    answer = shown(house.amina.send(a_sale(1), a_sale(2), a_sale(1)))

    assert [receipt["outcome"] for receipt in answer["receipts"]] == ["stored", "stored", "duplicate"]
    assert [receipt["instance_id"] for receipt in answer["receipts"]] == [instance_id(n) for n in (1, 2, 1)]
    assert answer["batch"] == "b1"
    assert answer["epoch"]
    assert answer["cursor"]


def test_the_same_batch_again_gets_the_same_receipts(house: House) -> None:
    first = shown(house.amina.send(a_sale(1), batch="again"))
    second = shown(house.amina.send(a_sale(1), batch="again"))

    assert second["receipts"] == first["receipts"]
    assert second["received_at"] == first["received_at"]


def test_a_batch_whose_answers_differ_is_another_whatever_they_are_called(house: House) -> None:
    items = [{**a_sale(1), "answers": {"sent_at": day}} for day in ("2026-11-01", "2026-11-02")]
    for item in items:
        house.amina.send(item, batch="again", sent_at="2026-11-23T08:15:00+00:00")

    kept = shown(house.baraka.get("quarantine"))["items"]
    assert len({item["id"] for item in kept}) == 2


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_batch_may_be_compressed(house: House, encoding: str) -> None:
    body = json.dumps({"batch": "packed", "items": [a_sale(1)]}).encode()
    packed = gzip.compress(body) if encoding == "gzip" else zstandard.compress(body)

    answer = shown(house.amina.post("batches", data=packed, headers={"Content-Encoding": encoding}))

    assert answer["receipts"][0]["outcome"] == "stored"


BOMB = 40_000_000
NOT_BATCHES: list[tuple[bytes, dict[str, str], float]] = [
    (b"", {}, 400.1),
    (b"{", {}, 400.1),
    (b"null", {}, 400.1),
    (b"[]", {}, 400.1),
    (b"17", {}, 400.1),
    (b'"text"', {}, 400.1),
    (b"\xff\xfe\x00", {}, 400.1),
    (b'{"batch": "b"}', {}, 400.1),
    (b'{"batch": 7, "items": []}', {}, 400.1),
    (b'{"batch": "b", "items": {}}', {}, 400.1),
    (b'{"batch": "b", "items": [], "more": 1}', {}, 400.1),
    (b'{"batch": "b", "items": [], "sent_at": "yesterday"}', {}, 400.1),
    (b"[" * 100_000, {}, 400.1),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, {}, 400.1),
    (b"not gzip", {"Content-Encoding": "gzip"}, 400.1),
    (gzip.compress(b"{}")[:-6], {"Content-Encoding": "gzip"}, 400.1),
    (b"not zstd", {"Content-Encoding": "zstd"}, 400.1),
    (zstandard.compress(b"{}" * 500)[:-3], {"Content-Encoding": "zstd"}, 400.1),
    (b"{}", {"Content-Encoding": "br"}, 415.1),
    (gzip.compress(b" " * BOMB), {"Content-Encoding": "gzip"}, 413.1),
    (zstandard.compress(b" " * BOMB), {"Content-Encoding": "zstd"}, 413.1),
    (json.dumps({"batch": "b", "items": [{}] * 501}).encode(), {}, 413.1),
    (b" " * 9_000_000, {}, 413.1),
]


def test_what_is_no_batch_is_refused_whole(house: House) -> None:
    answers = [house.amina.post("batches", data=body, headers=headers) for body, headers, _ in NOT_BATCHES]

    codes = {body[:40]: refused(answer) for (body, *_), answer in zip(NOT_BATCHES, answers, strict=True)}
    assert codes == {body[:40]: code for body, _, code in NOT_BATCHES}
    for answer in answers:
        if answer.status_code == 413:
            details = answer.get_json()["details"]
            assert (details["max_items"], details["max_bytes"]) == (500, 8 * 2**20)


def test_receipts_say_in_french_what_they_have_to_say(house: House) -> None:
    items = [a_sale(1, sacks=-1), a_sale(2, version="1999"), a_sale(3) | {"recorded_at": "yesterday"}, 5]
    batch = {"batch": "b", "items": items}

    answers = [house.amina.post("batches?lang=fr", json=batch) for _ in range(2)]

    [first, again] = [shown(answer)["receipts"] for answer in answers]
    assert again == first
    assert first[0]["flags"][0]["message"].startswith("«\xa0-1\xa0»")
    assert first[1]["reason"].startswith("Ce projet n’a pas la version '1999'")
    assert first[2]["reason"].startswith("recorded_at\xa0: Ce n’est pas un moment")
    assert first[3]["reason"].startswith("Un élément est un objet JSON")


def test_what_waits_says_in_french_why_and_what_became_of_it(house: House) -> None:
    house.amina.send(a_sale(2, version="1999"))
    in_french = {"Accept-Language": "fr"}

    (item,) = shown(house.baraka.get("quarantine", headers=in_french))["items"]
    english = shown(house.baraka.get(f"quarantine/{item['id']}"))
    tried = shown(house.baraka.post(f"quarantine/{item['id']}/resolve", json={"action": "retry"}, headers=in_french))

    assert item["message"].startswith("Ce projet n’a pas la version '1999'")
    assert english == item | {"message": english["message"]}
    assert english["message"].startswith("There is no version '1999' of the form 'sale'")
    assert tried["receipt"]["reason"] == item["message"]


ODD_ITEMS: list[Any] = [
    None,
    17,
    "text",
    [],
    {},
    {"instance_id": 7},
    {"instance_id": "uuid:odd", "form": ["sale"], "version": {}, "answers": "no"},
    {"instance_id": "uuid:odd", "xml": "<data"},
    {"instance_id": "uuid:odd", "xml": "\x00"},
    {"instance_id": "uuid:\ud800", "form": "sale", "version": "1", "answers": {}},
    {"instance_id": "uuid:odd", "form": "sale", "version": "1", "answers": {"seller": "half \ud800"}},
    {"instance_id": "uuid:odd", "form": "sale", "version": "1", "answers": {"seller": "nul \x00"}},
    {"instance_id": "uuid:odd", "form": "sale", "version": "1", "answers": {"sacks": float("nan")}},
    {"instance_id": "uuid:odd", "form": "sale", "version": "1", "answers": {"sacks": float("inf")}},
    {"instance_id": "uuid:odd", "form": "sale", "version": "1", "answers": {"sacks": 10**30}},
    {"instance_id": "uuid:odd", "form": "sale", "version": "1", "answers": {"sacks": -(2**64)}},
    {"instance_id": "uuid:odd", "form": "nul\x00", "version": "\ud800", "answers": {}, "more": 10**40},
    {"instance_id": "uuid:odd", "xml": '<!DOCTYPE data [<!ENTITY a "b">]><data id="sale">&a;</data>'},
    {"instance_id": "x" * 100_000, "xml": "<data id='sale' version='1'/>"},
    {"instance_id": "uuid:odd", "attachments": [{"name": 1}], "xml": "<data id='sale' version='1'/>"},
]


def test_odd_items_cost_their_neighbours_nothing(house: House) -> None:
    mixed = [item for number, odd in enumerate(ODD_ITEMS, 1) for item in (odd, a_sale(number))]
    body = json.dumps({"batch": "odd", "items": mixed})

    answer = house.amina.post("batches", data=body.encode())

    outcomes = [receipt["outcome"] for receipt in shown(answer)["receipts"]]
    assert set(outcomes[1::2]) == {"stored"}
    assert set(outcomes[::2]) <= {"quarantined", "refused", "conflict"}


@pytest.mark.parametrize("depth", [62, 400, 3_000, 100_000])
def test_an_item_that_is_nested_too_deeply_costs_itself_alone(house: House, depth: int) -> None:
    deep = f'{{"instance_id": "uuid:deep", "form": "sale", "version": "1", "answers": {"[" * depth}{"]" * depth}}}'
    body = f'{{"batch": "deep", "items": [{json.dumps(a_sale(1))}, {deep}, {json.dumps(a_sale(2))}]}}'

    answer = house.amina.post("batches", data=body.encode())

    receipts = shown(answer)["receipts"]
    assert [receipt["outcome"] for receipt in receipts] == ["stored", "refused", "stored"]
    assert receipts[1]["instance_id"] == "uuid:deep"
    assert "levels deep" in receipts[1]["reason"]


def test_a_whole_number_beyond_64_bits_is_not_rounded_in_silence(house: House) -> None:
    house.amina.send(a_sale(1, sacks=12345678901234567890123))

    raw = house.baraka.get(f"forms/sale/submissions/{instance_id(1)}.xml").get_data(as_text=True)
    parked = shown(house.baraka.get("quarantine"))["items"]

    assert "12345678901234567890123" in raw or parked


def test_a_longer_body_than_announced_is_refused(house: House) -> None:
    answer = house.amina.post("batches", data=b"{}", environ_overrides={"CONTENT_LENGTH": "33554433"})

    assert refused(answer) == 413.1


def test_a_shorter_body_than_announced_stores_nothing(house: House) -> None:
    body = json.dumps({"batch": "cut", "items": [a_sale(1)]}).encode()

    answer = house.amina.post("batches", data=body[:-5], environ_overrides={"CONTENT_LENGTH": str(len(body))})

    assert refused(answer) == 400.1
    assert shown(house.baraka.get("review"))["submissions"] == []


def test_what_is_null_in_an_item_is_as_good_as_left_out(house: House) -> None:
    empty = {"xml": None, "edits": None, "attachments": None, "recorded_at": None}

    assert house.amina.outcomes({**empty, **a_sale(1)}, {**a_sale(2), **empty}) == ["stored", "stored"]


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16", "UTF-8", "no-such-encoding"])
def test_xml_in_json_is_text_whatever_encoding_its_file_had(house: House, encoding: str) -> None:
    xml = f"<?xml version='1.0' encoding='{encoding}'?><data id='sale' version='1'><seller>Fatoumatá</seller></data>"
    item = {"instance_id": "uuid:told", "form": "sale", "version": "1", "xml": xml}

    outcomes = house.amina.outcomes(item, item)

    assert outcomes == ["stored", "duplicate"]
    [row] = shown(house.baraka.get("forms/sale.svc/Submissions"))["value"]
    assert row["seller"] == "Fatoumatá"


def test_known_names_what_the_server_does_not_hold(house: House) -> None:
    house.amina.send(a_sale(1))
    raw = house.baraka.get(f"forms/sale/submissions/{instance_id(1)}.xml").get_data()
    held = [instance_id(1), hashlib.sha256(raw).hexdigest()]
    other_content = [instance_id(1), "0" * 64]
    unknown = [instance_id(2), "0" * 64]
    by_id = [instance_id(1), ""]

    answer = shown(house.amina.post("batches/known", json={"ids": [held, other_content, unknown, by_id]}))

    assert answer["unknown"] == [other_content, unknown]


def test_what_waits_in_quarantine_is_held_too(house: House) -> None:
    house.amina.send({"instance_id": "uuid:parked", "xml": "<data id='nothing' version='1'/>"})

    assert shown(house.amina.post("batches/known", json={"ids": [["uuid:parked", ""]]}))["unknown"] == []


def test_capabilities_state_the_limits(house: House) -> None:
    told = shown(house.amina.get("capabilities"))

    assert told["limits"]["batch_items"] == 500
    assert told["limits"]["batch_bytes"] == 8 * 2**20
    assert told["limits"]["request_parts"] == 1000
    assert told["encodings"] == ["gzip", "zstd"]
    assert told["epoch"] == shown(house.amina.send(a_sale(1)))["epoch"]
    assert told["now"].endswith("+00:00")


HOSTILE: list[dict[str, Any]] = [
    {"instance_id": "a\0b"},
    {"instance_id": "a\ud800b"},
    {"instance_id": "".join(chr(0x4E00 + n * 17 % 20_000) for n in range(1000))},
    {"edits": "a\0b"},
    {"edits": "a\ud800b"},
    {"edits": "".join(chr(0x4E00 + n * 17 % 20_000) for n in range(1000))},
    {"attachments": [{"name": "a\0b", "sha256": "a" * 64}]},
    {"attachments": [{"name": "a\ud800b", "sha256": "a" * 64}]},
    {"attachments": [{"name": "a", "sha256": "a" * 64, "type": "\ud800"}]},
    {"attachments": [{"name": "a", "sha256": "a" * 64 + "and more"}]},
]


def test_names_that_no_database_holds_put_their_item_into_quarantine(house: House) -> None:
    items = [a_sale(n) | odd for n, odd in enumerate(HOSTILE, 1)]

    receipts = shown(house.amina.send(*items, a_sale(99)))["receipts"]

    assert [receipt["outcome"] for receipt in receipts] == ["quarantined"] * len(HOSTILE) + ["stored"]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_times_at_the_ends_of_the_calendar_cost_nothing(house: House, moment: str) -> None:
    xml = f'<data id="sale" version="1"><end>{moment}</end><meta><instanceID>uuid:early</instanceID></meta></data>'

    batch = {"batch": "b", "sent_at": moment, "items": []}

    assert house.amina.post("batches", json=batch).status_code == 400
    assert len(shown(house.amina.send({"xml": xml}, a_sale(1)))["receipts"]) == 2


def test_ids_that_are_no_text_come_back_as_they_were_asked_for(house: House) -> None:
    asked = [["a\ud800", ""], ["a\0", ""]]

    assert shown(house.amina.post("batches/known", json={"ids": asked}))["unknown"] == asked


def test_a_text_that_was_cut_on_its_way_is_not_taken_for_the_whole(house: House) -> None:
    cut = house.djeneba.put("statements/results/en", data=b"# Half", environ_overrides={"CONTENT_LENGTH": "100"})

    assert refused(cut) == 400.1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_disk_that_fills_up_in_the_middle_of_a_batch_keeps_nothing_of_it(house: House) -> None:
    def fill(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1").close()

    engine = engine_of(house.app)
    event.listen(engine, "checkout", fill)
    items = [a_sale(n, seller=secrets.token_hex(20_000)) for n in range(1, 9)]
    full = house.amina.send(*items)
    event.remove(engine, "checkout", fill)

    assert refused(full) == 507.1
    assert shown(house.baraka.get("review"))["submissions"] == []
    assert shown(house.baraka.get("quarantine"))["items"] == []


def test_the_database_has_looked_how_large_its_tables_are_once_a_project_has_grown_tenfold(house: House) -> None:
    shown(house.amina.send(*(a_sale(number) for number in range(20))))
    assert not _sizes_are_known(house)

    shown(house.amina.send(*(a_sale(number) for number in range(20, 110)), batch="b2"))

    assert _sizes_are_known(house)


def _sizes_are_known(house: House) -> bool:
    with house.app.app_context(), db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            statement = "SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'"
        else:
            statement = "SELECT count(*) FROM pg_stats WHERE tablename = 'submissions'"
        return bool(connection.exec_driver_sql(statement).scalar_one())
