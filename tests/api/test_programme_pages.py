"""A programme loaded by page: checked whole, shown before it is done, done all at once."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.test_projects import a_programme, zipped
from tests.support.pages import Page, read, send, signed_in
from tests.support.people import publish_gathering
from tests.support.projects import a_sale
from tests.support.web import House, shown
from tests.support.workbooks import a_workbook

ONCE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at(house: House, path: str = "") -> str:
    return f"/projects/{house.pid}/programme{path}"


def hand_in(house: House, body: bytes, name: str = "djeneba") -> TestResponse:
    file = (io.BytesIO(body), "programme.zip")
    return send(signed_in(house, name, "en"), at(house), at(house), {"programme": file})


def last_event(house: House) -> Any:
    return shown(house.fanta.get("events?limit=5000"))["last"]


def test_what_would_change_is_shown_and_then_done(house: House) -> None:
    house.amina.send(a_sale(1, version="2"))
    before = last_event(house)

    preview = hand_in(house, a_programme())
    page = preview.get_data(as_text=True)
    between = last_event(house)
    token = Page(page).hidden["token"]
    done = send(signed_in(house, "djeneba", "en"), at(house), at(house, "/load"), {"token": token})
    again = hand_in(house, a_programme()).get_data(as_text=True)

    assert preview.status_code == 200
    assert between == before
    assert all(words in page for words in ("new version", "Places", "1 entry would leave the quarantine", "results.en"))
    assert done.status_code == 200
    assert "sale 2" in done.get_data(as_text=True)
    assert "1 entry has left the quarantine" in done.get_data(as_text=True)
    assert "Nothing in it is different" in again


@ONCE
def test_lists_and_levels_are_called_as_the_programme_says(house: House) -> None:
    labels = """
