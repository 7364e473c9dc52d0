"""Figures over HTTP: with what stands behind them, as of when, and what viewers do not get to see."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from server.kept import remembered
from server.pages.figures import asking
from sync.indicators.reading import Reading
from tests.api.test_editing_pages import publish
from tests.support.pages import read, signed_in
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, refused, shown


@pytest.fixture
def sold(house: House) -> House:
    """Three sales, of 4 and 5 sacks in Siby and of 6 in Kalassa."""
    outcomes = house.amina.outcomes(
        a_sale(1, sacks=4), a_sale(2, sacks=5), a_sale(3, sacks=6, village="Kalassa", day="2026-10-01")
    )
    assert outcomes == ["stored"] * 3
    return house


def test_what_comes_in_while_a_page_is_worked_out_is_not_hidden_by_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "KEPT_SECONDS", 0.0)
    house.amina.send(a_sale(1, sacks=4))
    client, address = signed_in(house), f"/projects/{house.pid}/indicators/sacks?period=all"
    reading_of = asking.reading_of

    def slowly(pid: int, as_of: str | None) -> Reading:
        monkeypatch.setattr(asking, "reading_of", reading_of)
        found = reading_of(pid, as_of)
        with ThreadPoolExecutor(1) as tablet:
            tablet.submit(house.amina.send, a_sale(2, sacks=9)).result()
        return found

    monkeypatch.setattr(asking, "reading_of", slowly)
    read(client, address)

    assert "13.0" in read(client, address)


def test_a_figure_adds_up_and_says_as_of_when(sold: House) -> None:
    told = shown(sold.fanta.get("figures?indicator=sacks,sales"))

    assert [(figure["indicator"], figure["value"], figure["n"]) for figure in told["figures"]] == [
        ("sacks", 15, 3),
        ("sales", 3, 3),
    ]
    assert told["as_of"]["event"] == shown(sold.fanta.get("events?limit=5000"))["last"]


def test_figures_by_village_and_period(sold: House) -> None:
    by = shown(sold.fanta.get("figures?indicator=sacks&by=village&totals=false"))["figures"]
    october = shown(sold.fanta.get("figures?indicator=sacks&period=2026-10"))["figures"]
    picked = shown(sold.fanta.get("figures?indicator=sacks&is=village:Siby"))["figures"]

    assert {figure["by"]["village"]: figure["value"] for figure in by} == {"Siby": 9, "Kalassa": 6}
    assert october[0]["value"] == 6
    assert [(figure["by"], figure["value"]) for figure in picked] == [({"village": "Siby"}, 9)]


def test_a_figure_as_of_an_event_stays_what_it_was(sold: House) -> None:
    event = shown(sold.fanta.get("figures?indicator=sacks"))["as_of"]["event"]
    sold.baraka.patch(f"forms/sale/submissions/{instance_id(1)}", json={"reviewState": "rejected"})

    now = shown(sold.fanta.get("figures?indicator=sacks"))["figures"][0]["value"]
    then = shown(sold.fanta.get(f"figures?indicator=sacks&as_of={event}"))["figures"][0]["value"]
    told = shown(sold.fanta.get(f"figures/sacks/changes?from={event}"))

    assert (now, then) == (11, 15)
    assert (told["before"], told["after"]) == (15, 11)
    assert [(cause["cause"], cause["effect"]) for cause in told["causes"]] == [("rejected", -4)]


def test_changes_from_the_beginning_say_when_that_was(sold: House) -> None:
    told = shown(sold.fanta.get("figures/sacks/changes"))

    assert told["from"]["event"] == 0
    assert told["from"]["at"] <= told["to"]["at"]


@pytest.mark.parametrize(
    ("asked", "place"), [("from=999999", "from"), ("from=1&to=soon", "to"), ("from=1&as_of=soon", "as_of")]
)
def test_a_moment_that_is_none_is_named_as_it_was_asked_for(sold: House, asked: str, place: str) -> None:
    answer = sold.fanta.get(f"figures/sacks/changes?{asked}")

    assert refused(answer) == 400.8
    assert [one["place"] for one in answer.get_json()["details"]["findings"]] == [place]


def test_evidence_leads_to_the_submissions_page_by_page(sold: House) -> None:
    first = shown(sold.baraka.get("figures/sacks/evidence?limit=2"))
    rest = shown(sold.baraka.get(f"figures/sacks/evidence?limit=2&cursor={first['cursor']}"))

    rows = first["evidence"] + rest["evidence"]
    assert first["count"] == 3
    assert rest["cursor"] is None
    assert sorted(row["instance_id"] for row in rows) == [instance_id(n) for n in (1, 2, 3)]
    assert sum(row["counted"] for row in rows) == 15


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("figures?indicator=nothing", 400.8),
        ("figures?indicator=sacks&period=sometime", 400.8),
        ("figures?indicator=sacks&place=nowhere", 400.8),
        ("figures?indicator=sacks&by=nothing", 400.8),
        ("figures?indicator=sacks&is=nothing", 400.8),
        ("figures?indicator=sacks&as_of=tomorrow", 400.8),
        ("figures?indicator=sacks&as_of=999999", 400.8),
        ("figures?indicator=sacks&unknown=1", 400.8),
        ("figures?indicator=sacks&indicator=sales", 400.8),
        ("figures?indicator=sacks%00", 400.8),
        ("figures?indicator=%ff%fe", 400.8),
        ("figures/nothing/evidence", 404.1),
        ("figures/sacks/evidence?cursor=nonsense", 400.8),
        ("figures/nothing/changes", 404.1),
        ("events?since=first", 400.8),
        ("review?cursor=nonsense", 400.8),
        ("review?state=unheard", 400.8),
        ("quarantine?limit=0", 400.8),
        ("quarantine/99999999999999999999", 404.1),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_question_that_makes_no_sense_is_told_so(house: House, path: str, code: float) -> None:
    assert refused(house.baraka.get(path)) == code


def test_the_journal_is_read_from_a_number_on(sold: House) -> None:
    told = shown(sold.fanta.get("events?limit=2"))
    rest = shown(sold.fanta.get(f"events?since={told['last']}&limit=5000"))

    numbers = [event["number"] for event in told["events"] + rest["events"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [event["kind"] for event in rest["events"]][-3:] == ["submitted"] * 3


def test_indicators_say_how_they_are_broken_down(house: House) -> None:
    told = {row["name"]: row for row in shown(house.fanta.get("indicators"))["indicators"]}

    assert told["sacks"]["aggregate"] == "sum"
    assert [way["name"] for way in told["sacks"]["breakdowns"]] == ["village"]
    assert told["sales"]["breakdowns"] == []


STATEMENT = "# Sold\n\n{{ sacks }} sacks, {{ sacks(village='Siby') }} of them in Siby.\n"


def test_indicators_and_statements_come_in_parts_when_asked_to(house: House) -> None:
    whole = [indicator["name"] for indicator in shown(house.fanta.get("indicators"))["indicators"]]
    part = shown(house.fanta.get("indicators?limit=1&offset=1"))["indicators"]

    assert [indicator["name"] for indicator in part] == whole[1:2]
    assert shown(house.fanta.get("statements?limit=1&offset=9")) == {"statements": []}
    assert refused(house.fanta.get("indicators?limit=0")) == 400.8


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_issues_of_a_statement_come_in_parts_too(sold: House) -> None:
    sold.djeneba.put("statements/results/en", data=STATEMENT)
    for _ in range(3):
        shown(sold.baraka.post("statements/results/issues", json=issue_now(sold)))

    part = shown(sold.fanta.get("statements/results/issues?limit=1&offset=1"))["issues"]

    assert [issue["number"] for issue in part] == [2]
    assert refused(sold.fanta.get("statements/results/issues?limits=1")) == 400.8


def test_a_statement_is_written_issued_and_explained(sold: House) -> None:
    put = sold.djeneba.put("statements/results/en", data=STATEMENT)
    issue = shown(sold.baraka.post("statements/results/issues", json=issue_now(sold)))
    sold.baraka.patch(f"forms/sale/submissions/{instance_id(1)}", json={"reviewState": "rejected"})

    text = sold.fanta.get("statements/results?format=md&lang=en").get_data(as_text=True)
    told = shown(sold.fanta.get("statements/results"))
    issued = sold.fanta.get("statements/results/issues/1?format=md").get_data(as_text=True)
    changed = shown(sold.fanta.get("statements/results/issues/1/changes"))["changes"]

    assert shown(put) == {"changed": True}
    assert shown(sold.djeneba.put("statements/results/en", data=STATEMENT)) == {"changed": False}
    assert shown(sold.fanta.get("statements")) == {"statements": [{"name": "results", "languages": ["en"]}]}
    assert "11.0 sacks, 5.0 of them in Siby." in text
    assert issue["number"] == 1
    assert "15.0 sacks, 9.0 of them in Siby." in issued
    assert [row["indicator"] for row in changed] == ["sacks", "sacks"]
    figures = [part for paragraph in told["paragraphs"] for part in paragraph if isinstance(part, dict)]
    evidence = shown(sold.baraka.get("/" + figures[1]["evidence"].split("/", 3)[3]))
    assert [row["instance_id"] for row in evidence["evidence"]] == [instance_id(2)]
    assert sold.fanta.get("statements/results?format=docx").get_data()[:2] == b"PK"
    assert "<script" not in sold.fanta.get("statements/results?format=html").get_data(as_text=True)


def test_a_statement_asked_for_again_says_what_has_come_in_since_and_as_of_then_what_it_said(sold: House) -> None:
    sold.djeneba.put("statements/results/en", data=STATEMENT)
    said = [shown(sold.fanta.get("statements/results")) for _ in range(2)]
    sold.amina.send(a_sale(4, sacks=1, village="Kalassa"))

    again = shown(sold.fanta.get("statements/results"))
    then = shown(sold.fanta.get(f"statements/results?as_of={said[0]['as_of']['event']}"))

    assert said[0] == said[1] == then
    assert again["as_of"]["event"] > then["as_of"]["event"]
    assert [figure_of(one) for one in (then, again)] == [15, 16]


def figure_of(told: dict[str, Any]) -> float:
    """The first figure of a statement."""
    return next(part["value"] for paragraph in told["paragraphs"] for part in paragraph if isinstance(part, dict))


def issue_now(house: House) -> dict[str, object]:
    return {"as_of": shown(house.fanta.get("events?limit=5000"))["last"], "title": "November"}


def test_a_statement_with_faults_is_refused_with_all_of_them(house: House) -> None:
    answer = house.djeneba.put("statements/results/en", data="{{ sack }} and {{ sacks(vilage='x') }}")

    assert refused(answer) == 400.8
    assert len(answer.get_json()["details"]["findings"]) == 2


def test_a_statement_that_names_an_indicator_whose_form_was_deleted_says_where_and_what_to_do(sold: House) -> None:
    for language in ("en", "fr"):
        sold.djeneba.put(f"statements/results/{language}", data="# Sales\n\n{{ sacks }}")
    client, in_french = signed_in(sold), {"Accept-Language": "fr"}
    assert sold.fanta.get("statements/results").status_code == 200
    read(client, f"/projects/{sold.pid}/statements/results?lang=fr")
    sold.djeneba.delete("forms/sale")

    english = sold.fanta.get("statements/results?lang=en").get_json()["details"]["findings"]
    french = sold.fanta.get("statements/results?lang=fr").get_json()["details"]["findings"]
    issue = sold.baraka.post("statements/results/issues", json=issue_now(sold), headers=in_french).get_json()
    pages = [client.get(f"/projects/{sold.pid}/statements/results{path}?lang=fr") for path in ("", "/issue")]

    remedy = "Take it out of the text, or bring back the form that it came from."
    said = {
        "fault": "«\xa0sacks\xa0» n’est pas un indicateur.",
        "remedy": "Retirez-le du texte, ou rétablissez le formulaire dont il venait.",
    }
    assert english == [
        {"place": "statements/results.en.md", "row": 3, "fault": "‘sacks’ is not an indicator.", "remedy": remedy}
    ]
    assert french == issue["details"]["findings"] == [{"place": "statements/results.fr.md", "row": 3, **said}]
    for page in pages:
        words = re.sub(r"</?code>", "", page.get_data(as_text=True))
        assert f"statements/results.fr.md, ligne 3\xa0: {said['fault']} {said['remedy']}" in words


SCREENING = """
    | survey  |        |         |
    | type    | name   | label   |
    | text    | sex    | Sex     |
    | indicators |     |         |
    | name    | label  | aggregate | by | minimum_cell |
    | ill     | Ill    | count     | sex | 5 |
