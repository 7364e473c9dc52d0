"""A submission edited in the office, without a script: typed, checked, looked at, saved, overtaken, gone back on."""

from __future__ import annotations

import datetime as dt
import html
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from demo import population
from demo.fieldwork import item_of
from forms.programmes.programme import files_of, read_programme
from server.db import session
from server.pages.submissions import edit_form
from sync.journal import open_journal
from sync.projects.publish import load_programme, publish_form
from tests.support.pages import Page, read, send, signed_in
from tests.support.projects import NOON, a_sale, instance_id, workbook_of
from tests.support.web import House, shown

DEFINITIONS = Path(__file__).parents[2] / "forms" / "definitions"
HOSTILE = "<script>alert(1)</script>\"'&"
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
VISIT = """
    | survey                 |       |                      |                     |  |  | |
    | type                   | name  | label::Français (fr) | label::English (en) | relevant| constraint | calculation |
    | date                   | day   | Jour                 | Day                 |  |  | |
    | time                   | hour  | Heure                | Hour                |  |  | |
    | select_one region      | region | Région               | Region              |  |  | |
    | select_multiple crops  | crops | Cultures             | Crops               |  |  | |
    | text                   | which | Lesquelles           | Which others        | selected(${crops}, 'other') |  | |
    | begin repeat           | field | Champ                | Field               |  |  | |
    | decimal                | area  | Surface              | Area                |  | . > 0 | |
    | integer                | trees | Arbres               | Trees               | ${area} > 1 |  | |
    | end repeat             | field |                      |                     |  |  | |
    | calculate              | total |                      |                     |  |  | sum(${area}) |
    | note                   | said  | Merci                | Thank you           |  |  | |
    | image                  | photo | Photo                | Photo               |  |  | |
    | choices   |       |                      |                     |
    | list_name | name  | label::Français (fr) | label::English (en) |
    | region    | north | Nord                 | North               |
    | region    | south | Sud                  | South               |
    | crops     | rice  | Riz                  | Rice                |
    | crops     | maize | Maïs                 | Maize               |
    | crops     | other | Autres               | Others              |
    | indicators |          |           |        |          |
    | name       | label    | aggregate | date   | value    |
    | hectares   | Hectares | sum       | ${day} | ${total} |
"""
VISITED = {
    "day": "2026-11-01",
    "hour": "07:30:00.000+01:00",
    "region": "north",
    "crops": ["other", "rice"],
    "which": "Mil\nFonio",
    "field": [{"area": "0.50"}, {"area": 2, "trees": 4}],
    "photo": "1699.jpg",
}


class Fields(HTMLParser):
    """What a browser would send of the page's form for editing, if its reader pressed a button."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.buttons: list[str] = []
        self._in_form = False
        self._select: str | None = None
        self._chosen: str | None = None
        self._area: str | None = None
        self._typed = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._in_form = "data-kept-form" in given
        if not self._in_form:
            return
        if tag == "input" and given.get("name"):
            if given.get("type") not in ("radio", "checkbox") or "checked" in given:
                self.sent.append((given["name"], given.get("value", "")))
        elif tag == "select":
            self._select, self._chosen = given["name"], None
        elif tag == "option" and ("selected" in given or self._chosen is None):
            self._chosen = given["value"]
        elif tag == "textarea":
            self._area, self._typed = given["name"], ""
        elif tag == "button" and given.get("name") == "act":
            self.buttons.append(given["value"])

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._typed += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in_form = False
        elif tag == "select" and self._select is not None:
            self.sent.append((self._select, self._chosen or ""))
            self._select = None
        elif tag == "textarea" and self._area is not None:
            # As browsers do: the first line end after the tag is none, and the others are written in two signs.
            self.sent.append((self._area, self._typed.removeprefix("\n").replace("\n", "\r\n")))
            self._area = None

    def as_sent(self, act: str, typed: dict[str, Any]) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for name, value in self.sent:
            values.setdefault(name, []).append(value)
        for name, value in typed.items():
            values[name] = value if isinstance(value, list) else [value]
        return values | {"act": [act]}


class Editing:
    """A coordinator with the form for editing open."""

    def __init__(self, house: House, number: int, client: FlaskClient | None = None, pid: int | None = None) -> None:
        self.path = f"/projects/{pid or house.pid}/submissions/{number}/edit"
        self.client = client or signed_in(house, language="en")
        self.text = read(self.client, self.path)
        self.status = 200

    def press(self, act: str, **typed: Any) -> TestResponse:
        answer = self.client.post(self.path, data=Fields(self.text).as_sent(act, typed.pop("at", {}) | typed))
        self.status = answer.status_code
        if answer.status_code != 303:
            self.text = answer.get_data(as_text=True)
            assert Page(self.text).runs == []
        return answer

    def shown(self) -> str:
        return html.unescape(re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", self.text)))

    def save(self, reason: str = "Seen on the paper") -> str:
        """Look at what would change, and save it; gives the text of the submission's page."""
        assert self.press("check").status_code == 200, self.shown()
        answer = self.press("save", reason=reason)
        assert answer.status_code == 303, self.shown()
        return read(self.client, answer.headers["Location"])


