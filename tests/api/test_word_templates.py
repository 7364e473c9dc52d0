"""The organisation's own Word template by the pages: tried, kept, used by every door, taken away."""

import datetime as dt
import io
from zoneinfo import ZoneInfo

import docx
import pytest
from babel.dates import format_date
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.documents import a_template
from tests.support.pages import Page, read, send, signed_in
from tests.support.projects import a_sale
from tests.support.web import House, shown

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def sold(house: House) -> House:
    house.amina.send(a_sale(1, sacks=4), a_sale(2, sacks=9, village="Kalassa"))
    house.djeneba.put("statements/results/fr", data="# Vendu\n\n{{ sacks }} sacs.\n")
    return house


def upload(client: FlaskClient, house: House, template: bytes, act: str, statement: str = "") -> TestResponse:
    page = f"/projects/{house.pid}/word-templates"
    file = (io.BytesIO(template), "En-tête <b>.docx")
    return send(client, page, page, {"act": act, "statement": statement, "file": file})


def texts(data: bytes) -> list[str]:
    return [one.text for one in docx.Document(io.BytesIO(data)).paragraphs]


def test_a_template_is_tried_kept_used_and_taken_away(sold: House) -> None:
    client = signed_in(sold, "djeneba", language="fr")
    page = f"/projects/{sold.pid}/word-templates"
    plain = texts(sold.djeneba.get("statements/results?format=docx").data)

    tried = upload(client, sold, a_template("De {{ project }}", "{{p text }}"), "try")
    assert texts(tried.data)[:3] == ["De Siby", "Vendu", "13,0 sacs."]
    assert texts(sold.djeneba.get("statements/results?format=docx").data) == plain

    assert upload(client, sold, a_template("De {{ project }}", "{{p text }}"), "keep").status_code == 303
    assert texts(sold.fanta.get("statements/results?format=docx").data)[0] == "De Siby"
    assert "En-tête &lt;b&gt;.docx" in read(client, page)

    shown(sold.djeneba.post("statements/results/issues", json={"as_of": "2100-01-01", "title": "Bilan"}))
    upload(client, sold, a_template("{{ issue }}, {{ project }}"), "keep", "results")
    assert texts(sold.djeneba.get("statements/results/issues/1?format=docx").data) == ["Bilan, Siby"]

    for statement in ("results", ""):
        asking = f"{page}/remove?statement={statement}"
        assert send(client, asking, f"{page}/remove", {"statement": statement}).status_code == 303
    assert texts(sold.djeneba.get("statements/results?format=docx").data)[:2] == plain[:2]


def test_what_is_wrong_with_a_template_is_said_in_french_and_nothing_is_kept(sold: House) -> None:
    client = signed_in(sold, "djeneba", language="fr")

    answer = upload(
        client, sold, a_template("{{ titel }}", "{% for one in figures %}{{ one.labl }}{% endfor %}"), "keep"
    )

    assert answer.status_code == 400
    assert "« titel » n’est pas une balise." in answer.get_data(as_text=True)
    assert "Il n’y en a pas encore" in read(client, f"/projects/{sold.pid}/word-templates")


def test_the_example_can_be_kept_as_it_is(sold: House) -> None:
    client = signed_in(sold, "djeneba", language="fr")

    example = client.get(f"/projects/{sold.pid}/word-templates/example").data

    assert upload(client, sold, example, "keep").status_code == 303
    written = docx.Document(io.BytesIO(sold.fanta.get("statements/results?format=docx&lang=fr").data))
    assert [cell.text for cell in written.tables[0].rows[1].cells][-1] == "4"


@pytest.mark.parametrize("name", ["baraka", "fanta", "amina", "coumba"])
def test_only_administrators_see_and_change_templates(sold: House, name: str) -> None:
    voice = sold.voices[name.capitalize()]

    for path in ("", "/file", "/example", "/remove"):
        status = voice.get(f"/projects/{sold.pid}/word-templates{path}").status_code
        assert status == (404 if name == "coumba" else 403)


