"""Forms as ODK Collect and Enketo fetch them: list, XForm, manifest and files, and nothing twice."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from forms.workbooks.workbook import read_workbook
from server.db import session
from sync.accounts.roles import assign_form
from sync.journal import open_journal
from sync.models import Actor, Form, StoredFile
from sync.models.database import begin_writing
from sync.projects.publish import publish_form
from tests.support.listing import md5, read_form_list, read_manifest
from tests.support.projects import NOON, a_sale
from tests.support.web import House, Voice
from tests.support.workbooks import a_workbook

VISIT = """
    | survey                            |         |         |       |
    | type                              | name    | label   | media::image |
    | select_one_from_file people.csv   | seller  | Seller  |       |
    | select_one_from_file prices.csv   | price   | Price   |       |
    | text                              | remark  | Remark  | sack.png |
"""
PRICES = b"name,label\n10,Ten\n12,Twelve\n"
PLAIN = """
    | survey |      |       |
    | type   | name | label |
    | text   | note | Note  |
"""


def publish(house: House, form_id: str, markdown: str, version: str = "1", **media: bytes) -> None:
    workbook = read_workbook(a_workbook(form_id, version, markdown), f"{form_id}.xlsx")
    files = {name.replace("_csv", ".csv").replace("_png", ".png"): content for name, content in media.items()}
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook, files)
        journal.close()
        session().commit()


def key_of(house: House, voice: Voice) -> str:
    """The address of somebody whose token is in the path."""
    return f"/v1/key/{voice.token}/projects/{house.pid}"


def test_every_hash_is_that_of_the_download_and_a_form_without_files_has_no_manifest(house: House) -> None:
    publish(house, "visit", VISIT, prices_csv=PRICES)
    publish(house, "plain", PLAIN)
    ask = house.app.test_client().get

    forms = {form.form_id: form for form in read_form_list(ask(f"{key_of(house, house.amina)}/formList"))}
    files = {file.name: file for file in read_manifest(ask(forms["visit"].manifest))}

    assert {id_: form.manifest is not None for id_, form in forms.items()} == {
        "plain": False,
        "sale": False,
        "visit": True,
    }
    assert all(form.url.startswith(key_of(house, house.amina)) for form in forms.values())
    assert all(md5(ask(form.url).get_data()) == form.hash for form in forms.values())
    assert sorted(files) == ["people.csv", "prices.csv"]  # sack.png is named, but nobody has given it
    assert files["prices.csv"].hash == md5(ask(files["prices.csv"].url).get_data()) == md5(PRICES)
    assert (files["people.csv"].type, files["prices.csv"].type) == ("entityList", None)
    assert files["people.csv"].integrity == f"{key_of(house, house.amina)}/datasets/people/integrity"
    assert files["people.csv"].hash == md5(ask(files["people.csv"].url).get_data())


def test_a_refresh_in_which_nothing_changed_is_answered_304_throughout(house: House) -> None:
    publish(house, "visit", VISIT, prices_csv=PRICES)
    ask = house.app.test_client().get
    addresses = [f"{key_of(house, house.amina)}/formList", f"{key_of(house, house.amina)}/forms/visit/manifest"]
    files = read_manifest(ask(addresses[1]))
    addresses += [file.url for file in files] + [f"{key_of(house, house.amina)}/forms/visit.xml"]
    tags = {address: ask(address).headers["ETag"] for address in addresses}

    strong = [ask(address, headers={"If-None-Match": tag}) for address, tag in tags.items()]
    weak = [ask(address, headers={"If-None-Match": f"W/{tag}"}) for address, tag in tags.items()]

    assert [answer.status_code for answer in [*strong, *weak]] == [304] * 10
    assert all(answer.get_data() == b"" for answer in strong)
    assert all(answer.headers["Cache-Control"] == "private, no-cache" for answer in strong)


def test_a_list_has_another_hash_only_when_a_row_is_another(house: House) -> None:
    publish(house, "visit", VISIT)
    address = f"{key_of(house, house.amina)}/forms/visit/manifest"
    ask = house.app.test_client().get
    before = ask(address)
    house.amina.send(a_sale(1), batch="b1")

    new_row = ask(address, headers={"If-None-Match": before.headers["ETag"]})
    house.amina.send(a_sale(1), batch="b2")
    house.amina.send({"instance_id": "nonsense"}, batch="b3")
    same_rows = ask(address, headers={"If-None-Match": new_row.headers["ETag"]})

    assert new_row.status_code == 200
    assert read_manifest(new_row)[0].hash != read_manifest(before)[0].hash
    assert same_rows.status_code == 304


def test_all_that_a_tablet_fetches_is_answered_in_the_version_that_it_speaks(house: House) -> None:
    publish(house, "fix", PLAIN + "    | select_one_from_file a_corriger.csv | which | Which |\n")
    asked = {"X-OpenRosa-Version": "1.0"}

    for path in (
        "formList",
        "forms/fix/manifest",
        "forms/fix.xml",
        "forms/fix/attachments/a_corriger.csv",
        "forms/no.xml",
    ):
        answer = house.amina.get(path, headers=asked)
        assert (path, answer.headers.get("X-OpenRosa-Version")) == (path, "1.0")
    assert "X-OpenRosa-Version" not in house.baraka.get("forms/fix.xml").headers


def test_only_open_forms_that_one_may_fill_in_are_listed(house: House) -> None:
    publish(house, "plain", PLAIN)
    publish(house, "shut", PLAIN)
    publish(house, "running out", PLAIN)
    house.djeneba.patch("forms/shut", json={"state": "closed"})
    house.djeneba.patch("forms/running%20out", json={"state": "closing"})
    with house.app.app_context():
        begin_writing(session())
        actor = session().get_one(Actor, house.amina.actor_id)
        actor.assigned_only = True
        assign_form(session(), actor.id, house.pid, "plain")
        assign_form(session(), actor.id, house.pid, "shut")
        session().commit()

    bound = [form.form_id for form in read_form_list(house.amina.get("formList"))]

    assert bound == ["plain"]
    assert [form.form_id for form in read_form_list(house.baraka.get("formList"))] == ["plain", "sale"]
    assert house.amina.get("forms/sale.xml").status_code == 404
    assert house.amina.get("forms/sale/manifest").status_code == 404
    assert house.amina.get("forms/sale/attachments").status_code == 404
    assert [form["xmlFormId"] for form in house.amina.get("forms").get_json()] == ["plain", "shut"]


def test_one_form_is_listed_alone_and_an_unknown_one_not_at_all(house: House) -> None:
    publish(house, "plain", PLAIN)

    assert [form.form_id for form in read_form_list(house.amina.get("formList?formID=plain"))] == ["plain"]
    assert read_form_list(house.amina.get("formList?formID=nothing")) == []
    assert read_form_list(house.amina.get("formList?formID=plain%00")) == []
    assert len(read_form_list(house.amina.get("formList?deviceID=collect%3Aabc"))) == 2


def test_head_says_that_one_is_signed_in(house: House) -> None:
    stranger = house.app.test_client()

    assert house.amina.ask("HEAD", "formList").status_code == 200
    refused = stranger.head(f"/v1/projects/{house.pid}/formList")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic")
    assert refused.headers["X-OpenRosa-Version"] == "1.0"


@pytest.mark.parametrize("form_id", ["santé 2026", "a&b<c>", "50%", "a/b"])
def test_odd_ids_survive_in_addresses(house: House, form_id: str) -> None:
    publish(house, form_id, PLAIN)

    form = next(form for form in read_form_list(house.amina.get("formList")) if form.form_id == form_id)
    answer = house.app.test_client().get(form.url, headers={"Authorization": f"Bearer {house.amina.token}"})

    assert md5(answer.get_data()) == form.hash


def test_a_token_in_the_query_stands_in_the_addresses_as_one_in_the_path_does(house: House) -> None:
    ask = house.app.test_client().get

    form = read_form_list(ask(f"/v1/projects/{house.pid}/formList?st={house.amina.token}"))[0]

    assert form.url == f"{key_of(house, house.amina)}/forms/sale.xml"


def test_the_root_serves_the_only_project_of_whoever_signs_in(house: House) -> None:
    ask = house.app.test_client().get
    basic = base64.b64encode(f"Amina:{house.amina.token}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}

    challenged = ask("/formList")
    forms = read_form_list(ask("/formList", headers=headers))
    several = ask("/formList", headers={"Authorization": f"Bearer {house.sekou.token}"})

    assert challenged.status_code == 401
    assert challenged.headers["WWW-Authenticate"].startswith("Basic")
    assert [form.form_id for form in forms] == ["sale"]
    assert md5(ask(forms[0].url, headers=headers).get_data()) == forms[0].hash
    assert several.status_code == 400
    assert b"/v1/projects/" in several.get_data()
    assert read_manifest(ask("/xformsManifest/sale", headers=headers)) == []


def test_a_bad_token_is_403_in_openrosa_words(house: House) -> None:
    answer = house.app.test_client().get(f"/v1/key/siby_{'x' * 43}/projects/{house.pid}/formList")

    assert answer.status_code == 403
    assert b'<message nature="error">' in answer.get_data()


def test_a_file_from_before_hashes_were_kept_gets_its_hash_once(house: House) -> None:
    publish(house, "visit", VISIT, prices_csv=PRICES)
    with house.app.app_context():
        begin_writing(session())
        session().query(StoredFile).update({"md5": None})
        session().commit()

    files = read_manifest(house.amina.get("forms/visit/manifest"))

    assert next(file.hash for file in files if file.name == "prices.csv") == md5(PRICES)
    with house.app.app_context():
        assert md5(PRICES) == f"md5:{session().query(StoredFile).one().md5}"


def test_the_lists_that_every_device_has_are_files_of_a_form_that_chooses_from_them(house: House) -> None:
    publish(house, "fix", PLAIN + "    | select_one_from_file a_corriger.csv | which | Which |\n")

    (file,) = read_manifest(house.amina.get("forms/fix/manifest"))

    assert (file.name, file.type) == ("a_corriger.csv", None)
    rows = house.app.test_client().get(file.url, headers={"Authorization": f"Bearer {house.amina.token}"})
    assert rows.get_data().startswith(b"name,label,__version,")


def test_a_changed_name_of_a_file_leaves_no_trace_in_the_manifest(house: House) -> None:
    publish(house, "visit", VISIT, prices_csv=PRICES)
    publish(house, "visit", PLAIN, version="2")

    assert read_form_list(house.amina.get("formList?formID=visit"))[0].manifest is None
    assert read_manifest(house.amina.get("forms/visit/manifest")) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_forms_from_before_forms_had_numbers_get_them_in_the_order_of_their_making(house: House) -> None:
    with house.app.app_context():
        begin_writing(session())
        session().query(Form).update({"number": None})
        session().commit()
    publish(house, "plain", PLAIN)

    numbers: dict[str, Any] = {form["xmlFormId"]: form["id"] for form in house.djeneba.get("forms").get_json()}

    assert numbers == {"sale": 1, "plain": 2}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_unchanged_refresh_costs_little(house: House) -> None:
    """Far from the machine's limit, so that only a change of its order shows."""
    for number in range(10):
        publish(house, f"visit{number}", VISIT.replace("prices.csv", f"prices{number}.csv"))
    address = f"{key_of(house, house.amina)}/formList"
    ask = house.app.test_client().get
    tag = ask(address).headers["ETag"]

    began = time.process_time()
    for _ in range(20):
        assert ask(address, headers={"If-None-Match": tag}).status_code == 304
    spent = (time.process_time() - began) / 20

    assert spent < 0.02