@pytest.fixture
def visited(house: House) -> House:
    """One visit of a form with a bit of everything, and its photo announced."""
    publish(house, VISIT, "visit")
    assert house.amina.outcomes(a_sale(1, form="visit") | {"answers": VISITED}) == ["stored"]
    return house


def publish(house: House, form: str, form_id: str = "household") -> None:
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook_of(form_id, "1", form))
        journal.close()
        session().commit()


def a_programme(house: House) -> int:
    """The programme that comes with the product, in a project of its own."""
    with house.app.app_context():
        journal, _ = load_programme(session(), read_programme(files_of(DEFINITIONS)), None, NOON)
        journal.close()
        session().commit()
        return journal.project_id


def seen(house: House, form: str = "visit") -> dict[str, Any]:
    return shown(house.baraka.get(f"forms/{form}/submissions/{instance_id(1)}"))  # type: ignore[no-any-return]


def number_of(house: House) -> int:
    rows = shown(house.baraka.get("review"))["submissions"]
    return next(int(row["id"]) for row in rows if row["instance_id"] == instance_id(1))


def answers_of(house: House, form: str = "visit") -> dict[str, Any]:
    versions = shown(house.baraka.get(f"forms/{form}/submissions/{instance_id(1)}/versions"))
    newest = versions[0]["instanceId"]
    path = f"forms/{form}/submissions/{instance_id(1)}/versions/{newest}"
    return shown(house.baraka.get(path))["answers"]  # type: ignore[no-any-return]


def versions_of(house: House, form: str = "visit") -> int:
    return len(shown(house.baraka.get(f"forms/{form}/submissions/{instance_id(1)}/versions")))


def hectares(house: House) -> float:
    return shown(house.baraka.get("figures?indicator=hectares"))["figures"][0]["value"]  # type: ignore[no-any-return]


def test_an_answer_is_edited_and_figures_follow(visited: House) -> None:
    number, before = number_of(visited), seen(visited)
    editing = Editing(visited, number)

    editing.press("check", at={"/data/field[2]/area": "3.25"})
    assert "2 3.25" in editing.shown()
    assert "Hectares 2.5 3.75" in editing.shown()
    page = editing.save("The field was measured")

    assert "Saved as version 2" in page
    assert "<dt>Corrected</dt>" in page
    assert "Take the decision back" not in page
    assert "The field was measured" in page
    after = answers_of(visited)
    assert after["field"] == [{"area": 0.5}, {"area": 3.25, "trees": 4}]
    assert after["hour"] == "07:30:00.000+01:00"
    assert after["photo"] == "1699.jpg"
    assert hectares(visited) == 3.75
    assert seen(visited)["recorded_at" if "recorded_at" in before else "createdAt"] == before.get(
        "recorded_at", before["createdAt"]
    )
    assert versions_of(visited) == 2
    acts = [act["action"] for act in shown(visited.sekou.get("/v1/audits"))]
    assert "submission.update.version" in acts


