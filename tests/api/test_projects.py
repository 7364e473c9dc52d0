"""Projects over HTTP: made, changed, and filled from a programme folder as a zip."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import openpyxl
import pytest

from tests.support.projects import SALE, a_sale
from tests.support.web import House, refused, shown
from tests.support.workbooks import a_workbook

PLACES = "code,name,level,parent,latitude,longitude,aliases\nML,Mali,country,,,,\nML-2,Koulikoro,region,ML,,,\n"


def zipped(**files: bytes | str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_x", "."), content)
    return target.getvalue()


def a_programme(**more: bytes | str) -> bytes:
    return zipped(
        project_xtoml='name = "Rice"\ntime_zone = "Africa/Bamako"\nlanguages = ["en"]\nfiscal_year_start = 10\n',
        places_xcsv=PLACES,
        forms__sale_xxlsx=a_workbook("sale", "2", SALE),
        statements__results_xen_xmd="{{ sacks }} sacks\n",
        **more,
    )


def test_a_project_is_made_changed_and_listed(house: House) -> None:
    made = shown(house.sekou.post("/v1/projects", json={"name": "Rice", "time_zone": "Africa/Bamako"}))
    changed = shown(house.sekou.patch(f"/v1/projects/{made['id']}", json={"fiscal_year_start": 4}))

    assert changed["fiscal_year_start"] == 4
    assert [project["name"] for project in shown(house.sekou.get("/v1/projects"))] == ["Siby", "Elsewhere", "Rice"]
    assert [project["name"] for project in shown(house.baraka.get("/v1/projects"))] == ["Siby"]
    assert [project["name"] for project in shown(house.amina.get("/v1/projects"))] == ["Siby"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", ["/v1/projects", "forms", "app-users", "datasets", "forms/sale/versions"])
def test_what_has_not_changed_is_not_sent_again(house: House, path: str) -> None:
    tag = house.djeneba.get(path).headers["ETag"]

    again = [house.djeneba.get(path, headers={"If-None-Match": known}) for known in (tag, f"W/{tag}", '"other"')]

    assert [answer.status_code for answer in again] == [304, 304, 200]
    assert again[0].data == b""


def test_a_form_that_is_called_by_its_file_keeps_its_id_in_a_folder(house: House) -> None:
    nameless = openpyxl.load_workbook(io.BytesIO(a_workbook("sale", "2", SALE)))
    settings = nameless["settings"]
    settings.delete_cols([cell.value for cell in settings[1]].index("form_id") + 1)
    book = io.BytesIO()
    nameless.save(book)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("project.toml", 'name = "Rice"\n')
        archive.writestr("places.csv", PLACES)
        archive.writestr("forms/récolte 100%.xlsx", book.getvalue())
    ids = []
    given = packed.getvalue()
    for name in ("One", "Two"):
        path = f"/v1/projects/{shown(house.sekou.post('/v1/projects', json={'name': name}))['id']}"
        shown(house.sekou.put(f"{path}/programme", data=given, content_type="application/zip"))
        ids.append([form["xmlFormId"] for form in shown(house.sekou.get(f"{path}/forms"))])
        given = house.sekou.get(f"{path}/programme").get_data()

    assert ids == [["récolte 100%"], ["récolte 100%"]]


def test_a_programme_comes_out_as_it_went_in(house: House) -> None:
    labels = '[labels.lists]\n"people" = { "fr" = "Gens \\"d\u2019ici\\"" }\n'
    given = zipped(
        project_xtoml='name = "Rice"\ntime_zone = "Africa/Bamako"\nlanguages = ["fr", "en"]\n' + labels,
        places_xcsv=PLACES + "S,Siby,commune,ML-2,12.3714,-8.3308,Sibi|Ciby\n",
        forms__sale_xxlsx=a_workbook("sale", "2", SALE),
        lists__villages_xcsv='name,label,size\n,Siby,12\n,"Naréna, centre",\n',
        statements__results_xen_xmd="# Results\n\n{{ sacks }} sacks\n",
    )
    first, second = (shown(house.sekou.post("/v1/projects", json={"name": name}))["id"] for name in ("One", "Two"))
    path = "/v1/projects/{}/programme"
    shown(house.sekou.put(path.format(first), data=given, content_type="application/zip"))

    out = house.sekou.get(path.format(first))
    loaded = shown(house.sekou.put(path.format(second), data=out.get_data(), content_type="application/zip"))
    again = shown(house.sekou.put(path.format(first), data=out.get_data(), content_type="application/zip"))

    assert out.content_type == "application/zip"
    assert loaded["published"] == ["sale 2"]
    assert house.sekou.get(path.format(second)).get_data() == out.get_data()
    assert (again["published"], again["changed"]) == ([], [])
    with zipfile.ZipFile(io.BytesIO(out.get_data())) as archive:
        assert {"project.toml", "places.csv", "forms/sale.xlsx", "lists/villages.csv"} <= set(archive.namelist())


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": " \t"},
        {"name": "two\nlines"},
        {"name": 7},
        {"time_zone": "Africa/Nowhere"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": "\x00"},
        {"languages": []},
        {"languages": ["FR"]},
        {"fiscal_year_start": 13},
        {"fiscal_year_start": "4"},
        {"counts": "all"},
        {"labels": {"lists": {"people\x7f": {"fr": "Gens"}}}},
        {"labels": {"lists": {"p" * 201: {"fr": "Gens"}}}},
        {"labels": {"lists": {f"list_{number}": {"fr": "G" * 40} for number in range(300)}}},
        {"last_event": 7},
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_setting_that_makes_no_sense_is_refused(house: House, body: dict[str, Any]) -> None:
    answer = house.djeneba.patch("", json=body)

    assert refused(answer) == 400.8
    assert answer.get_json()["details"]["findings"][0]["place"].split("[")[0] == next(iter(body))


def test_counting_only_what_was_approved_changes_the_figures(house: House) -> None:
    house.amina.send(a_sale(1))
    house.djeneba.patch("", json={"counts": "approved"})

    assert shown(house.fanta.get("figures?indicator=sales"))["figures"][0]["value"] == 0


def test_places_are_put_once(house: House) -> None:
    assert shown(house.djeneba.put("places", data=PLACES)) == {"changed": True}
    assert shown(house.djeneba.put("places", data=PLACES)) == {"changed": False}
    faulty = house.djeneba.put("places", data=PLACES + "X,Nowhere,village,NOT,,,\nX,Again,village,ML,,,\n")
    assert refused(faulty) == 400.8
    assert len(faulty.get_json()["details"]["findings"]) >= 2


def test_a_programme_is_loaded_from_a_zip_and_twice_is_once(house: House) -> None:
    house.amina.send(a_sale(1, version="2"))

    first = shown(house.djeneba.put("programme", data=a_programme()))
    second = shown(house.djeneba.put("programme", data=a_programme()))

    assert first["published"] == ["sale 2"]
    assert {"settings", "places", "statement results.en"} <= set(first["changed"])
    assert (second["published"], second["changed"]) == ([], [])
    assert "4.0 sacks" in house.fanta.get("statements/results?format=md").get_data(as_text=True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a zip",
        zipped(project_xtoml="name = 7"),
        a_programme(forms__broken_xxlsx=b"not a workbook"),
        a_programme(statements__other_xen_xmd="{{ nothing }}"),
        zipped(project_xtoml='name = "x"', bomb="0" * 60_000_000),
    ],
    ids=["nothing", "no zip", "bad settings", "bad workbook", "bad statement", "bomb"],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_programme_with_faults_changes_nothing(house: House, body: bytes) -> None:
    before = shown(house.fanta.get("events?limit=5000"))["last"]

    answer = house.djeneba.put("programme", data=body)

    assert answer.status_code == 400
    assert answer.get_json()["details"]["findings"]
    assert shown(house.fanta.get("events?limit=5000"))["last"] == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_faults_of_all_statement_texts_are_told_together(house: House) -> None:
    programme = a_programme(statements__a_xen_xmd="{{ nothing }}", statements__b_xen_xmd="{{ neither }}")

    findings = house.djeneba.put("programme", data=programme).get_json()["details"]["findings"]

    faults = [finding for finding in findings if "warning" not in finding]
    assert {finding["place"] for finding in faults} == {"statements/a.en.md", "statements/b.en.md"}
    assert [*faults, *(finding for finding in findings if finding.get("warning"))] == findings