"""


def test_a_figure_asked_for_again_is_what_its_asker_may_see_and_how_things_stand(house: House) -> None:
    publish(house, SCREENING, "screening")
    visits = [a_sale(number, form="screening") | {"answers": {"sex": sex}} for number, sex in enumerate("fffffffmm", 1)]
    assert house.amina.outcomes(*visits) == ["stored"] * 9
    path = "figures?indicator=ill&by=sex"

    for _ in range(2):
        assert values(shown(house.baraka.get(path))) == [9, 7, 2]
        assert values(shown(house.fanta.get(path))) == [9, None, None]
        assert values(shown(house.fanta.get(path))) == [9, None, None]
        assert values(shown(house.baraka.get(path))) == [9, 7, 2]
    house.amina.send(a_sale(10, form="screening") | {"answers": {"sex": "f"}}, batch="later")

    assert values(shown(house.baraka.get(path))) == [10, 8, 2]
    assert values(shown(house.baraka.get(f"{path}&totals=false"))) == [8, 2]


def values(told: dict[str, Any]) -> list[float | None]:
    return [one["value"] for one in told["figures"]]


SURVEY = """
    | survey  |        |         |             |
    | type    | name   | label   | identifying |
    | text    | phone  | Phone   |             |
    | integer | income | Income  | yes         |
    | text    | status | Status  | yes         |
    | text    | sex    | Sex     |             |
    | indicators |     |         |             |
    | name    | label  | aggregate | subject  | value     | where            | by     | numerator | denominator |
    | earned  | Earned | sum       |          | ${income} |                  |        |           |             |
    | ill     | Ill    | count     |          |           | ${status} = 'ill' |       |           |             |
    | states  | States | count     |          |           |                  | status |           |             |
    | share   | Share  | ratio     |          |           |                  |        | ill       | reached     |
    | reached | Reached | distinct | ${phone} |           |                  | sex    |           |             |
"""


def test_single_rows_do_not_tell_viewers_what_tells_who_somebody_is(house: House) -> None:
    publish(house, SURVEY, "survey")
    answers = {"phone": "76 00 00 01", "income": 4000, "status": "ill", "sex": "f"}
    house.amina.send(a_sale(1, form="survey") | {"answers": answers})

    for name in ("earned", "ill", "states", "share"):
        for behind in ("evidence", "changes"):
            assert refused(house.fanta.get(f"figures/{name}/{behind}")) == 403.1
            assert house.baraka.get(f"figures/{name}/{behind}").status_code == 200
    assert values(shown(house.fanta.get("figures?indicator=earned,ill,share"))) == [4000, 1, 1]
    [row] = shown(house.fanta.get("figures/reached/evidence"))["evidence"]
    assert (row["by"], row["subject"]) == ({"sex": "f"}, None)
