"""The wire as clients know it, one journey for each promise, with clients that nobody changed.

The journeys are small; each room has its details in a file of its own:

 1 the door, twice the same                  test_openrosa_submission.py
 2 a form in several posts, any of them lost test_openrosa_submission.py, test_openrosa_salvage.py
 3 other content under a known id            test_openrosa_submission.py, test_purging.py
 4 chains of edits                           test_openrosa_submission.py
 5 lists of forms and their hashes           test_openrosa_forms.py
 6 entity lists, and who gets which rows     test_openrosa_forms.py, test_devices.py, unit/sync/test_delivery.py
 7 integrity                                 test_entities.py
 8 dates                                     below
 9 names of files                            test_openrosa_submission.py
10 encryption                                test_export_serving.py, unit/sync/test_encryption.py
11 pyODK                                     test_pyodk_projects.py, …_forms.py, …_submissions.py, …_entities.py
12 OData                                     test_odata.py
13 Enketo                                    test_openrosa_salvage.py
14 the same from eight at once               test_openrosa_salvage.py
"""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import re
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from lxml import etree
from sqlalchemy import Connection, event

from bench.odata import fill
from demo import population
from demo.visits import Visit
from forms.form import NoLists
from forms.programmes.programme import files_of, read_programme
from forms.xforms.answers import instance_from
from forms.xforms.xform import compile_form
from server.db import engine_of, session
from server.odata.options import token_of
from sync.projects.publish import load_programme
from tests.api.test_openrosa_forms import VISIT, publish
from tests.support.collect import Collect, Filled, Heard, LinkBroken, Wire, a_filled_sale, through
from tests.support.encrypting import encrypted_submission
from tests.support.exports import tables_in
from tests.support.javarosa import Oracle, an_oracle
from tests.support.listing import md5, read_form_list, read_manifest
from tests.support.live import served
from tests.support.projects import NOON, a_sale
from tests.support.pyodk import pyodk_as
from tests.support.web import PASSWORD, House, Voice, refused, shown

DEFINITIONS = Path(__file__).parents[2] / "forms" / "definitions"
PHOTO, OTHER = b"\xff\xd8photo" * 100, b"\xff\xd8other" * 100
SALES = "forms/sale/submissions"


def a_tablet(house: House, voice: Voice | None = None) -> Collect:
    """Collect, set up by the code that stands for a device."""
    voice = voice or house.amina
    return Collect(through(house.app.test_client().open), f"/v1/key/{voice.token}/projects/{voice.pid}")


def iid(number: int) -> str:
    return f"uuid:{uuid.UUID(int=number)}"


def sales(house: House) -> list[Any]:
    found: list[Any] = shown(house.baraka.get(SALES))
    return found


def files_of_sale(house: House, number: int) -> dict[str, bool]:
    listed = shown(house.baraka.get(f"{SALES}/{iid(number)}/attachments"))
    return {file["name"]: file["exists"] for file in listed}


def test_1_the_door_tells_its_length_and_the_same_twice_is_one(house: House) -> None:
    tablet = a_tablet(house)
    door = tablet.head()

    posted = [tablet.post(a_filled_sale(1)).status for _ in range(2)]

    assert (door.status, door.body, int(door.headers["x-openrosa-accept-content-length"]) > 0) == (204, b"", True)
    assert posted == [201, 202]
    assert [row["instanceId"] for row in sales(house)] == [iid(1)]


def test_2_photos_of_two_posts_are_both_here_and_the_second_post_alone_is_enough(house: House) -> None:
    tablet = a_tablet(house)
    for number in (1, 2):
        sale = a_filled_sale(number, photo="a.jpg", remark="b.jpg")
        if number == 1:
            assert tablet.post(sale, {"a.jpg": PHOTO}, more=True).status == 201
        assert tablet.post(sale, {"b.jpg": OTHER}).status == 201

    assert [row["instanceId"] for row in sales(house)] == [iid(2), iid(1)]
    assert files_of_sale(house, 1) == {"a.jpg": True, "b.jpg": True}
    assert files_of_sale(house, 2) == {"a.jpg": False, "b.jpg": True}


def test_3_one_byte_changed_is_a_conflict_also_after_deletion(house: House) -> None:
    tablet = a_tablet(house)
    tablet.post(a_filled_sale(1))

    changed = tablet.post(a_filled_sale(1, sacks=5))
    shown(house.djeneba.delete(f"{SALES}/{iid(1)}"))
    deleted = tablet.post(a_filled_sale(1, sacks=5))

    for heard in (changed, deleted):
        assert (heard.status, heard.nature, heard.headers["x-openrosa-version"]) == (409, "error", "1.0")
        assert heard.message
    # What the tablet holds is safe here, and it need not send it for ever.
    assert tablet.post(a_filled_sale(1)).status == 202
    assert sales(house) == []


