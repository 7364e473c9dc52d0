"""The desk in French: no page that can be reached holds an English word, and what is refused is refused in French."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.support.busy import make_busy
from tests.support.crawling import kind_of, pages_of_each_kind, routes
from tests.support.pages import read, send, signed_in
from tests.support.web import House, refused, shown
from tests.support.workbooks import a_workbook

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# Words that every English sentence has some of, and that no French one and no data of these tests has.
ENGLISH = frozenset(
    re.findall(
        r"\w+",
        "the is was of and are this that with not has have from were been which it its they you your by an who when"
        " nobody somebody there here what will may can only more than each into without",
    )
)
# Described for those who write programs; it is in English, and says so.
FOR_PROGRAMS = {"api_pages.api"}
_EACH = 2  # pages of a kind
_FAULTY = """
    | survey      |        |       |            |
    | type        | name   | label | constraint |
    | integer     | sacks  | Sacs  | . >= ${agee} |
    | integer     | age    | Age   | .. > (     |
    | indicators  |        |       |            |
    | name        | label  | aggregate | value  |
    | Bad Name    | Sacs   | sum   |            |
    | sold        | Sacs   | total | ${sacks}   |
"""


@pytest.fixture
def busy(house: House) -> House:
    """A project in which something of everything has happened."""
    make_busy(house)
    return house


def test_no_page_of_the_desk_holds_an_english_word(busy: House, tmp_path: Path) -> None:
    client = signed_in(busy, "djeneba", language="fr")

    pages = crawled(client, tmp_path)

    english = {f"{kind}: {text}" for kind, texts in pages for text in texts if words_of(text) & ENGLISH}
    assert sorted(english) == []
    assert len({kind for kind, _ in pages}) > 35


def test_no_line_of_the_desk_begins_with_a_sign(busy: House) -> None:
    page = read(signed_in(busy, "djeneba", language="fr"), f"/projects/{busy.pid}/indicators/sacks/changes")

    assert "Pourquoi a-t-il changé\N{NO-BREAK SPACE}?" in page


def test_a_broken_workbook_is_explained_in_french(house: House) -> None:
    client = signed_in(house, "djeneba", language="fr")
    page = f"/projects/{house.pid}/workbook"

    answer = send(client, page, page, {"workbook": (io.BytesIO(a_workbook("visit", "1", _FAULTY)), "visit.xlsx")})

    text = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert [said for said in texts_of(text) if words_of(said) & ENGLISH] == []
    assert "« Bad Name » ne peut pas servir de nom." in text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"not a workbook", "Ce n’est ni un classeur Excel, ni un XForm lisible."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 not one", "Ce n’est pas un classeur .xls"),
    ],
)
def test_what_is_no_workbook_is_refused_in_french(house: House, data: bytes, said: str) -> None:
    client = signed_in(house, "djeneba", language="fr")
    page = f"/projects/{house.pid}/workbook"

    text = send(client, page, page, {"workbook": (io.BytesIO(data), "visit.xlsx")}).get_data(as_text=True)

    assert said in text
    assert [one for one in texts_of(text) if words_of(one) & ENGLISH] == []


def test_every_flag_is_explained_in_french(busy: House) -> None:
    client = signed_in(busy, language="fr")
    numbers = [row["id"] for row in shown(busy.baraka.get("review?state=flagged"))["submissions"]]

    texts = [read(client, f"/projects/{busy.pid}/submissions/{number}") for number in numbers]

    together = " ".join(" ".join(texts_of(text)) for text in texts)
    assert "« -4 » ne respecte pas la règle de cette question." in together
    assert "La tablette a daté cette visite du 1er janv. 1999 ; son horloge était fausse." in together
    assert not words_of(together) & ENGLISH


def test_why_something_waits_is_said_in_french_and_stays_english_for_programs(busy: House) -> None:
    client = signed_in(busy, language="fr")
    items = shown(busy.baraka.get("quarantine"))["items"]

    said = {item["reason"]: read(client, f"/projects/{busy.pid}/quarantine/{item['id']}") for item in items}

    assert {"unknown_version", "unknown_form", "edits_unknown", "malformed", "unreadable", "conflict"} <= said.keys()
    for reason, page in said.items():
        assert [text for text in texts_of(page) if words_of(text) & ENGLISH] == [], reason
    assert all(words_of(item["message"]) & ENGLISH for item in items if item["reason"] == "unknown_form")


@pytest.mark.parametrize("asked", ["lang=fr&", ""])
def test_programs_are_refused_in_the_language_that_they_ask_for(house: House, asked: str) -> None:
    headers = {} if asked else {"Accept-Language": "fr-ML, fr;q=0.9"}

    answer = house.baraka.get(f"figures?{asked}perid=2026", headers=headers)

    assert refused(answer) == 400.8
    assert answer.get_json()["message"] == "Ce qui a été envoyé n’est pas ce qui était attendu."
    assert answer.get_json()["details"]["findings"] == [{"place": "perid", "fault": "Ce nom n’est pas connu ici."}]


def test_a_page_that_is_not_there_says_so_in_french(house: House) -> None:
    client = signed_in(house, language="fr")

    for path in ("/nothing", f"/projects/{house.pid}/submissions/999999", f"/projects/{house.other}/submissions"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert [text for text in texts_of(answer.get_data(as_text=True)) if words_of(text) & ENGLISH] == []


def crawled(client: FlaskClient, folder: Path) -> list[tuple[str, list[str]]]:
    """The texts of some pages of every kind that can be reached from the first one."""

    def ask(address: str) -> str | None:
        answer = client.get(address) if kind_of(known, address) not in FOR_PROGRAMS else None
        page = answer is not None and answer.mimetype == "text/html" and answer.status_code == 200
        return answer.get_data(as_text=True) if answer is not None and page else None

    known = routes(folder)
    return [(kind, texts_of(text)) for kind, _, text in pages_of_each_kind(ask, known, each=_EACH)]


def texts_of(page: str) -> list[str]:
    """What somebody sees or hears of a page, but for what stands there as it was sent."""

    class Texts(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []
            self.apart = 0

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.apart += tag in _APART
            self.found += [value for name, value in attrs if name in _READ and value]

        def handle_endtag(self, tag: str) -> None:
            self.apart -= tag in _APART

        def handle_data(self, data: str) -> None:
            if not self.apart and data.strip():
                self.found.append(" ".join(data.split()))

    texts = Texts()
    texts.feed(page)
    return texts.found


_APART = {"code", "pre", "script", "style", "textarea"}
_READ = {"alt", "aria-label", "title", "placeholder", "data-of"}


def words_of(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.lower()))