def test_nothing_is_made_of_an_edit_that_changes_nothing(visited: House) -> None:
    editing = Editing(visited, number_of(visited))

    editing.press("check")
    assert "Nothing changed" in editing.shown()
    assert "save" not in Fields(editing.text).buttons
    editing.press("save", reason="Because")

    assert "Nothing changed" in editing.shown()
    assert versions_of(visited) == 1


def test_a_broken_rule_is_shown_beside_its_question_and_saved_only_nevertheless(visited: House) -> None:
    editing = Editing(visited, number_of(visited))

    editing.press("check", at={"/data/field[1]/area": "-1", "/data/day": "yesterday"})

    assert "Some rules are broken" in editing.shown()
    assert 'id="wrong/data/field[1]/area"' in editing.text
    assert 'value="yesterday"' in editing.text  # also what no date field could show
    assert editing.press("save", reason="Because").status_code == 400
    assert versions_of(visited) == 1

    editing.press("check", nevertheless="yes")
    assert editing.press("save", reason=" ").status_code == 400
    assert "Say why it is changed" in editing.shown()
    assert editing.press("save", reason="It was a mistake on the paper").status_code == 303

    row = next(row for row in shown(visited.baraka.get("review"))["submissions"] if row["instance_id"])
    assert {flag["code"] for flag in row["flags"]} == {"constraint", "type"}
    assert answers_of(visited)["day"] == "yesterday"


def test_questions_come_and_go_with_the_answers_and_nothing_typed_is_lost(visited: House) -> None:
    editing = Editing(visited, number_of(visited))
    assert 'name="/data/field[1]/trees"' not in editing.text

    editing.press("show", at={"/data/field[1]/area": "7", "/data/which": "Sorgho"})
    assert 'name="/data/field[1]/trees"' in editing.text
    editing.press("show", at={"/data/crops": ["", "maize"]})
    assert 'type="hidden" name="/data/which" value="Sorgho"' in editing.text
    editing.press("labels:fr")
    assert "Surface" in editing.shown()
    editing.press("show", at={"/data/crops": ["", "other"]})
    assert "Sorgho" in editing.shown() or 'value="Sorgho"' in editing.text
    editing.save()

    after = answers_of(visited)
    assert (after["which"], after["crops"], after["field"][0]["area"]) == ("Sorgho", ["other"], 7)


def test_iterations_are_added_and_removed(visited: House) -> None:
    editing = Editing(visited, number_of(visited))

    editing.press("add:/data/field", at={"/data/field[2]/area": "8"})
    editing.press("remove:/data/field[1]", at={"/data/field[3]/area": "1"})
    assert 'value="8"' in editing.text
    editing.press("add:/data/field")
    editing.press("remove:/data/field[4]")
    editing.save()

    assert answers_of(visited)["field"] == [{"area": 8, "trees": 4}, {"area": 1}]
    assert hectares(visited) == 9


def test_choices_are_ticked_unticked_and_taken_back(visited: House) -> None:
    editing = Editing(visited, number_of(visited))

    editing.press("check", at={"/data/crops": [""], "/data/region": ["", ""], "/data/hour": "09:05"})
    editing.save()

    after = answers_of(visited)
    assert (after["crops"], after["region"], after["hour"]) == (None, None, "09:05:00.000+01:00")
    assert "which" not in after


