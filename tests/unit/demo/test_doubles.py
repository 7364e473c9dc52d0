"""Who is registered twice in the simulated year, and what can be made of it by who knows no more than the records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from demo.doubles import TWICE, VOLUNTEERS_TWICE
from sync.dedup.scoring.clustering import Standing, partition
from sync.dedup.scoring.estimating import train
from sync.dedup.scoring.profiles import profile_of
from tests.unit.demo.test_population import counted, entity, in_year, year

Row = Mapping[str, Any]
OWN = ("first_name", "last_name", "sex", "birth_year", "phone")
ROLES = {name: name for name in (*OWN, "village", "commune", "group")}


@cache
def registered() -> Mapping[str, dict[str, str]]:
    """What the list of people holds in the end, by entity."""
    found = {}
    for visit in (visit for visits in counted().values() for visit in visits):
        where = visit.answers.get("home") or visit.answers.get("where_held") or {}
        for row in [visit.answers.get("who", {}), *visit.answers.get("attendance", [])]:
            if row.get("registered") == "no":
                place = {"group": "volunteers"} if "residence" in row else {"commune": where["commune"]}
                village = row.get("village_home") or where.get("village", "")
                own = {name: str(row.get(name, "")) for name in OWN}
                found[row["new_person"]] = own | place | {"village": village}
    return found


def attending() -> Iterator[tuple[str, Row]]:
    for visit in counted()["training_session"]:
        if visit.answers["session"]["audience"] == "community" and in_year(visit.answers["visit"]["visit_date"]):
            yield from ((entity(row), row) for row in visit.answers["attendance"] if row["presence"] == "whole")


def volunteering() -> Iterator[tuple[str, Row]]:
    for visit in counted()["volunteer_mandate"]:
        mandate = visit.answers["mandate"]
        if mandate["state"] in ("under_way", "done") and in_year(mandate["starts_on"]):
            yield entity(visit.answers["who"]), visit.answers["who"]


@cache
def unseen() -> tuple[Mapping[tuple[str, str], float], Mapping[str, Standing]]:
    """How probable each pair is, and who stands for whom, before anybody has looked."""
    day = dt.date(2026, 4, 1)
    profiles = [profile_of(known, ROLES, told, day) for known, told in registered().items()]
    learnt = train(profiles)
    links = {(a, b): score.probability for a, b, score in learnt.matches()}
    return links, partition(links, {}, set())


def test_hundreds_are_registered_a_second_time_and_most_are_written_otherwise() -> None:
    twice = year().doubles.twice
    otherwise = [
        again
        for again, first in twice.items()
        if any(registered()[again][name] != registered()[first][name] for name in ("first_name", "last_name"))
    ]

    assert len(twice) == TWICE + VOLUNTEERS_TWICE > 350
    assert set(twice) | set(twice.values()) <= set(registered())
    assert not set(twice) & set(twice.values())
    assert len(otherwise) > len(twice) // 2


def test_some_of_them_have_lost_their_telephone_their_year_of_birth_or_their_village() -> None:
    pairs = [(registered()[again], registered()[first]) for again, first in year().doubles.twice.items()]

    assert sum(bool(first["phone"]) and not again["phone"] for again, first in pairs) > 50
    assert sum(bool(first["birth_year"]) and not again["birth_year"] for again, first in pairs) > 20
    assert sum(first["village"] != again["village"] for again, first in pairs) > 5


def test_every_second_registration_counts_in_a_figure() -> None:
    counting = {known for known, _ in (*attending(), *volunteering())}

    assert set(year().doubles.twice) <= counting


def test_dozens_of_others_only_look_like_one_person() -> None:
    alike = year().doubles.alike
    people = [known for pairs in alike.values() for pair in pairs for known in pair]
    told = {kind: [(registered()[one], registered()[other]) for one, other in pairs] for kind, pairs in alike.items()}

    assert set(alike) == {"twins", "elder", "cousins", "co_wives"}
    assert len(people) > 80
    assert len({year().doubles.person(known) for known in people}) == len(people)
    assert all(one["birth_year"] == other["birth_year"] for one, other in told["twins"])
    assert all(int(one["birth_year"]) - int(other["birth_year"]) >= 20 for one, other in told["elder"])
    assert all(one["first_name"] == other["first_name"] for one, other in (*told["cousins"], *told["co_wives"]))
    assert {person["sex"] for pair in told["co_wives"] for person in pair} == {"female"}
    assert all(one["village"] == other["village"] for pairs in told.values() for one, other in pairs)


def test_a_coordinator_is_asked_about_everybody_who_is_registered_twice() -> None:
    links, _ = unseen()

    asked = {frozenset(pair) for pair, probability in links.items() if probability >= 0.05}

    assert [pair for pair in year().doubles.twice.items() if frozenset(pair) not in asked] == []


@pytest.mark.parametrize(
    ("figure", "rows", "sex"),
    [
        ("people_trained", attending, None),
        ("people_trained.sex=female", attending, "female"),
        ("volunteers", volunteering, None),
        ("volunteers.sex=female", volunteering, "female"),
    ],
)
def test_the_truth_lies_in_the_range_before_anybody_has_decided(figure: str, rows: Any, sex: str | None) -> None:
    _, standings = unseen()
    counting = {known for known, row in rows() if sex in (None, row["sex"])}

    fewest = {standings[known].fewest if known in standings else known for known in counting}
    most = {standings[known].most if known in standings else known for known in counting}

    assert len(fewest) <= year().truth[figure] <= len(most) < len(counting) + 1
    assert len(fewest) < len(most)
