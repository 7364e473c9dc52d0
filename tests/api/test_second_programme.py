"""A programme that has nothing of the Mali one: fisheries, other places, a fiscal year that begins in October.

Its figures are held against a count made here in plain Python, from what was sent and decided and nothing else.
"""

from __future__ import annotations

import datetime as dt
import io
import random
import statistics
import uuid
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from server.db import session
from sync.accounts.people import add_device
from sync.models.database import begin_writing
from tests.support.web import House, Voice, shown
from tests.support.workbooks import a_workbook

PROJECT = """
name = "Delta fisheries"
time_zone = "Asia/Dhaka"
languages = ["en"]
fiscal_year_start = 10
"""
PLACES = """code,name,level,parent,latitude,longitude,aliases
D,Delta,delta,,,,
ZA,Zone A,zone,D,,,
ZB,Zone B,zone,D,,,
A1,Camp A1,camp,ZA,,,
A2,Camp A2,camp,ZA,,,
A3,Camp A3,camp,ZA,,,
B1,Camp B1,camp,ZB,,,
B2,Camp B2,camp,ZB,,,
"""
BELOW = {None: {"A1", "A2", "A3", "B1", "B2"}, "ZA": {"A1", "A2", "A3"}, "B2": {"B2"}}
FISHER = """
    | survey | | | |
    | type | name | label | save_to |
    | date | day | Day | |
    | text | place | Camp | camp |
    | text | called | Name | called |
    | select_one sex | sex | Sex | sex |
    | choices | | |
    | list_name | name | label |
    | sex | f | Woman |
    | sex | m | Man |
    | entities | |
    | list_name | label |
    | fishers | ${called} |
    | indicators | | | | | |
    | name | label | aggregate | subject | date | by |
    | registered | Registered | distinct | fishers | ${day} | sex |
"""
LANDING = """
    | survey | | | |
    | type | name | label | calculation |
    | date | day | Day | |
    | text | place | Camp | |
    | select_one_from_file fishers.csv | fisher | Fisher | |
    | select_multiple gear | gear | Gear | |
    | begin_repeat | catches | Catch | |
    | select_one species | species | Species | |
    | decimal | kg | Kilograms | |
    | end_repeat | catches | | |
    | calculate | total | | sum(${kg}) |
    | choices | | |
    | list_name | name | label |
    | gear | net | Net |
    | gear | line | Line |
    | gear | trap | Trap |
    | species | carp | Carp |
    | species | tilapia | Tilapia |
    | species | eel | Eel |
    | indicators | | | | | | | | | |
    | name | label | each | aggregate | subject | value | per_subject | keep | date | by |
    | catch_kg | Catch | catches | sum | | ${kg} | | | ${day} | species |
    | landings | Landings | | count | | | | | ${day} | gear |
    | active | Active fishers | | distinct | fishers | | | | ${day} | gear |
    | mean_landing | Mean landing | | mean | | ${total} | | | ${day} | |
    | best | Best fishers | | distinct | fishers | ${total} | sum | >= 120 | ${day} | |
"""
LICENCE = """
    | survey | | |
    | type | name | label |
    | date | begins | From |
    | date | ends | Until |
    | text | place | Camp |
    | integer | fee | Fee |
    | indicators | | | | | |
    | name | label | aggregate | value | date | until |
    | fees | Fees | sum | ${fee} | ${begins} | ${ends} |
"""
CAMP = """
    | survey | | |
    | type | name | label |
    | date | day | Day |
    | text | place | Camp |
    | integer | size | People |
    | select_one yes_no | scale | Scale? |
    | choices | | |
    | list_name | name | label |
    | yes_no | yes | Yes |
    | yes_no | no | No |
    | indicators | | | | | | | | | | | |
    | name | label | aggregate | subject | value | per_subject | keep | date | numerator | denominator | unit | where |
    | camp_people | People | sum | ${place} | ${size} | latest_known | | ${day} | | | | |
    | camps | Camps | distinct | ${place} | | | | ${day} | | | | |
    | with_scale | With scale | distinct | ${place} | if(${scale} = 'yes', 1, 0) | latest | = 1 | ${day} | | | | |
    | grown | Grown | distinct | ${place} | ${size} | growth | >= 1.5 | ${day} | | | | |
    | scale_share | Share | ratio | | | | | | with_scale | camps | % | |
"""
PERIODS: dict[str, tuple[dt.date, dt.date]] = {
    "all": (dt.date.min, dt.date.max),
    "FY2025": (dt.date(2025, 10, 1), dt.date(2026, 9, 30)),
    "FY2025-Q2": (dt.date(2026, 1, 1), dt.date(2026, 3, 31)),
    "2026-02": (dt.date(2026, 2, 1), dt.date(2026, 2, 28)),
}
ADDITIVE = ("registered", "catch_kg", "landings", "active", "mean_landing", "best", "fees")
CAMPS = ("camp_people", "camps", "with_scale", "grown", "scale_share")