@ON_SQLITE
def test_opened_and_looked_at_no_visit_of_the_programme_has_changed(house: House) -> None:
    visits = {
        (visit.form, visit.version): visit
        for visit in population.make().visits
        if visit.xml is None and visit.edits is None
    }
    house.sekou.pid = a_programme(house)
    house.sekou.outcomes(*(item_of(visit, dt.timedelta()) for visit in visits.values()))
    rows = shown(house.sekou.get("review"))["submissions"]
    assert {row["form"] for row in rows} == {form for form, _ in visits}

    client = signed_in(house, "sekou", "en")
    for row in rows:
        editing = Editing(house, int(row["id"]), client, house.sekou.pid)
        editing.press("check", nevertheless="yes")
        assert "Nothing changed" in editing.shown(), (row["form"], editing.shown())
        editing.press("save", reason="Nothing")
        versions = f"forms/{row['form']}/submissions/{row['instance_id']}/versions"
        assert len(shown(house.sekou.get(versions))) == 1


@ON_SQLITE
def test_whoever_was_overtaken_keeps_what_was_typed_and_sees_what_the_other_changed(visited: House) -> None:
    number = number_of(visited)
    slow, fast = Editing(visited, number), Editing(visited, number, signed_in(visited, "djeneba", "en"))
    fast.press("check", at={"/data/day": "2026-11-05", "/data/field[1]/area": "6"})
    fast.save()

    slow.press("check", at={"/data/field[1]/area": "5", "/data/region": ["", "south"]})
    assert slow.status == 409
    assert "Somebody else has changed" in slow.shown()
    assert "Day 1 Nov 2026 5 Nov 2026" in slow.shown()
    slow.save()

    after = answers_of(visited)
    assert (after["day"], after["region"], after["field"][0]["area"]) == ("2026-11-05", "south", 5)
    assert versions_of(visited) == 3


@ON_SQLITE
def test_saved_twice_it_is_filed_once(visited: House) -> None:
    editing = Editing(visited, number_of(visited))
    editing.press("check", at={"/data/region": ["", "south"]})

    answers = [editing.press("save", reason="Twice").status_code for _ in range(2)]

    assert answers == [303, 303]
    assert versions_of(visited) == 2


@ON_SQLITE
def test_an_earlier_version_becomes_the_current_one_again(visited: House) -> None:
    number = number_of(visited)
    editing = Editing(visited, number)
    editing.press("check", at={"/data/field[2]/area": "9", "/data/field[1]/area": "1"})
    back = next(link for link in Page(editing.save()).links if "/edit/back" in link)

    editing.text = read(editing.client, back)
    assert "Go back to version 1?" in editing.shown()
    assert editing.press("save", reason="It was right before").status_code == 303

    assert answers_of(visited)["field"] == [{"area": 0.5}, {"area": 2, "trees": 4}]
    assert hectares(visited) == 2.5
    assert versions_of(visited) == 3
    assert editing.client.get(f"{editing.path}/back?to=9").status_code == 404


@ON_SQLITE
def test_with_an_edit_undone_its_review_is_again_what_it_was(visited: House) -> None:
    number = number_of(visited)
    visited.baraka.patch(f"forms/visit/submissions/{instance_id(1)}", json={"reviewState": "approved"})
    editing = Editing(visited, number)
    editing.press("check", at={"/data/field[2]/area": "9"})
    edited = editing.save()
    back = next(link for link in Page(edited).links if "/edit/back" in link)

    editing.text = read(editing.client, back)
    assert "Review becomes again what it was under that version: approved" in editing.shown()
    editing.press("save", reason="It was right before")

    assert "state-edited" in edited
    assert shown(visited.baraka.get(f"forms/visit/submissions/{instance_id(1)}"))["reviewState"] == "approved"


@ON_SQLITE
def test_a_long_list_is_searched_by_name(visited: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edit_form, "_MOST_OFFERED", 1)
    editing = Editing(visited, number_of(visited))
    assert "The list is longer than what is shown" in editing.shown()

    editing.press("show", at={"sought:/data/region": "SUD"})
    assert 'value="south"' not in editing.text  # labels are in English now
    editing.press("show", at={"sought:/data/region": "sou"})
    assert 'value="south"' in editing.text
    assert 'value="north" selected' in editing.text
    editing.press("check", at={"/data/region": "south"})
    editing.save()

    assert answers_of(visited)["region"] == "south"