[labels.lists]
people = { fr = "Personnes <b>", en = "People" }
[labels.levels]
region = { fr = "Région" }
"""
    programme = zipped(project_xtoml='name = "Rice"\n' + labels)
    token = Page(hand_in(house, programme).get_data(as_text=True)).hidden["token"]
    done = send(signed_in(house, "djeneba", "en"), at(house), at(house, "/load"), {"token": token})
    publish_gathering(house)

    french, english = (signed_in(house, language=code) for code in ("fr", "en"))

    assert "<code>labels</code>" in done.get_data(as_text=True)
    assert "Nothing in it is different" in hand_in(house, programme).get_data(as_text=True)
    assert "<h1>Personnes &lt;b&gt;</h1>" in read(french, f"/projects/{house.pid}/lists/people")
    assert ">People</a>" in read(english, f"/projects/{house.pid}/lists")
    assert shown(house.djeneba.get(""))["labels"]["levels"] == {"region": {"fr": "Région"}}
    assert shown(house.djeneba.patch("", json={"labels": {}}))["labels"] == {}
    assert house.djeneba.patch("", json={"labels": {"lists": {"people": 5}}}).status_code == 400
    assert "<h1>people</h1>" in read(french, f"/projects/{house.pid}/lists/people")


@ONCE
def test_all_that_is_wrong_is_shown_by_file_sheet_row_and_column(house: House) -> None:
    before = last_event(house)
    faulty = a_programme(forms__broken_xxlsx=b"not a workbook", statements__other_xen_xmd="{{ nothing }}")

    answer = hand_in(house, faulty)
    page = answer.get_data(as_text=True)

    assert answer.status_code == 400
    assert "nothing has changed" in page
    assert "forms/broken.xlsx" in page
    assert last_event(house) == before


@ONCE
def test_statements_are_read_over_though_there_are_faults_elsewhere(house: House) -> None:
    text = "{{ sacks(by='x') }}\n{{ sack }}\n{{ sacks(period='20x6') }}\n{% set a = 1 %}"
    faulty = a_programme(lists__people_xcsv="name\n", statements__other_xen_xmd=text)
    unread = a_programme(forms__broken_xxlsx=b"not a workbook", statements__other_xen_xmd="{{ sack }} {{ 1 | fly }}")

    formless = zipped(
        project_xtoml='name = "Rice"', lists__people_xcsv="name\n", statements__other_xen_xmd="{{ sack }} {{ 1 | fly }}"
    )

    pages = [hand_in(house, one).get_data(as_text=True) for one in (faulty, unread, formless)]

    assert all(
        words in pages[0]
        for words in (
            *("lists/people.csv", "statements/other.en.md", "‘sacks’ is not broken down by ‘by’", "‘sack’ is not an"),
            *("‘20x6’ is no", "has no place in a statement"),
        )
    )
    assert all("fly" in page and "‘sack’" not in page for page in pages[1:])


@ONCE
def test_a_folder_with_some_of_the_forms_may_name_the_figures_of_the_others(house: House) -> None:
    survey = "| survey | | |\n| type | name | label |\n| text | met | Met |\n"
    row = "| indicators | | |\n| name | label | aggregate |\n| {} | Visits | count |\n"
    text = "{{{{ {} }}}} {{{{ visits }}}} {{{{ visit }}}}"
    some, unnamed = (
        zipped(
            project_xtoml='name = "Rice"',
            forms__other_xxlsx=a_workbook("other", "1", survey + row.format(name)),
            lists__people_xcsv="name\n",
            statements__other_xen_xmd=text.format("sacks"),
        )
        for name in ("visits", "Visits!")
    )

    partial, nameless = (hand_in(house, one).get_data(as_text=True) for one in (some, unnamed))

    assert all("lists/people.csv" in page for page in (partial, nameless))
    assert "‘visit’ is not an indicator" in partial
    assert all(words not in partial for words in ("‘sacks’ is", "‘visits’ is"))
    assert "‘Visits!’ cannot be a name" in nameless
    assert "is not an indicator" not in nameless


@ONCE
def test_a_share_is_broken_down_as_both_its_parts_are_also_before_it_is_loaded(house: House) -> None:
    sales = """
        | survey  |       |       |
        | type    | name  | label |
        | integer | sacks | Sacks |
        | text    | buyer | Buyer |
        | text    | kind  | Kind  |
        | indicators | | | | | | |
        | name  | label | aggregate | value    | by         | numerator | denominator |
        | sold  | Sold  | sum       | ${sacks} | buyer kind |           |             |
        | sales | Sales | count     |          | buyer      |           |             |
        | mean  | Mean  | ratio     |          |            | sold      | sales       |
    """
    text = "{{ mean(buyer='Awa') }}\n{{ mean(kind='rice') }}"
    faulty = a_programme(
        forms__sales_xxlsx=a_workbook("sales", "1", sales), lists__people_xcsv="name\n", statements__other_xen_xmd=text
    )

    page = hand_in(house, faulty).get_data(as_text=True)

    assert "lists/people.csv" in page
    assert "‘mean’ is not broken down by ‘kind’" in page
    assert "‘mean’ is not broken down by ‘buyer’" not in page


@ONCE
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Choose a file"),
        (b"not a zip", "not a zip archive"),
        (zipped(project_xtoml='name = "x"', bomb="0" * 60_000_000), "packed far more tightly"),
    ],
    ids=["nothing", "no zip", "bomb"],
)
def test_what_is_no_programme_is_refused_with_words(house: House, body: bytes, said: str) -> None:
    answer = hand_in(house, body)

    assert answer.status_code == 400
    assert said in answer.get_data(as_text=True)


@ONCE
def test_a_path_that_leads_out_of_the_folder_is_refused(house: House) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../etc/passwd", "x")
        archive.writestr("project.toml", 'name = "x"')

    answer = hand_in(house, packed.getvalue())

    assert answer.status_code == 400
    assert "leads out of the archive" in answer.get_data(as_text=True)


@ONCE
def test_only_who_looked_at_it_loads_it_and_only_here(house: House) -> None:
    token = Page(hand_in(house, a_programme()).get_data(as_text=True)).hidden["token"]
    before = last_event(house)

    other = send(signed_in(house, "sekou", "en"), at(house), at(house, "/load"), {"token": token})
    elsewhere = f"/projects/{house.other}/programme"
    there = send(signed_in(house, "sekou", "en"), elsewhere, f"{elsewhere}/load", {"token": token})
    forged = send(signed_in(house, "djeneba", "en"), at(house), at(house, "/load"), {"token": token[:-3] + "abc"})

    assert (other.status_code, there.status_code, forged.status_code) == (400, 400, 400)
    assert "no longer here" in other.get_data(as_text=True)
    assert last_event(house) == before


@ONCE
def test_names_in_a_programme_are_shown_as_text(house: House) -> None:
    answer = hand_in(house, zipped(project_xtoml='name = "<img src=x onerror=alert(1)>"\n'))

    assert Page(answer.get_data(as_text=True)).runs == []
    assert "&lt;img" in answer.get_data(as_text=True)
    assert "Load a programme" in read(signed_in(house, "djeneba", "en"), at(house))