def test_paper_says_where_each_figure_comes_from(sold: House) -> None:
    page = read(signed_in(sold, language="fr"), f"/projects/{sold.pid}/statements/results")

    assert '13,0</a><sup class="printed">1</sup>' in page
    assert '<section class="printed notes"><h2>D’où viennent les chiffres</h2>' in page
    assert "valeurs additionnées ; 2 contributions.</li>" in page


def test_what_is_saved_is_called_by_statement_period_and_issue_or_day(sold: House) -> None:
    shown(sold.djeneba.post("statements/results/issues", json={"as_of": "2100-01-01", "title": "Mid-term"}))
    day = shown(sold.baraka.get("statements/results"))["as_of"]["at"][:10]

    names = {
        address: sold.baraka.get(f"statements/results{address}").headers["Content-Disposition"].partition(";")[2]
        for address in (
            "?format=md&lang=fr&period=2025-Q1",
            "?format=docx&lang=fr&period=2025-01-01/2025-06-30",
            "/issues/1?format=md&lang=fr",
            "/issues/1?format=docx&lang=fr",
        )
    }

    assert [name.split('"')[1] for name in names.values()] == [
        f"results_2025-Q1_{day}.fr.md",
        f"results_2025-01-01--2025-06-30_{day}.fr.docx",
        "results_issue-1.fr.md",
        "results_issue-1.fr.docx",
    ]


def test_what_is_saved_says_its_project_and_period_and_which_issue_it_is(sold: House) -> None:
    event = shown(sold.baraka.get("statements/results"))["as_of"]["event"]
    given = {"as_of": event, "title": "Mi-parcours *2*", "period": "2025"}
    issued = dt.datetime.fromisoformat(shown(sold.djeneba.post("statements/results/issues", json=given))["issued_at"])
    on = issued.astimezone(ZoneInfo("Africa/Bamako")).date()
    day = format_date(on, "d MMMM y" if on.day > 1 else "'1er' MMMM y", locale="fr")
    issue = "Siby · 2025 · édition n°\xa01, «\xa0Mi-parcours *2*\xa0», émise le "

    written = {
        address: (
            sold.fanta.get(f"statements/results{address}format=md&lang=fr").get_data(as_text=True).splitlines()[:4],
            texts(sold.fanta.get(f"statements/results{address}format=docx&lang=fr").data)[:2],
        )
        for address in ("?period=2025&", "/issues/1?")
    }

    markdown, word = written["?period=2025&"]
    assert (markdown, word) == (["# Vendu", "", "Siby · 2025", ""], ["Vendu", "Siby · 2025"])
    markdown, word = written["/issues/1?"]
    assert word == ["Vendu", f"{issue}{day}"]
    assert markdown == ["# Vendu", "", f"{issue}{day}".replace("*", r"\*"), ""]


def test_there_is_a_way_to_the_templates_for_those_who_may(sold: House) -> None:
    address = f"/projects/{sold.pid}/word-templates"
    statements = f"/projects/{sold.pid}/statements"

    assert address in Page(read(signed_in(sold, "djeneba"), statements)).links
    assert address not in Page(read(signed_in(sold, "baraka"), statements)).links


def test_a_template_is_kept_fetched_and_taken_away_by_rest(sold: House) -> None:
    template, one = a_template("{{ project }}"), "word-templates/file?statement=results"

    kept = sold.djeneba.put(f"{one}&filename=mine.docx", data=template)
    listed = shown(sold.djeneba.get("word-templates"))
    fetched = sold.djeneba.get(one)
    written = sold.djeneba.get("statements/results?format=docx")
    gone = sold.djeneba.delete(one)

    assert (kept.status_code, gone.status_code) == (200, 200)
    assert [(each["statement"], each["filename"]) for each in listed] == [("results", "mine.docx")]
    assert fetched.data == template
    assert texts(written.data) == ["Siby"]
    assert shown(sold.djeneba.get("word-templates")) == []
    assert sold.djeneba.get(one).status_code == 404
    assert sold.djeneba.put("word-templates/file", data=a_template("{{ titel }}")).status_code == 400
    assert sold.djeneba.put("word-templates/file?statement=none", data=template).status_code == 404