def test_4_a_chain_of_edits_takes_no_side_branch(house: House) -> None:
    tablet = a_tablet(house)
    a, b, c = a_filled_sale(1), a_filled_sale(2, edits=1, sacks=5), a_filled_sale(3, edits=2, sacks=6)
    assert [tablet.post(xml).status for xml in (a, b, c)] == [201, 201, 201]

    late = tablet.post(b, {"late.jpg": PHOTO})
    branch = tablet.post(a_filled_sale(4, edits=1, sacks=7))

    assert (late.status, branch.status) == (409, 409)
    (row,) = sales(house)
    assert (row["instanceId"], row["currentVersion"]["instanceId"], row["reviewState"]) == (iid(1), iid(3), "edited")


def test_5_hashes_are_those_of_the_downloads_and_a_form_without_files_names_no_manifest(house: House) -> None:
    publish(house, "visit", VISIT, prices_csv=b"name,label\na,A\n", sack_png=PHOTO)
    ask = house.app.test_client().get
    forms = {form.form_id: form for form in read_form_list(ask(f"{a_tablet(house).base}/formList"))}

    files = read_manifest(ask(forms["visit"].manifest))

    assert forms["sale"].manifest is None
    assert {file.name for file in files} == {"people.csv", "prices.csv", "sack.png"}
    for download in (*forms.values(), *files):
        assert download.hash == md5(ask(download.url).get_data())


