"""Persons with their records over REST, found however their names are spelt."""

from __future__ import annotations

from typing import Any

import pytest

from sync.dedup import yardsticks
from tests.support.people import a_gathering, publish_gathering
from tests.support.web import House, shown


@pytest.fixture
def village(house: House) -> House:
    publish_gathering(house)
    visits = [
        a_gathering(1),
        a_gathering(2, first="Dieneba", last="Koulibali", phone="76 00 00 01"),
        a_gathering(3, first="Oumou", last="Keita", phone="66 11 22 33", born="1975"),
        a_gathering(4, first="Bakary", last="Traoré", phone="", born="1960", village="Kati", commune="Kati"),
    ]
    assert house.amina.outcomes(*visits) == ["stored"] * 4
    return house


def found(village: House, query: str = "") -> list[dict[str, Any]]:
    return list(shown(village.baraka.get(f"people?{query}"))["people"])


def labels(people: list[dict[str, Any]]) -> list[set[str]]:
    return [{record["label"] for record in (person["stands"], *person["others"])} for person in people]


def test_a_person_has_all_records_that_stand_for_her_and_shows_where_they_differ(village: House) -> None:
    [pair] = shown(village.baraka.get("matches"))["matches"]
    shown(village.baraka.post(f"matches/{pair['id']}", json={"decision": "same", "seen": pair["event"]}))

    people = found(village)

    assert len(people) == 3
    [person] = [person for person in people if person["others"]]
    assert labels([person]) == [{"Djénéba Coulibaly (Siby)", "Dieneba Koulibali (Siby)"}]
    assert person["values"][0]["differs"]
    assert person["values"][0]["values"][0] in ("Djénéba", "Dieneba")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=jeneba", 1),
        ("q=COULIBALY", 1),
        ("q=keita+oumou", 1),
        ("q=kei", 1),
        ("q=66112233", 1),
        ("q=traore+oumou", 0),
        ("q=%3F%3F", 0),
        ("q=", 3),
        ("", 3),
    ],
)
def test_somebody_is_found_however_the_name_is_spelt(village: House, query: str, expected: int) -> None:
    [pair] = shown(village.baraka.get("matches"))["matches"]
    shown(village.baraka.post(f"matches/{pair['id']}", json={"decision": "same", "seen": pair["event"]}))

    assert len(found(village, query)) == expected


def test_the_list_comes_in_pages_that_hold_everybody_once(village: House) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = shown(village.baraka.get(f"people?limit=1&cursor={cursor}"))
        seen += [person["id"] for person in page["people"]]
        if page["cursor"] is None:
            break
        cursor = page["cursor"]

    assert seen == [person["id"] for person in found(village)]
    assert len(set(seen)) == len(seen)


def test_a_deleted_record_is_nobody_any_more(village: House) -> None:
    [oumou] = found(village, "q=oumou")
    shown(village.baraka.delete(f"datasets/people/entities/{oumou['stands']['id']}"))

    assert found(village, "q=oumou") == []


def test_a_key_that_finds_nobody_any_more_is_logged_without_a_name(
    village: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(yardsticks, "CAP", 2)
    alike = [a_gathering(number, first="Nana", last="Sidibe", phone="", born="1988") for number in (5, 6, 7, 8)]

    assert village.amina.outcomes(*alike[:2]) == ["stored"] * 2
    assert not [record for record in caplog.records if record.getMessage() == "match_keys_outgrown"]
    assert village.amina.outcomes(*alike[2:]) == ["stored"] * 2

    [told] = [record for record in caplog.records if record.getMessage() == "match_keys_outgrown"]
    assert told.levelname == "WARNING"
    assert (fields := vars(told)["fields"]).keys() == {"project", "list", "keys"}
    assert fields["list"] == "people"
    assert fields["keys"] > 3