def a_refresh(house: House, voice: Voice, headers: dict[str, str] | None = None) -> list[int]:
    """A tablet asks for list and manifest once, and once more with the tags that it got; the second answers."""
    ask = house.app.test_client().get
    base = f"/v1/projects/{house.pid}" if headers else key_of(house, voice)
    paths = [f"{base}/formList?deviceID=collect%3Ax", f"{base}/forms/visit/manifest?deviceID=collect%3Ax"]
    tags = [ask(path, headers=headers or {}).headers["ETag"] for path in paths]
    return [
        ask(path, headers={"If-None-Match": tag, **(headers or {})}).status_code
        for path, tag in zip(paths, tags, strict=True)
    ]


def basic(token: str, name: str = "Amina", encoding: str = "utf-8") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{token}".encode(encoding)).decode()}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_tablet_with_an_accent_in_its_name_is_let_in_however_its_app_writes_it(house: House, encoding: str) -> None:
    named = basic(house.amina.token, "Équipe 1", encoding)

    listed = house.app.test_client().get("/formList", headers=named)

    assert [form.form_id for form in read_form_list(listed)] == ["sale"]


@pytest.mark.parametrize("shown", ["path", "basic", "latin", "bearer"])
def test_the_short_way_answers_as_the_long_one(house: House, shown: str) -> None:
    publish(house, "visit", VISIT)
    token = house.amina.token
    headers = {
        "path": None,
        "basic": basic(token),
        "latin": basic(token, "Équipe 1", "latin-1"),
        "bearer": {"Authorization": f"Bearer {token}"},
    }[shown]
    ask = house.app.test_client().get
    path = f"/v1/projects/{house.pid}/formList" if headers else f"{key_of(house, house.amina)}/formList"
    first = ask(path, headers=headers or {})
    if_not = {"If-None-Match": first.headers["ETag"], **(headers or {})}

    long, short = ask(path, headers=if_not | {"Accept-Language": "bm"}), ask(path, headers=if_not)

    assert [long.status_code, short.status_code] == [304, 304]
    assert short.get_data() == b""
    differing = {"X-Request-Id", "Date", "Content-Language"}
    assert {k: v for k, v in short.headers.items() if k not in differing} == {
        k: v for k, v in long.headers.items() if k not in differing
    }
    assert set(short.headers.keys()) == set(long.headers.keys())
    assert a_refresh(house, house.amina, headers) == [304, 304]


