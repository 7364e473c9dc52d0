"""The simulated year: counted again from its visits alone, by other means, it is what it says of itself."""

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from demo.population import OLD_VERSION, TABLETS, Visit, Year, make
from forms.programmes.programme import Programme, files_of, read_programme
from forms.tables import read_table
from forms.xforms.answers import attachments_named, fingerprint, instance_from
from forms.xforms.check import check
from forms.xforms.instance import read_instance

FIRST, LAST = dt.date(2025, 4, 1), dt.date(2026, 3, 31)
DEFINITIONS = Path(__file__).parents[3] / "forms" / "definitions"

Answers = Mapping[str, Any]


@cache
def year() -> Year:
    return make(7)


def standing(visits: Iterable[Visit], *, edits: bool = True) -> list[Visit]:
    """The visits that count: the last edit of each, one of each pair saved twice, the first content under an id."""
    kept: dict[str, Visit] = {}
    seen: dict[tuple[int, str, str], dt.datetime] = {}
    taken: set[str] = set()
    for visit in sorted(visits, key=lambda visit: visit.recorded_at):
        if visit.xml is not None or visit.instance_id in taken:
            continue
        taken.add(visit.instance_id)
        if visit.edits:
            if edits and visit.edits in kept:  # A second edit of one visit finds it replaced.
                del kept[visit.edits]
                kept[visit.instance_id] = visit
            continue
        told = (visit.tablet, visit.form, json.dumps(visit.answers, sort_keys=True))
        first = seen.setdefault(told, visit.recorded_at)
        if first == visit.recorded_at or visit.recorded_at - first > dt.timedelta(days=1):
            kept[visit.instance_id] = visit
    return list(kept.values())


@cache
def counted(edits: bool = True) -> Mapping[str, list[Visit]]:
    found: defaultdict[str, list[Visit]] = defaultdict(list)
    for visit in standing(year().visits, edits=edits):
        found[visit.form].append(visit)
    return found