@dataclass(frozen=True)
class Visit:
    """What was filled in."""

    form: str
    instance_id: str
    recorded_at: dt.datetime
    answers: dict[str, Any]
    edits: str | None = None

    @property
    def item(self) -> dict[str, Any]:
        item = {
            "instance_id": self.instance_id,
            "form": self.form,
            "version": "1",
            "recorded_at": self.recorded_at.isoformat(),
            "answers": self.answers,
        }
        return item | ({"edits": self.edits} if self.edits else {})

    def date(self, name: str = "day") -> dt.date:
        return dt.date.fromisoformat(self.answers[name])


def programme() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("project.toml", PROJECT)
        packed.writestr("places.csv", PLACES)
        for form_id, sheets in (("fisher", FISHER), ("landing", LANDING), ("licence", LICENCE), ("camp", CAMP)):
            packed.writestr(f"forms/{form_id}.xlsx", a_workbook(form_id, "1", sheets))
        packed.writestr("statements/year.en.md", "{{ active }} fishers landed {{ catch_kg }} kg.\n")
    return out.getvalue()


@dataclass(frozen=True)
class Year:
    """What is sent, and what of it stands once corrected and rejected visits and second copies are left out."""

    sent: list[Visit]
    standing: list[Visit]
    rejected: list[Visit]


def a_year(seed: int) -> Year:
    chance = random.Random(seed)
    camps = sorted(BELOW[None])
    start = dt.date(2025, 8, 1)

    def visit(form: str, answers: dict[str, Any]) -> Visit:
        moment = dt.datetime(2026, 10, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=chance.randrange(10**6))
        return Visit(form, f"uuid:{uuid.UUID(int=chance.getrandbits(128), version=4)}", moment, answers)

    def day() -> dt.date:
        return start + dt.timedelta(days=chance.randrange(420))

    fishers = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(25)]
    sent = [
        visit(
            "fisher",
            {
                "day": day().isoformat(),
                "place": chance.choice(camps),
                "called": f"Fisher {number}",
                "sex": chance.choice("fm"),
                "meta": {"entity": {"id": fisher}},
            },
        )
        for number, fisher in enumerate(fishers)
    ]
    for _ in range(140):
        catches = [
            {"species": chance.choice(["carp", "tilapia", "eel"]), "kg": float(Decimal(chance.randrange(5, 600)) / 10)}
            for _ in range(chance.randrange(1, 4))
        ]
        gear = chance.sample(["net", "line", "trap"], chance.randrange(0, 3))
        answers = {"day": day().isoformat(), "place": chance.choice(camps), "fisher": chance.choice(fishers)}
        sent.append(visit("landing", answers | {"gear": gear, "catches": catches}))
    for _ in range(25):
        begins = day()
        ends = begins + dt.timedelta(days=chance.randrange(0, 200))
        dates = {"begins": begins.isoformat(), "ends": ends.isoformat()}
        sent.append(visit("licence", dates | {"place": chance.choice(camps), "fee": chance.randrange(100, 9000)}))
    for _ in range(30):
        answers = {"day": day().isoformat(), "place": chance.choice(camps), "size": chance.randrange(10, 99)}
        sent.append(visit("camp", answers | {"scale": chance.choice(["yes", "no"])}))

    standing, rejected = [], []
    for one in list(sent):
        fate = chance.random()
        if one.form == "landing" and fate < 0.12:
            answers = {**one.answers, "place": chance.choice(camps), "gear": ["trap"]}
            edit = replace(visit("landing", answers), edits=one.instance_id)
            sent.append(edit)
            standing.append(edit)
        elif one.form == "landing" and fate < 0.2:
            later = one.recorded_at + dt.timedelta(hours=chance.randrange(1, 20))
            sent.append(replace(visit("landing", one.answers), recorded_at=later))
            standing.append(one)
        elif one.form in ("landing", "licence") and fate < 0.27:
            rejected.append(one)
        else:
            standing.append(one)
    return Year(sent, standing, rejected)