@ON_SQLITE
def test_only_those_who_decide_may_edit(visited: House) -> None:
    number = number_of(visited)
    path = f"/projects/{visited.pid}/submissions/{number}/edit"

    for stranger in ("fanta", "coumba"):
        client = signed_in(visited, stranger)
        assert client.get(path).status_code in (403, 404)
        assert client.get(f"{path}/back?to=1").status_code in (403, 404)
        assert send(client, "/", path, {"act": "save"}).status_code in (403, 404)
    assert visited.app.test_client().post(path, data={"act": "save"}).status_code in (303, 401, 403)
    assert signed_in(visited).post(path, data={"act": "save"}).status_code == 403  # not from a page of ours
    assert signed_in(visited).get(f"/projects/{visited.pid}/submissions/999999/edit").status_code == 404
    assert f"{number}/edit" in read(signed_in(visited), f"/projects/{visited.pid}/submissions/{number}")


@ON_SQLITE
def test_hostile_texts_stay_texts_and_odd_fields_do_nothing(visited: House) -> None:
    editing = Editing(visited, number_of(visited))
    odd = {
        "/data/which": HOSTILE + "\x00\x1b",
        "/data/total": "1000",
        "/data/photo": "other.jpg",
        "/data/meta/instanceID": "uuid:x",
        "/data/nothing[1]": "x",
        "/data/region": ["", "nowhere"],
        "sought:/data/region": '") OR 1=1 \x00',
        "turns:/data/nothing": "1,2",
        "turns:/data/field": "1,2,²,-3,99999999999",
        "made": "uuid:\x00",
        "labels": "xx",
    }

    assert editing.press("show", at=odd).status_code == 200
    assert editing.press("add:/data/nothing").status_code == 200
    assert editing.press("remove:/data/field[1").status_code == 200
    editing.press("check", nevertheless="yes")
    assert editing.press("save", reason=HOSTILE).status_code == 303
    page = read(editing.client, editing.path.removesuffix("/edit"))

    assert html.escape("<script>alert(1)</script>") in page
    after = answers_of(visited)
    assert (after["which"], after["photo"], after["total"]) == (HOSTILE, "1699.jpg", "2.5")
    assert after["region"] == "nowhere"
    assert editing.client.post(
        editing.path, data=Fields(editing.text).as_sent("show", {"source": "uuid:\x00nobody"})
    ).status_code in (200, 404, 409)


@ON_SQLITE
def test_a_registered_person_stays_the_same_when_her_name_is_corrected(house: House) -> None:
    house.amina.send(a_sale(1, seller="Awa Traore"))
    number = number_of(house)
    before = shown(house.baraka.get("datasets/people/entities"))
    editing = Editing(house, number)
    editing.press("check", at={"/data/seller": "Awa Traoré"})

    editing.save()

    after = shown(house.baraka.get("datasets/people/entities"))
    assert [one["uuid"] for one in after] == [one["uuid"] for one in before]
    assert after[0]["currentVersion"]["label"] == "Awa Traoré"


@ON_SQLITE
def test_a_closed_form_says_that_it_cannot_be_edited(visited: House) -> None:
    number = number_of(visited)
    assert visited.djeneba.patch("forms/visit", json={"state": "closed"}).status_code == 200

    answer = signed_in(visited, language="en").get(f"/projects/{visited.pid}/submissions/{number}/edit")

    assert answer.status_code == 409
    assert "This cannot be edited here" in answer.get_data(as_text=True)


def test_an_iteration_has_no_number_below_one(visited: House) -> None:
    answers = {name: value for name, value in VISITED.items() if name != "field"}
    assert visited.amina.outcomes(a_sale(2, form="visit") | {"answers": answers}, batch="b2") == ["stored"]
    rows = shown(visited.baraka.get("review"))["submissions"]
    without = Editing(visited, next(int(row["id"]) for row in rows if row["instance_id"] == instance_id(2)))
    assert without.press("check", at={"turns:/data/field": "0"}).status_code == 200

    editing = Editing(visited, number_of(visited))
    editing.press("check", at={"turns:/data/field": "1,2,0"})
    assert "Nothing" in editing.shown() or "unchanged" in editing.shown()