def test_6_the_hash_of_a_list_changes_with_the_rows_of_this_device_alone(house: House) -> None:
    publish(house, "visit", VISIT)
    shown(house.baraka.patch("datasets/people", json={"ownerOnly": True}))
    other = shown(house.baraka.post("app-users", json={"displayName": "T", "all_forms": True}))
    mine, theirs = (
        a_tablet(house),
        Collect(through(house.app.test_client().open), f"/v1/key/{other['token']}/projects/{house.pid}"),
    )
    before = {tablet.base: manifest_of(tablet) for tablet in (mine, theirs)}

    assert mine.post(a_filled_sale(1, seller="Awa", photo="").replace(b"<orx:meta>", an_entity("Awa"))).status == 201

    hash_, url, _ = manifest_of(mine)
    assert hash_ != before[mine.base][0]
    assert manifest_of(theirs) == before[theirs.base]
    tag = manifest_of(theirs)[2]
    again = house.app.test_client().get(f"{theirs.base}/forms/visit/manifest", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert [row["label"] for row in collect_rows(mine.get(url).body)] == ["Awa"]
    assert collect_rows(theirs.get(before[theirs.base][1]).body) == []


def an_entity(label: str) -> bytes:
    return (
        f'<orx:meta><entity xmlns="http://www.opendatakit.org/xforms/entities" dataset="people" '
        f'id="{uuid.UUID(int=9, version=4)}" create="1"><label>{label}</label></entity>'
    ).encode()


def manifest_of(tablet: Collect) -> tuple[str, str, str]:
    heard = tablet.get(f"{tablet.base}/forms/visit/manifest")
    (file,) = etree.fromstring(heard.body)
    return file.findtext("{*}hash"), urlsplit(file.findtext("{*}downloadUrl")).path, heard.headers["etag"]


def collect_rows(content: bytes) -> list[dict[str, str]]:
    """As Collect reads a list: one record that lacks name, label or a whole version, and it takes none."""
    header, *records = list(csv.reader(io.StringIO(content.decode("utf-8"))))
    assert header[:3] == ["name", "label", "__version"]
    rows = [dict(zip(header, record, strict=True)) for record in records]
    assert all(row["name"] and row["label"] and int(row["__version"]) for row in rows)
    return rows


def test_7_integrity_tells_a_deleted_entity_from_a_living_one(house: House) -> None:
    publish(house, "visit", VISIT)
    living, gone, unknown = (str(uuid.UUID(int=number, version=4)) for number in (1, 2, 3))
    for each in (living, gone):
        shown(house.baraka.post("datasets/people/entities", json={"uuid": each, "label": "Awa", "data": {}}))
    shown(house.baraka.delete(f"datasets/people/entities/{gone}"))
    tablet = a_tablet(house)
    (file,) = read_manifest(house.app.test_client().get(f"{tablet.base}/forms/visit/manifest"))

    heard = tablet.get(f"{file.integrity}?id={living},{gone},{unknown}")

    told = {entity.get("id"): entity.findtext("deleted") for entity in etree.fromstring(heard.body).iter("entity")}
    assert told == {living: "false", gone: "true"}


@pytest.mark.parametrize("date", ["mer., 25 nov. 2026 01:00:00 GMT+00:00", "الأربعاء", "", None])
@pytest.mark.parametrize("version", ["1.0", None])
def test_8_odd_dates_and_missing_headers_are_no_obstacle(house: House, date: str | None, version: str | None) -> None:
    said = {"Date": date, "X-OpenRosa-Version": version, "User-Agent": "curl"}
    headers = {name: value.encode().decode("latin-1") for name, value in said.items() if value is not None}

    def bare(method: str, path: str, sent: Mapping[str, str], body: bytes) -> Heard:
        kept = {name: value for name, value in sent.items() if name == "Content-Type"}
        return through(house.app.test_client().open)(method, path, kept | headers, body)

    tablet = Collect(bare, a_tablet(house).base)

    assert tablet.send(Filled(a_filled_sale(1, photo="a.jpg"), {"a.jpg": PHOTO}))
    assert [form["formID"] for form in tablet.forms()] == ["sale"]


def test_9_a_french_name_of_a_file_survives(house: House) -> None:
    name = "photo du karité — été n°1.jpg"

    assert a_tablet(house).post(a_filled_sale(1, photo=name), {name: PHOTO}).status == 201

    assert files_of_sale(house, 1) == {name: True}
    assert house.baraka.get(f"{SALES}/{iid(1)}/attachments/{quote(name)}").data == PHOTO


def test_10_what_is_encrypted_is_stored_unread_listed_so_and_exported_with_the_passphrase(house: House) -> None:
    shown(house.djeneba.post("key", json={"passphrase": "three sacks of rice", "hint": "what Awa sold"}))
    (listed,) = a_tablet(house).forms()
    xform = etree.fromstring(a_tablet(house).get(urlsplit(listed["downloadUrl"]).path).body)
    (public,) = xform.xpath("//@base64RsaPublicKey")
    sale = a_filled_sale(1, version=listed["version"], seller="Coumba Diarra", photo="p.jpg")
    sent = encrypted_submission(
        public, sale, form_id="sale", version=listed["version"], instance_id=iid(1), media={"p.jpg": PHOTO}
    )

    assert a_tablet(house).send(Filled(sent.manifest, sent.files))

    (row,) = shown(house.baraka.get("forms/sale.svc/Submissions"))["value"]
    assert (row["__system"]["status"], row["seller"]) == ("notDecrypted", None)
    (key,) = shown(house.baraka.get(f"{SALES}/keys"))
    opened = house.baraka.post(f"{SALES}.csv.zip", data={str(key["id"]): "three sacks of rice"}).get_data()
    (row,) = tables_in(opened)["sale.csv"]
    assert (row["seller"], row["sacks"]) == ("Coumba Diarra", "4")
    with zipfile.ZipFile(io.BytesIO(opened)) as archive:
        assert archive.read("media/p.jpg") == PHOTO


def test_11_pyodk_does_its_work_unchanged(house: House, tmp_path: Path) -> None:
    with pyodk_as(house, "Djeneba", tmp_path) as client:
        (user,) = client.projects.create_app_users(["Tablette 1"], forms=["sale"])
        client.entities.create_many([{"label": "Awa"}, {"label": "Fanta"}], entity_list_name="people")
        tablet = Collect(through(house.app.test_client().open), f"/v1/key/{user.token}/projects/{house.pid}")
        assert tablet.post(a_filled_sale(1)).status == 201
        client.submissions.review(iid(1), review_state="approved", form_id="sale", comment="Seen.")

        assert [one.reviewState for one in client.submissions.list(form_id="sale")] == ["approved"]
        assert len(client.entities.list(entity_list_name="people")) == 2
        assert client.submissions.get_table(form_id="sale")["value"][0]["sacks"] == 4


def test_12_following_the_links_of_odata_gives_each_row_once_while_others_arrive(house: House) -> None:
    house.amina.send(*(a_sale(number) for number in range(1, 31)))
    service = shown(house.baraka.get("forms/sale.svc"))
    metadata = etree.fromstring(house.baraka.get("forms/sale.svc/$metadata").get_data())
    seen: list[str] = []

    page = shown(house.baraka.get("forms/sale.svc/Submissions?$top=7"))
    while True:
        seen += [row["__id"] for row in page["value"]]
        house.amina.send(a_sale(1000 + len(seen)), batch=str(len(seen)))
        if "@odata.nextLink" not in page:
            break
        link = urlsplit(page["@odata.nextLink"])
        page = shown(house.baraka.get(f"{link.path}?{link.query}"))

    assert [entry["name"] for entry in service["value"]] == ["Submissions"]
    assert metadata.find(".//{*}EntitySet").get("Name") == "Submissions"
    assert len(seen) == len(set(seen)) == 30


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_12_a_page_of_repeats_costs_the_database_the_same_at_any_depth(house: House) -> None:
    with house.app.app_context():
        engine = engine_of(house.app)
    first, last = fill(engine, house.pid, 2_000)
    steps: list[int] = []

    def watch(connection: Connection) -> None:
        connection.connection.driver_connection.set_progress_handler(lambda: steps.append(1), 20)

    def cost(before: int) -> int:
        place = token_of({"id": before, "number": 0})
        steps.clear()
        path = f"forms/households.svc/Submissions.people?$top=100&$skiptoken={place}"
        assert len(shown(house.baraka.get(path))["value"]) == 100
        return len(steps)

    event.listen(engine, "engine_connect", watch)
    try:
        cost(last)  # the form is compiled
        beginning, end = cost(last), cost(first + 60)
    finally:
        event.remove(engine, "engine_connect", watch)

    assert 0 < end < beginning * 1.2


@dataclass
class Enketo:
    """The web form in a browser: it signs in, keeps the cookie, and posts what was filled in without a network."""

    wire: Wire
    base: str
    cookie: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Heard:
        sent = {"X-OpenRosa-Version": "1.0", "Host": "127.0.0.1"} | self.cookie | headers
        return self.wire(method, f"{self.base}{path}", sent, body)


def test_13_enketo_signs_in_loads_the_form_and_a_queue_of_two_batches_arrives_after_all(house: House) -> None:
    sale = a_filled_sale(1, photo="a.jpg", remark="b.jpg")
    basic = "Basic " + base64.b64encode(f"baraka@example.org:{PASSWORD}".encode()).decode()
    with served(house.app) as address:
        web = Enketo(Wire(int(address.rpartition(":")[2])), f"/v1/projects/{house.pid}")
        assert "Basic" in web.ask("HEAD", "/formList").headers["www-authenticate"]
        assert web.ask("HEAD", "/formList", Authorization=basic).status == 200
        web.cookie = session_of(web.wire)
        assert web.ask("HEAD", "/formList").status == 200
        (listed,) = etree.fromstring(web.ask("GET", "/formList?formID=sale").body)
        assert listed.findtext("{*}formID") == "sale"
        assert web.ask("GET", "/forms/sale.xml").status == 200
        assert web.ask("GET", "/forms/sale/manifest").status == 200
        assert int(web.ask("HEAD", "/submission").headers["x-openrosa-accept-content-length"]) > 0

        queue = Collect(web.wire, web.base, headers=web.cookie)
        assert queue.post(sale, {"a.jpg": PHOTO}).status == 201
        web.wire.cut = lambda length: length - 50
        with pytest.raises(LinkBroken):
            queue.post(sale, {"b.jpg": OTHER})
        web.wire.cut = lambda _length: None
        assert [queue.post(sale, files).status for files in ({"a.jpg": PHOTO}, {"b.jpg": OTHER})] == [202, 201]

    assert files_of_sale(house, 1) == {"a.jpg": True, "b.jpg": True}
    assert len(sales(house)) == 1


def session_of(wire: Wire) -> dict[str, str]:
    """The cookie of a browser that signed in."""
    body = f'{{"email": "baraka@example.org", "password": "{PASSWORD}"}}'.encode()
    heard = wire("POST", "/v1/sessions", {"Content-Type": "application/json"}, body)
    ((name, morsel),) = SimpleCookie(heard.headers["set-cookie"]).items()
    return {"Cookie": f"{name}={morsel.value}"}


def test_14_eight_of_the_same_at_once_are_one(house: House) -> None:
    with served(house.app) as address, ThreadPoolExecutor(8) as pool:
        tablet = Collect(Wire(int(address.rpartition(":")[2])), a_tablet(house).base)
        heard = list(pool.map(lambda _: tablet.post(a_filled_sale(1), {"a.jpg": PHOTO}).status, range(8)))

    assert sorted(heard) == [201] + [202] * 7
    assert len(sales(house)) == 1


# Every workbook of the programme, through JavaRosa.


@cache
def a_visit_of_each_form() -> list[Visit]:
    """The latest of each version of each form, of those that neither correct others nor were corrected."""
    year = population.make()
    troubled = {instance_id for ids in year.troubles.values() for instance_id in ids}
    corrected = {visit.edits for visit in year.visits}
    return list(
        {
            (visit.form, visit.version): visit
            for visit in year.visits
            if visit.instance_id not in troubled | corrected and visit.edits is None and visit.xml is None
        }.values()
    )


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with an_oracle("Africa/Bamako") as oracle:
        yield oracle


def test_every_workbook_is_filled_by_javarosa_and_says_here_what_the_same_answers_say_in_a_batch(
    house: House, oracle: Oracle, tmp_path: Path
) -> None:
    through_odk, through_batches = a_programme(house, "By Collect"), a_programme(house, "By batches")
    tablet = Collect(through(house.sekou.client.open), f"/v1/key/{house.sekou.token}/projects/{through_odk}")
    forms = {form["formID"]: form for form in tablet.forms()}
    visits = [visit for visit in a_visit_of_each_form() if forms[visit.form]["version"] == visit.version]
    assert {visit.form for visit in visits} == forms.keys()

    for visit in visits:
        filled = filled_in_collect(oracle, tablet, forms[visit.form], visit, tmp_path / visit.form)
        assert tablet.send(filled), (visit.form, tablet.messages[-1])
        item = {"instance_id": visit.instance_id, "form": visit.form, "version": visit.version}
        item |= {"recorded_at": visit.recorded_at.isoformat(), "answers": visit.answers}
        sent = house.sekou.post(f"/v1/projects/{through_batches}/batches", json={"batch": visit.form, "items": [item]})
        assert [receipt["outcome"] for receipt in shown(sent)["receipts"]] == ["stored"]

    for visit in visits:
        path = f"forms/{visit.form}/submissions/{visit.instance_id}"
        one, other = (shown(house.sekou.get(f"/v1/projects/{pid}/{path}")) for pid in (through_odk, through_batches))
        assert differing(one["answers"], other["answers"], visit.form) == []
        assert [file["name"] for file in shown(house.sekou.get(f"/v1/projects/{through_odk}/{path}/attachments"))] == [
            file.name for file in visit.attachments
        ]
    figures = [
        {key: value for key, value in shown(house.sekou.get(f"/v1/projects/{pid}/figures")).items() if key != "as_of"}
        for pid in (through_odk, through_batches)
    ]
    assert figures[0] == figures[1]


def differing(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two answers say different things, however they are written: JavaRosa has its own way with moments, and
    writes a 0 where an entity is not to be created or updated.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        names = one.keys() | other.keys()
        return [each for name in names for each in differing(one.get(name), other.get(name), f"{path}/{name}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            each
            for number, two in enumerate(zip(one, other, strict=True))
            for each in differing(*two, f"{path}/{number}")
        ]
    if isinstance(one, str) and isinstance(other, str) and re.match(r"\d{4}-\d{2}-\d{2}T", one):
        one, other = dt.datetime.fromisoformat(one), dt.datetime.fromisoformat(other)
    unsaid = {None, "0"} if path.endswith(("/entity/create", "/entity/update")) else set()
    return [] if one == other or {one, other} <= unsaid else [f"{path}: {one!r} is not {other!r}"]


def a_programme(house: House, name: str) -> int:
    """The programme that comes with the product, in a project of its own."""
    pid = shown(house.sekou.post("/v1/projects", json={"name": name}))["id"]
    with house.app.app_context():
        journal, _ = load_programme(session(), read_programme(files_of(DEFINITIONS)), None, NOON, pid)
        journal.close()
        session().commit()
        return journal.project_id


def filled_in_collect(oracle: Oracle, tablet: Collect, form: Mapping[str, str], visit: Visit, folder: Path) -> Filled:
    """The form and its files fetched as Collect fetches them, the answers opened and written by its engine."""
    xform = tablet.get(urlsplit(form["downloadUrl"]).path).body
    folder.mkdir()
    if "manifestUrl" in form:
        for file in etree.fromstring(tablet.get(urlsplit(form["manifestUrl"]).path).body):
            content = tablet.get(urlsplit(file.findtext("{*}downloadUrl")).path)
            assert content.status == 200
            (folder / file.findtext("{*}filename")).write_bytes(content.body)
    oracle.media(folder)
    oracle.form(xform)
    typed_in = instance_from(
        compile_form(xform),
        visit.answers,
        instance_id=visit.instance_id,
        recorded_at=visit.recorded_at,
        tz=visit.recorded_at.tzinfo,
        lists=NoLists(),
    )
    return Filled(oracle.record(typed_in).xml, {file.name: file.content for file in visit.attachments})


def test_what_is_not_a_version_of_the_form_is_named_so(house: House) -> None:
    assert refused(house.baraka.get("forms/sale/versions/none")) == 404.6
    assert a_tablet(house).post(a_filled_sale(1, version="none")).status == 404