def day_of(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def in_year(text: str) -> bool:
    return FIRST <= day_of(text) <= LAST


def entity(answers: Answers) -> str:
    return str(answers["person"] if answers["registered"] == "yes" else answers["new_person"])


def who(answers: Answers) -> str:
    return year().doubles.person(entity(answers))


def strengthened(forms: Mapping[str, list[Visit]]) -> int:
    scores: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for visit in forms["capacity_assessment"]:
        points = sum(int(level) for level in visit.answers["scores"].values())
        scores[visit.answers["session"]["organisation"]].append((visit.answers["visit"]["visit_date"], points))
    return sum(max(told)[1] > min(told)[1] for told in scores.values() if len(told) > 1)


def volunteers(forms: Mapping[str, list[Visit]], sex: str | None = None) -> int:
    return len(
        {
            who(visit.answers["who"])
            for visit in forms["volunteer_mandate"]
            if visit.answers["mandate"]["state"] in ("under_way", "done")
            and in_year(visit.answers["mandate"]["starts_on"])
            and sex in (None, visit.answers["who"]["sex"])
        }
    )


def person_days(forms: Mapping[str, list[Visit]]) -> Decimal:
    last: dict[str, Answers] = {}
    for visit in sorted(forms["volunteer_mandate"], key=lambda visit: visit.recorded_at):
        mandate = visit.answers["mandate"]
        if mandate["state"] in ("under_way", "done"):
            last[mandate["reference"].upper()] = mandate
    total = Decimal(0)
    for mandate in last.values():
        starts, ends = day_of(mandate["starts_on"]), day_of(mandate["ends_on"])
        days = [starts + dt.timedelta(days=day) for day in range((ends - starts).days + 1)]
        total += Decimal(mandate["days"] * sum(FIRST <= day <= LAST for day in days)) / len(days)
    return total


def trained(
    forms: Mapping[str, list[Visit]], audience: str = "community", sex: str | None = None, topic: str | None = None
) -> int:
    found = set()
    for visit in forms["training_session"]:
        session = visit.answers["session"]
        if session["audience"] != audience or not in_year(visit.answers["visit"]["visit_date"]):
            continue
        if topic in (None, *session["topics"]):
            found |= {
                who(row)
                for row in visit.answers["attendance"]
                if row["presence"] == "whole" and sex in (None, row["sex"])
            }
    return len(found)


def tonnes(forms: Mapping[str, list[Visit]]) -> Decimal:
    last: dict[str, tuple[str, Answers]] = {}
    for visit in forms["sales_contract"]:
        contract = visit.answers["contract"]
        if contract["product"] == "rice" and contract["state"] != "negotiation" and in_year(contract["signed_on"]):
            number = contract["contract_number"].upper().replace("/", "-")
            last[number] = max(last.get(number, ("", {})), (contract["signed_on"], contract), key=lambda told: told[0])
    weight = {"kg": Decimal(1), "tonne": Decimal(1000)}
    return sum(
        (
            Decimal(str(contract["quantity"])) * (weight.get(contract["unit"]) or contract["sack_kg"]) / 1000
            for _, contract in last.values()
            if contract["state"] == "signed"
        ),
        Decimal(0),
    )


def buyers(forms: Mapping[str, list[Visit]]) -> int:
    return len(
        {
            " ".join(visit.answers["parties"]["buyer"].upper().split())
            for visit in forms["sales_contract"]
            if visit.answers["contract"]["product"] == "rice"
            and visit.answers["contract"]["state"] == "signed"
            and in_year(visit.answers["contract"]["signed_on"])
        }
    )


def multiplied(forms: Mapping[str, list[Visit]], form: str, times: int, rice: bool) -> int:
    told: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for visit in forms[form]:
        trade = visit.answers["trade"]
        if rice and (trade["activity"] != "parboiling" or visit.answers["who"]["sex"] != "female"):
            continue
        amount = trade["revenue"] if "revenue" in trade else trade["sales"]
        told[who(visit.answers["who"])].append((visit.answers["visit"]["visit_date"], amount))
    return sum(
        max(amounts)[1] >= times * min(amounts)[1]
        for amounts in told.values()
        if len(amounts) > 1 and in_year(max(amounts)[0])
    )


def register(forms: Mapping[str, list[Visit]]) -> dict[str, Answers]:
    found: dict[str, Answers] = {}
    for visit in sorted(forms["health_association"], key=lambda visit: visit.answers["visit"]["visit_date"]):
        entry = visit.answers["which"]
        found[entry["centre"] if entry["registered"] == "yes" else entry["new_centre"]] = entry
    return {centre: entry for centre, entry in found.items() if entry["active"] == "yes"}


def profiles(forms: Mapping[str, list[Visit]]) -> dict[str, list[Answers]]:
    """The profiles of each centre, the earliest first."""
    found: defaultdict[str, list[Answers]] = defaultdict(list)
    for visit in sorted(forms["health_centre_profile"], key=lambda visit: visit.answers["visit"]["visit_date"]):
        found[visit.answers["which"]["centre"]].append(visit.answers)
    return found


def latest(forms: Mapping[str, list[Visit]]) -> list[Answers]:
    return [told[-1] for told in profiles(forms).values()]


def equipped(forms: Mapping[str, list[Visit]]) -> int:
    both = ("in_service", "in_service")
    return sum((told["services"]["laboratory"], told["services"]["imaging"]) == both for told in latest(forms))


def seats(board: Mapping[str, Any], *kinds: str) -> int:
    return sum(board[f"board_{kind}"] for kind in kinds)


WOMEN, YOUTH = ("women_young", "women_older"), ("women_young", "men_young")


def board_share(forms: Mapping[str, list[Visit]], kinds: tuple[str, str]) -> Decimal:
    boards = [told["board"] for told in latest(forms)]
    held = sum(seats(board, *kinds) for board in boards)
    return Decimal(held) / sum(seats(board, *WOMEN, "men_young", "men_older") for board in boards)


def boards_with_more(forms: Mapping[str, list[Visit]], kinds: tuple[str, str]) -> int:
    return sum(seats(told[-1]["board"], *kinds) > seats(told[0]["board"], *kinds) for told in profiles(forms).values())


def in_pilot(forms: Mapping[str, list[Visit]]) -> list[int]:
    return [told["which"]["catchment"] for told in latest(forms) if told["which"]["pilot"] == "yes"]


def screened(forms: Mapping[str, list[Visit]]) -> list[Visit]:
    return forms["malnutrition_screening"]


def ill(forms: Mapping[str, list[Visit]]) -> list[Answers]:
    return [
        visit.answers
        for visit in screened(forms)
        if visit.answers["measures"]["muac_mm"] < 125 or visit.answers["measures"]["oedema"] != "none"
    ]


def milestones(forms: Mapping[str, list[Visit]]) -> tuple[str, ...]:
    return tuple(
        sorted(
            {
                visit.answers["milestone"]["event"]
                for visit in forms["milestone"]
                if visit.answers["milestone"]["state"] == "achieved"
                and visit.answers["evidence"]["evidence_kinds"] != ["none"]
            }
        )
    )


TOPICS = ("governance", "marketing", "resource_mobilisation", "cooperative_management")
RECOUNT: dict[str, Callable[[Mapping[str, list[Visit]]], object]] = {
    "organisations_strengthened": strengthened,
    "organisations_assessed": lambda forms: len(
        {visit.answers["session"]["organisation"] for visit in forms["capacity_assessment"]}
    ),
    "volunteers": volunteers,
    "volunteers.sex=female": lambda forms: volunteers(forms, "female"),
    "person_days": person_days,
    "people_trained": trained,
    "people_trained.sex=female": lambda forms: trained(forms, sex="female"),
    **{f"people_trained.topics={topic}": lambda forms, topic=topic: trained(forms, topic=topic) for topic in TOPICS},
    "health_professionals_trained": lambda forms: trained(forms, audience="health_professionals"),
    "training_sessions": lambda forms: sum(
        in_year(visit.answers["visit"]["visit_date"]) for visit in forms["training_session"]
    ),
    "rice_tonnes": tonnes,
    "rice_buyers": buyers,
    "rice_parboilers_doubled": lambda forms: multiplied(forms, "rice_income", 2, rice=True),
    "shea_producers_tenfold": lambda forms: multiplied(forms, "shea_income", 10, rice=False),
    "health_associations": lambda forms: len(register(forms)),
    "health_centres_profiled": lambda forms: len(profiles(forms)),
    "health_profile_completeness": lambda forms: Decimal(len(profiles(forms))) / len(register(forms)),
    "health_centres_equipped": equipped,
    "health_equipped_share": lambda forms: Decimal(equipped(forms)) / len(register(forms)),
    "pilot_centres": lambda forms: len(in_pilot(forms)),
    "pilot_population": lambda forms: sum(in_pilot(forms)),
    "board_women_share": lambda forms: board_share(forms, WOMEN),
    "board_youth_share": lambda forms: board_share(forms, YOUTH),
    "boards_more_women": lambda forms: boards_with_more(forms, WOMEN),
    "boards_more_youth": lambda forms: boards_with_more(forms, YOUTH),
    "children_screened": lambda forms: len(screened(forms)),
    "children_malnourished": lambda forms: len(ill(forms)),
    "children_referred": lambda forms: sum(told["referral"]["referred"] == "yes" for told in ill(forms)),
    "milestones": milestones,
}


@pytest.mark.parametrize("figure", RECOUNT)
def test_the_visits_say_what_is_true(figure: str) -> None:
    assert RECOUNT[figure](counted()) == year().truth[figure]


def test_every_true_figure_is_counted_again() -> None:
    assert set(RECOUNT) == set(year().truth)


def test_the_truth_is_the_sentence_of_the_programme() -> None:
    truth = year().truth

    assert [truth[figure] for figure in ("organisations_strengthened", "volunteers", "volunteers.sex=female")] == [
        11,
        103,
        60,
    ]
    assert (truth["person_days"], truth["people_trained"], truth["people_trained.sex=female"]) == (7879, 4000, 2640)
    assert (truth["rice_tonnes"], truth["rice_buyers"]) == (2200, 1)
    assert (truth["rice_parboilers_doubled"], truth["shea_producers_tenfold"]) == (3800, 3000)
    assert (truth["health_associations"], truth["health_equipped_share"]) == (1060, Decimal("0.4"))
    assert (truth["health_professionals_trained"], truth["pilot_centres"], truth["pilot_population"]) == (50, 2, 20000)
    assert len(milestones(counted())) == 6


def test_a_plain_count_of_rows_says_something_else() -> None:
    plain, truth = year().naive, year().truth
    both = set(plain) & set(RECOUNT)

    assert both
    assert [figure for figure in both if plain[figure] == truth[figure]] == []


@pytest.mark.parametrize(
    "figure",
    [
        "organisations_strengthened",
        "person_days",
        "rice_tonnes",
        "rice_parboilers_doubled",
        "shea_producers_tenfold",
        "people_trained.sex=female",
        "health_centres_equipped",
        "children_malnourished",
    ],
)
def test_a_figure_is_right_only_if_the_edits_apply(figure: str) -> None:
    assert RECOUNT[figure](counted(edits=False)) != year().truth[figure]


def test_topics_overlap_so_their_counts_exceed_the_people() -> None:
    truth = year().truth

    by_topic = [truth[f"people_trained.topics={topic}"] for topic in TOPICS]
    assert sum(count for count in by_topic if isinstance(count, Decimal)) > 4000


def test_the_same_seed_makes_the_same_year_and_another_seed_another_with_the_same_sentence() -> None:
    again, other = make(7), make(8)

    assert again == year()
    assert other.visits != year().visits
    assert (
        RECOUNT["person_days"](
            {"volunteer_mandate": [v for v in standing(other.visits) if v.form == "volunteer_mandate"]}
        )
        == 7879
    )


def test_sixty_tablets_share_the_work() -> None:
    tablets = Counter(visit.tablet for visit in year().visits)

    assert set(tablets) == set(range(TABLETS))
    assert 18_000 < len(year().visits) < 30_000


def test_one_tablet_alone_still_fills_the_old_version_of_the_rice_form() -> None:
    old = [visit for visit in year().visits if visit.version == OLD_VERSION]

    assert {(visit.tablet, visit.form) for visit in old if visit.xml is None} == {(17, "rice_income")}
    assert all("sales" in visit.answers["trade"] and "revenue" not in visit.answers["trade"] for visit in old)


def test_what_goes_wrong_goes_wrong() -> None:
    visits = {visit.instance_id: visit for visit in year().visits}
    edits = Counter(visit.edits for visit in year().visits if visit.edits)
    ids = Counter(visit.instance_id for visit in year().visits)
    troubles = year().troubles

    assert all(visits[edit].edits in visits for edit in troubles["edit"])
    assert [edits[visits[conflict].edits] for conflict in troubles["conflict"]] == [2]
    assert [ids[same] for same in troubles["same_id"]] == [2]
    assert [visits[broken].xml is not None for broken in troubles["unreadable"]] == [True]
    assert len(troubles["double_save"]) > 20
    assert len(troubles["old_version"]) > 100


def test_nobody_is_picked_from_a_list_before_having_been_registered() -> None:
    known: set[str] = set()
    for visit in year().visits:
        rows = [visit.answers.get("who", {}), *visit.answers.get("attendance", [])]
        known |= {row["new_person"] for row in rows if row.get("registered") == "no"}

        assert {row["person"] for row in rows if row.get("registered") == "yes"} <= known


def test_of_one_name_in_one_commune_are_only_those_registered_twice_and_those_meant_to_be_mistaken() -> None:
    meant = {frozenset(pair) for pairs in year().doubles.alike.values() for pair in pairs}
    names: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for visit in year().visits:
        where = visit.answers.get("home") or visit.answers.get("where_held") or {}
        for row in [visit.answers.get("who", {}), *visit.answers.get("attendance", [])]:
            if row.get("registered") == "no":
                commune = where.get("commune") or row["residence"]
                if entity(row) not in year().doubles.twice:  # how another hand writes them is nobody's choice
                    names[row["first_name"], row["last_name"], commune].add(who(row))

    assert [name for name, people in names.items() if len(people) > 1 and frozenset(people) not in meant] == []


class Shelves:
    """The lists that the tablets choose from: the places, and the entities that the visits have made by then."""

    def __init__(self, programme: Programme) -> None:
        self.roots: dict[str, etree._Element] = {}
        self.index: defaultdict[tuple[str, str, str], list[etree._Element]] = defaultdict(list)
        for row in read_table(programme.media["places.csv"], "places.csv").rows:
            self.add("places", row.cells)
        for name, entities in programme.lists.items():
            for entity in entities.rows:
                self.add(name, {"name": entity.entity_id, "label": entity.label, **entity.data})

    def add(self, name: str, row: Mapping[str, str]) -> None:
        item = etree.SubElement(self.roots.setdefault(name, etree.Element("root")), "item")
        for column, value in row.items():
            etree.SubElement(item, column).text = value
            self.index[name, column, value].append(item)

    def find(self, list_name: str, column: str, value: str) -> list[etree._Element]:
        return self.index[list_name, column, value]

    def whole(self, list_name: str) -> etree._Element | None:
        return self.roots.get(list_name)

    def is_entities(self, list_name: str) -> bool:
        return list_name != "places"


def test_the_visits_answer_the_forms_of_the_programme_without_a_flag() -> None:
    programme = read_programme(files_of(DEFINITIONS))
    forms = {(workbook.form.form_id, workbook.form.version): workbook.form for workbook in programme.workbooks}
    lists, tz = Shelves(programme), ZoneInfo(programme.settings.time_zone)
    spoilt = {visit.edits for visit in year().visits}

    for number, visit in enumerate(year().visits):
        often = visit.form in ("rice_income", "shea_income", "health_centre_profile", "health_association")
        if visit.xml is None and visit.instance_id not in spoilt and number % (60 if often else 5) == 0:
            form = forms[visit.form, visit.version]
            raw = instance_from(
                form,
                visit.answers,
                instance_id=visit.instance_id,
                deprecated_id=visit.edits,
                recorded_at=visit.recorded_at,
                tz=tz,
                lists=lists,
            )
            instance = read_instance(raw)

            assert check(form, instance, lists, visit.recorded_at, tz) == []
            assert attachments_named(form, instance) == [attachment.name for attachment in visit.attachments]
            assert fingerprint(form, instance) is not None