def test_whoever_was_shut_out_gets_nothing_by_the_short_way_either(house: House) -> None:
    publish(house, "visit", VISIT)
    ask = house.app.test_client().get
    path = f"{key_of(house, house.amina)}/formList"
    tag = {"If-None-Match": ask(path).headers["ETag"]}
    before = [ask(path, headers=tag).status_code for _ in range(2)]

    house.baraka.ask("DELETE", f"app-users/{house.amina.actor_id}")

    assert before == [304, 304]
    assert ask(path, headers=tag).status_code == 403


def test_what_changes_for_a_device_alone_ends_the_short_way(house: House) -> None:
    publish(house, "plain", PLAIN)
    ask = house.app.test_client().get
    path = f"{key_of(house, house.amina)}/formList"
    tag = {"If-None-Match": ask(path).headers["ETag"]}
    before = [ask(path, headers=tag).status_code for _ in range(2)]
    with house.app.app_context():
        begin_writing(session())
        session().get_one(Actor, house.amina.actor_id).assigned_only = True
        assign_form(session(), house.amina.actor_id, house.pid, "plain")
        session().commit()

    bound = ask(path, headers=tag)
    house.djeneba.patch("forms/plain", json={"state": "closed"})
    closed = ask(path, headers={"If-None-Match": bound.headers["ETag"]})

    assert before == [304, 304]
    assert [form.form_id for form in read_form_list(bound)] == ["plain"]
    assert read_form_list(closed) == []
