"""ruODK and ODK Briefcase as they call, request by request: R's reader, and the tool that pulls and pushes archives."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.collect import a_filled_sale
from tests.support.projects import SALE
from tests.support.web import PASSWORD, House, shown
from tests.support.workbooks import a_workbook

PHOTO = b"\xff\xd8photo" * 100
PRICED = SALE.replace(
    "    | image   | photo     | Photo     |               |              |\n",
    "    | image   | photo     | Photo     |               |              |\n"
    "    | select_one_from_file prices.csv | offer | Offer |          |     |\n",
)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
IID = "uuid:00000000-0000-0000-0000-000000000001"


class RuOdk:
    """It signs each request with Basic, and asks for XML whatever it wants."""

    def __init__(self, client: FlaskClient, name: str, pid: int) -> None:
        self.client, self.pid = client, pid
        signed = base64.b64encode(f"{name}@example.org:{PASSWORD}".encode()).decode()
        self.headers = {"Authorization": f"Basic {signed}", "Accept": "application/xml"}

    def get(self, path: str, **more: str) -> TestResponse:
        return self.client.get(f"/v1/projects/{self.pid}/{path}", headers=self.headers | more)


def test_ruodk_reads_a_project_with_accept_xml_everywhere(house: House) -> None:
    shown(
        house.djeneba.post(
            "forms?publish=true&ignoreWarnings=true", data=a_workbook("priced", "2", PRICED), content_type=XLSX
        )
    )
    path = "forms/sale/submissions"
    shown(house.baraka.post(path, data=a_filled_sale(1, photo="a.jpg"), content_type="application/xml"))
    shown(house.baraka.post(f"{path}/{IID}/attachments/a.jpg", data=PHOTO))
    shown(house.baraka.post(f"{path}/{IID}/comments", json={"body": "Seen."}))
    reader = RuOdk(house.app.test_client(), "baraka", house.pid)

    for resource in (
        "",
        "forms",
        "forms/sale",
        "forms/sale/fields?odata=true",
        "forms/sale/versions",
        "forms/priced/attachments",
        path,
        f"{path}/{IID}",
        f"{path}/{IID}/attachments",
        f"{path}/{IID}/comments",
        f"{path}/{IID}/audits",
        f"{path}/submitters",
        f"{path}/keys",
        "datasets",
        "datasets/people",
        "datasets/people/entities",
        "app-users",
    ):
        heard = reader.get(resource)
        assert (resource, heard.status_code, heard.mimetype) == (resource, 200, "application/json")
    assert reader.client.get("/v1/projects", headers=reader.headers).get_json()[0]["name"] == "Siby"
    assert reader.get("forms/sale.xml").data.startswith(b"<")
    assert reader.get(f"{path}/{IID}.xml").data == a_filled_sale(1, photo="a.jpg")
    assert reader.get("forms/sale.svc/$metadata").mimetype == "application/xml"
    assert reader.get("forms/sale.svc/Submissions?$expand=*", Accept="application/json").get_json()["value"]
    assert reader.get(f"{path}.csv.zip").data.startswith(b"PK")


def test_refusals_are_json_for_ruodk_as_well(house: House) -> None:
    reader = RuOdk(house.app.test_client(), "baraka", house.pid)

    for path, code in (("forms/none", 404.1), ("forms/sale/versions/none", 404.6), ("webhooks", 403.1)):
        heard = reader.get(path)
        assert (heard.mimetype, heard.get_json()["code"]) == ("application/json", code)


class Briefcase:
    """Version 1.17 and later, in its mode for ODK Central: a session, then every request with its token."""

    def __init__(self, app: Flask, name: str, pid: int) -> None:
        self.client, self.base = app.test_client(), f"/v1/projects/{pid}"
        signed_in = self.client.post("/v1/sessions", json={"email": f"{name}@example.org", "password": PASSWORD})
        # Its cookie is not sent back by that program.
        self.client = app.test_client(use_cookies=False)
        self.headers = {"Authorization": f"Bearer {shown(signed_in)['token']}", "User-Agent": "Briefcase/v1.18.0"}

    def get(self, path: str) -> TestResponse:
        return self.client.get(f"{self.base}{path}", headers=self.headers)

    def post(self, path: str, body: bytes = b"", kind: str = "application/xml") -> TestResponse:
        return self.client.post(f"{self.base}{path}", data=body, headers=self.headers | {"Content-Type": kind})

    def pull(self, form: str) -> tuple[bytes, dict[str, bytes], dict[str, tuple[bytes, dict[str, bytes]]]]:
        """The XForm, its files, and each submission with its files."""
        (listed,) = [one for one in shown(self.get("/forms")) if one["xmlFormId"] == form]
        assert listed["publishedAt"] is not None
        assert {"name", "version"} <= listed.keys()
        root = f"/forms/{quote(form)}"
        media = {
            file["name"]: self.get(f"{root}/attachments/{quote(file['name'])}").data
            for file in shown(self.get(f"{root}/attachments"))
            if file["exists"]
        }
        submissions = {}
        for one in shown(self.get(f"{root}/submissions")):
            place = f"{root}/submissions/{quote(one['instanceId'], safe='')}"
            files = {
                file["name"]: self.get(f"{place}/attachments/{quote(file['name'])}").data
                for file in shown(self.get(f"{place}/attachments"))
                if file["exists"]
            }
            submissions[one["instanceId"]] = (self.get(f"{place}.xml").data, files)
        return self.get(f"{root}.xml").data, media, submissions


def test_briefcase_pulls_from_one_project_and_pushes_to_another(house: House) -> None:
    source, target = Briefcase(house.app, "djeneba", house.pid), Briefcase(house.app, "sekou", house.other)
    assert source.get("").get_json()["id"] == house.pid
    shown(source.post("/forms?ignoreWarnings=true", a_workbook("priced", "", PRICED), XLSX))
    shown(source.post("/forms/priced/draft/attachments/prices.csv", b"name,label\na,A\n", "*/*"))
    shown(source.post("/forms/priced/draft/publish"))
    sale = a_filled_sale(1, form="priced", version="", photo="le karité.jpg")
    shown(source.post("/forms/priced/submissions", sale))
    shown(source.post(f"/forms/priced/submissions/{IID}/attachments/le%20karit%C3%A9.jpg", PHOTO, "*/*"))
    xform, media, submissions = source.pull("priced")
    assert media == {"prices.csv": b"name,label\na,A\n"}
    assert submissions == {IID: (sale, {"le karité.jpg": PHOTO})}

    for again in range(2):
        push(target, xform, media, submissions, known=bool(again))

    assert target.pull("priced") == (xform, media, submissions)
    assert target.get("/forms/priced/versions/___").get_json()["version"] == ""
    assert hashlib.md5(xform).hexdigest() == shown(target.get("/forms/priced"))["hash"]


def push(
    target: Briefcase,
    xform: bytes,
    media: dict[str, bytes],
    submissions: dict[str, tuple[bytes, dict[str, bytes]]],
    *,
    known: bool,
) -> None:
    """It asks whether form and version are there, and sends what is not; submissions that are there are passed over."""
    there = target.get("/forms/priced").status_code == 200
    assert there is known
    if not there:
        assert target.post("/forms?ignoreWarnings=true", xform).status_code == 200
        for name, content in media.items():
            assert target.post(f"/forms/priced/draft/attachments/{quote(name)}", content, "*/*").status_code == 200
        assert target.post("/forms/priced/draft/publish").status_code == 200
    assert target.get("/forms/priced/versions/___").status_code == 200
    for instance_id, (xml, files) in submissions.items():
        assert target.post("/forms/priced/submissions", xml).status_code == (409 if known else 200)
        for name, content in files.items():
            place = f"/forms/priced/submissions/{quote(instance_id, safe='')}/attachments/{quote(name)}"
            assert target.post(place, content, "*/*").status_code == 200


def test_briefcase_pushes_a_further_version_through_a_draft(house: House) -> None:
    target = Briefcase(house.app, "djeneba", house.pid)
    newer = target.get("/forms/sale.xml").data.replace(b'version="1"', b'version="2"')

    assert target.get("/forms/sale/versions/2").status_code == 404
    shown(target.post("/forms/sale/draft?ignoreWarnings=true", newer))
    shown(target.post("/forms/sale/draft/publish?version=2"))

    assert shown(target.get("/forms/sale/versions/2"))["version"] == "2"
    assert target.get("/forms/sale/versions/2.xml").data == newer
    assert target.get("/forms/sale/versions/1.xml").status_code == 200


@pytest.mark.parametrize("agent", ["Briefcase/v1.18.0", "ruODK v1.5", "python-requests"])
def test_a_wrong_password_is_401_with_a_challenge_and_no_detail(house: House, agent: str) -> None:
    client = house.app.test_client()
    wrong = client.post(
        "/v1/sessions",
        json={"email": "baraka@example.org", "password": "x"},
        headers={"User-Agent": agent, "Accept": "application/xml"},
    )

    assert (wrong.status_code, wrong.get_json()["code"], wrong.get_json()["details"]) == (401, 401.2, None)