def counted(standing: Iterable[Visit], period: str, place: str | None) -> dict[str, Any]:
    """The figures, counted from the visits that stand."""
    first, last = PERIODS[period]
    inside = [one for one in standing if one.answers["place"] in BELOW[place]]

    def of(form: str) -> Iterator[Visit]:
        return (one for one in inside if one.form == form and first <= one.date() <= last)

    landings = list(of("landing"))
    totals = [sum(Decimal(str(each["kg"])) for each in one.answers["catches"]) for one in landings]
    per_fisher: dict[str, Decimal] = defaultdict(Decimal)
    by_species: dict[str, Decimal] = defaultdict(Decimal)
    by_gear: dict[str | None, set[str]] = defaultdict(set)
    for one, total in zip(landings, totals, strict=True):
        per_fisher[one.answers["fisher"]] += total
        for each in one.answers["catches"]:
            by_species[each["species"]] += Decimal(str(each["kg"]))
        for gear in one.answers["gear"] or [None]:
            by_gear[gear].add(one.answers["fisher"])
    fees = Decimal(0)
    for one in inside:
        if one.form == "licence":
            begins, ends = one.date("begins"), one.date("ends")
            days = (min(ends, last) - max(begins, first)).days + 1
            if days > 0:
                fees += Decimal(one.answers["fee"]) * days / ((ends - begins).days + 1)
    return {
        "registered": len({one.answers["meta"]["entity"]["id"] for one in of("fisher")}),
        "catch_kg": sum(totals, Decimal(0)),
        "landings": len(landings),
        "active": len({one.answers["fisher"] for one in landings}),
        "mean_landing": statistics.mean(totals) if totals else None,
        "best": sum(1 for total in per_fisher.values() if total >= 120),
        "fees": fees,
        "by_species": dict(by_species),
        "by_gear": {gear: len(fishers) for gear, fishers in by_gear.items()},
        **camps_counted([one for one in inside if one.form == "camp"], first, last),
    }


def camps_counted(surveys: list[Visit], first: dt.date, last: dt.date) -> dict[str, Any]:
    people, camps, scale, grown = 0, 0, 0, 0
    for place in {one.answers["place"] for one in surveys}:
        upto = sorted(
            (one for one in surveys if one.answers["place"] == place and one.date() <= last),
            key=lambda one: (one.date(), one.recorded_at),
        )
        within = [one for one in upto if one.date() >= first]
        people += upto[-1].answers["size"] if upto else 0
        if within:
            camps += 1
            scale += within[-1].answers["scale"] == "yes"
            if len(upto) > 1:
                grown += Decimal(within[-1].answers["size"]) / Decimal(upto[0].answers["size"]) >= Decimal("1.5")
    share = Decimal(scale) / camps if camps else None
    return {"camp_people": people, "camps": camps, "with_scale": scale, "grown": grown, "scale_share": share}


@pytest.fixture
def fisheries(house: House) -> tuple[Voice, list[Visit]]:
    """The programme, loaded, with a year of visits taken in and some of them rejected; and what stands of it."""
    admin = house.sekou
    pid = int(shown(admin.post("/v1/projects", json={"name": "Delta fisheries"}))["id"])
    desk = replace(admin, pid=pid)
    shown(desk.put("programme", data=programme(), headers={"Content-Type": "application/zip"}))
    with house.app.app_context():
        begin_writing(session())
        device, issued = add_device(session(), pid, "Tablet", dt.datetime(2026, 10, 1, tzinfo=dt.UTC))
        tablet = Voice(house.app.test_client(), issued.token, device.id, pid)
        session().commit()
    year = a_year(1)
    shuffled = random.Random(2).sample(year.sent, len(year.sent))
    for start in range(0, len(shuffled), 60):
        tablet.outcomes(*(one.item for one in shuffled[start : start + 60]), batch=f"batch {start}")
    for one in year.rejected:
        shown(desk.patch(f"forms/{one.form}/submissions/{one.instance_id}", json={"reviewState": "rejected"}))
    return desk, year.standing


def test_every_figure_is_what_an_independent_count_gives(fisheries: tuple[Voice, list[Visit]]) -> None:
    desk, standing = fisheries

    for period in PERIODS:
        for place in BELOW:
            where = f"&place={place}" if place else ""
            asked = f"figures?indicator={','.join(ADDITIVE + CAMPS)}&period={period}{where}"
            answer = shown(desk.get(asked))
            figures = {figure["indicator"]: figure["value"] for figure in answer["figures"]}
            expected = counted(standing, period, place)
            for name in ADDITIVE + CAMPS:
                want = expected[name]
                got = figures[name]
                if want is None:
                    assert got is None, (name, period, place)
                else:
                    assert got == pytest.approx(float(want), abs=2e-5), (name, period, place)


def test_breakdowns_are_what_an_independent_count_gives(fisheries: tuple[Voice, list[Visit]]) -> None:
    desk, standing = fisheries

    for period in PERIODS:
        expected = counted(standing, period, None)
        species = shown(desk.get(f"figures?indicator=catch_kg&by=species&totals=false&period={period}"))["figures"]
        gear = shown(desk.get(f"figures?indicator=active&by=gear&totals=false&period={period}"))["figures"]
        assert {each["by"]["species"]: each["value"] for each in species} == pytest.approx(
            {key: float(value) for key, value in expected["by_species"].items()}
        )
        assert {each["by"]["gear"]: each["value"] for each in gear} == expected["by_gear"]


def test_the_programme_loads_again_without_changing_anything(fisheries: tuple[Voice, list[Visit]]) -> None:
    desk, _ = fisheries
    before = shown(desk.get("events?since=0&limit=5000"))

    shown(desk.put("programme", data=programme(), headers={"Content-Type": "application/zip"}))

    assert len(shown(desk.get("events?since=0&limit=5000"))["events"]) == len(before["events"])