@ON_SQLITE
@pytest.mark.parametrize("version", ["0", "-1", "x", "9223372036854775808"])
def test_nobody_goes_back_to_a_version_that_cannot_be(visited: House, version: str) -> None:
    path = f"/projects/{visited.pid}/submissions/{number_of(visited)}/edit/back?to={version}"
    assert signed_in(visited).get(path).status_code == 404


@ON_SQLITE
def test_one_of_the_names_given_before_is_chosen_by_name(house: House) -> None:
    publish(
        house,
        """
    | survey              |        |        |
    | type                | name   | label  |
    | begin repeat        | member | Member |
    | text                | called | Name   |
    | end repeat          | member |        |
    | select_one ${called} | head  | Head   |
    """,
    )
    answers = {"member": [{"called": "Awa"}, {"called": "Moussa"}], "head": "Awa"}
    item = a_sale(1, form="household", version="1") | {"answers": answers}
    assert house.amina.outcomes(item) == ["stored"]
    editing = Editing(house, number_of(house))
    assert [f'value="{name}"' in editing.text for name in ("Awa", "Moussa")] == [True, True]

    editing.press("check", at={"/data/head": "Moussa"})
    editing.save()

    assert answers_of(house, "household")["head"] == "Moussa"


@ON_SQLITE
def test_who_was_picked_from_a_register_is_said_by_name_when_it_changes(house: House) -> None:
    publish(
        house,
        """
    | survey                           |       |       |
    | type                             | name  | label |
    | select_one_from_file people.csv  | who   | Who   |
    """,
    )
    house.amina.send(a_sale(2, seller="Awa Traoré"), a_sale(3, seller="Moussa Keita"))
    ids = {one["currentVersion"]["label"]: one["uuid"] for one in shown(house.baraka.get("datasets/people/entities"))}
    item = a_sale(1, form="household", version="1") | {"answers": {"who": ids["Awa Traoré"]}}
    assert house.amina.outcomes(item) == ["stored"]
    editing = Editing(house, number_of(house))

    editing.press("check", at={"/data/who": ids["Moussa Keita"]})
    looked, saved = editing.shown(), editing.save()

    assert "Awa Traoré" in looked
    assert "Moussa Keita" in looked
    assert "<del>Awa Traoré</del>" in saved
    assert "<ins>Moussa Keita</ins>" in saved


def test_in_repeats_within_repeats_choices_follow_the_answers_around_them(house: House) -> None:
    publish(
        house,
        """
        | survey              |        |         |               |
        | type                | name   | label   | choice_filter |
        | begin repeat        | house  | House   |               |
        | select_one regions  | region | Region  |               |
        | begin repeat        | member | Member  |               |
        | select_one towns    | town   | Town    | reg=${region} |
        | end repeat          | member |         |               |
        | end repeat          | house  |         |               |
        | choices   |          |          |       |
        | list_name | name     | label    | reg   |
        | regions   | north    | North    |       |
        | regions   | south    | South    |       |
        | towns     | kidal    | Kidal    | north |
        | towns     | gao      | Gao      | north |
        | towns     | sikasso  | Sikasso  | south |
        | towns     | bougouni | Bougouni | south |
        """,
    )
    houses = [("north", "kidal"), ("south", "sikasso")]
    answers = {"house": [{"region": region, "member": [{"town": town}]} for region, town in houses]}
    item = a_sale(1, form="household", version="1") | {"answers": answers}
    assert house.amina.outcomes(item) == ["stored"]

    text = Editing(house, number_of(house)).text

    offered = [re.findall(rf'name="/data/house\[{place}\]/member\[1\]/town" value="([^"]+)"', text) for place in (1, 2)]
    assert offered == [["kidal", "gao"], ["sikasso", "bougouni"]]
