"""A year in Mali, drawn from a seed: a population whose true figures are known here alone, and the visits to it.

The product sees the visits alone. That the figures of its statement are these is what the demo shows.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from demo import cooperatives, doubles, health
from demo.cooperatives import Earnings, Session, Telling
from demo.diary import OLD_VERSION, VERSION, Diary, Draft
from demo.names import RICE_AREAS, SHEA_AREAS, Crowd, Organisation, Person, organisations
from demo.visits import Answers, Attachment, Visit, Year

__all__ = ["OLD_VERSION", "PERIOD", "TABLETS", "VERSION", "Attachment", "Visit", "Year", "make", "naive"]

TABLETS = 60
PERIOD = "FY2025"
FIRST, LAST = dt.date(2025, 4, 1), dt.date(2026, 3, 31)
CLOSED = dt.date(2026, 4, 20)  # the books of the year
BEFORE = (dt.date(2025, 2, 10), dt.date(2025, 3, 25))

STRONGER = 11
VOLUNTEERS, WOMEN_VOLUNTEERS, PERSON_DAYS = 103, 60, 7_879
TRAINED, WOMEN_TRAINED = 4_000, 2_640
RICE_TONNES = Decimal(2_200)
RICE_DOUBLED = 3_800
SHEA_TENFOLD = 3_000
ASSOCIATIONS, EQUIPPED = 1_060, 424
HEALTH_PROFESSIONALS = 50
PILOT_POPULATIONS = ((8_900, 9_400), (9_750, 10_600))

Figures = dict[str, Decimal]


def make(seed: int = 7) -> Year:
    """The same seed gives the same year, byte for byte."""
    crowd = Crowd(random.Random(f"{seed}:crowd"))
    rng = random.Random(f"{seed}:visits")
    partners = organisations()
    truth: dict[str, Decimal | tuple[str, ...]] = {}
    rice, shea = _rice_earnings(crowd), _shea_earnings(crowd)
    known = doubles.Doubles()
    drafts = [
        *_organisation_visits(rng, partners, truth),
        *_volunteer_visits(rng, crowd, partners, truth, known),
        *_training_visits(
            rng, crowd, partners, _some_women(rng, rice, 1_200) + _some_women(rng, shea, 700), truth, known
        ),
        *cooperatives.rice_visits(rng, rice, (FIRST, LAST)),
        *cooperatives.shea_visits(rng, shea, (FIRST, LAST)),
        *_contract_visits(rng, crowd, partners, truth),
        *_health_visits(rng, crowd, truth),
        *cooperatives.milestone_visits(rng, _MILESTONES),
    ]
    truth["rice_parboilers_doubled"] = Decimal(RICE_DOUBLED)
    truth["shea_producers_tenfold"] = Decimal(SHEA_TENFOLD)
    truth["milestones"] = tuple(sorted(_ACHIEVED))
    diary = Diary(random.Random(f"{seed}:diary"))
    diary.write(drafts)
    _trouble(diary)
    return Year(
        tuple(diary.visits),
        truth,
        naive(diary.visits),
        {trouble: tuple(ids) for trouble, ids in diary.troubles.items()},
        known,
    )


# The population, theme by theme


def _organisation_visits(
    rng: random.Random, partners: Sequence[Organisation], truth: dict[str, Decimal | tuple[str, ...]]
) -> Iterable[Draft]:
    shuffled = rng.sample(partners, len(partners))
    truth["organisations_strengthened"] = Decimal(STRONGER)
    truth["organisations_assessed"] = Decimal(len(partners))
    yield from cooperatives.profiles(rng, partners, (FIRST, LAST))
    yield from cooperatives.assessments(rng, shuffled, STRONGER, 1, (FIRST, LAST))


def _volunteer_visits(
    rng: random.Random,
    crowd: Crowd,
    partners: Sequence[Organisation],
    truth: dict[str, Decimal | tuple[str, ...]],
    known: doubles.Doubles,
) -> Iterable[Draft]:
    people = [crowd.volunteer("female" if number < WOMEN_VOLUNTEERS else "male") for number in range(VOLUNTEERS)]
    rng.shuffle(people)
    earlier = [crowd.volunteer(sex) for sex in ("female", "male")]
    never = [crowd.volunteer(sex) for sex in ("female", "male", "female", "male", "female")]
    found = cooperatives.mandates(rng, people, earlier, partners, PERSON_DAYS, (FIRST, LAST))
    truth["volunteers"] = Decimal(VOLUNTEERS)
    truth["volunteers.sex=female"] = Decimal(WOMEN_VOLUNTEERS)
    truth["person_days"] = Decimal(PERSON_DAYS)
    often = cooperatives.serving_again(found)
    again = doubles.register_again(rng, crowd, rng.sample(often, doubles.VOLUNTEERS_TWICE), known)
    yield from cooperatives.mandate_reports(rng, cooperatives.registered_anew(found, again), CLOSED)
    yield from cooperatives.mandate_reports(rng, cooperatives.unreal(rng, never, partners, (FIRST, LAST)), CLOSED)


def _training_visits(
    rng: random.Random,
    crowd: Crowd,
    partners: Sequence[Organisation],
    women_known: list[Person],
    truth: dict[str, Decimal | tuple[str, ...]],
    known: doubles.Doubles,
) -> Iterable[Draft]:
    areas = (*RICE_AREAS, *SHEA_AREAS)
    only_trained = crowd.people(WOMEN_TRAINED - len(women_known), "female", areas)
    only_trained += crowd.people(TRAINED - WOMEN_TRAINED, "male", areas)
    people = women_known + doubles.with_lookalikes(rng, crowd, only_trained, known)
    visitors = crowd.people(120, "female", areas) + crowd.people(60, "male", areas)
    year_before = crowd.people(70, "female", areas[:4]) + crowd.people(30, "male", areas[:4])
    staff = crowd.people(HEALTH_PROFESSIONALS, "female", (areas[2],))
    leavers = crowd.people(4, "male", (areas[2],))
    community = cooperatives.community_sessions(rng, people, visitors, (FIRST, LAST))
    professional = cooperatives.health_sessions(rng, staff, leavers, areas[2], (FIRST, LAST))
    before = cooperatives.community_sessions(rng, year_before, (), BEFORE)
    truth["people_trained"] = Decimal(TRAINED)
    truth["people_trained.sex=female"] = Decimal(WOMEN_TRAINED)
    truth["health_professionals_trained"] = Decimal(HEALTH_PROFESSIONALS)
    truth["training_sessions"] = Decimal(len(community) + len(professional))
    for topic in cooperatives.COMMUNITY_TOPICS:
        truth[f"people_trained.topics={topic}"] = Decimal(_trained_in(community, topic))
    often = cooperatives.attending_again(community)
    again = doubles.register_again(rng, crowd, rng.sample(often, doubles.TWICE), known)
    community = cooperatives.not_recognised(community, again)
    yield from cooperatives.trainings(rng, [*community, *professional, *before], partners)


def _trained_in(sessions: Sequence[Session], topic: str) -> int:
    whole = (
        attendance.person.id
        for session in sessions
        if topic in session.topics
        for attendance in session.attendances
        if attendance.presence == "whole"
    )
    return len(set(whole))


def _rice_earnings(crowd: Crowd) -> list[Earnings]:
    rng = crowd.rng
    first = (60_000, 300_000)
    doubled, not_doubled = (Decimal(2), Decimal(6)), (Decimal("0.7"), Decimal(2))

    def earn(
        count: int, sex: str, growth: tuple[Decimal, Decimal], times: int = 2, activity: str = "parboiling"
    ) -> list[Earnings]:
        return [
            Earnings(person, cooperatives.grown(rng, first, *growth, times), activity)
            for person in crowd.people(count, sex, RICE_AREAS)
        ]

    once = [Earnings(person, (rng.randrange(*first, 500),)) for person in crowd.people(260, "female", RICE_AREAS)]
    return [
        *earn(RICE_DOUBLED - 150, "female", doubled),
        *earn(150, "female", doubled, times=3),
        *earn(380, "female", not_doubled),
        *earn(60, "female", not_doubled, times=3),
        *earn(40, "female", doubled, activity="trading"),
        *earn(50, "male", doubled),
        *once,
    ]


def _shea_earnings(crowd: Crowd) -> list[Earnings]:
    rng = crowd.rng
    first = (5_000, 30_000)
    tenfold, less = (Decimal(10), Decimal(16)), (Decimal("0.8"), Decimal(10))
    growths = [(tenfold, 2)] * (SHEA_TENFOLD - 80) + [(tenfold, 3)] * 80 + [(less, 2)] * 330 + [(less, 3)] * 40
    people = crowd.people(len(growths), "female", SHEA_AREAS)
    found = [
        Earnings(person, cooperatives.grown(rng, first, *growth, times))
        for person, (growth, times) in zip(people, growths, strict=True)
    ]
    once = crowd.people(190, "female", SHEA_AREAS)
    return [*found, *(Earnings(person, (rng.randrange(*first, 500),)) for person in once)]


def _some_women(rng: random.Random, earnings: Sequence[Earnings], count: int) -> list[Person]:
    return rng.sample([earned.person for earned in earnings if earned.person.sex == "female"], count)


def _contract_visits(
    rng: random.Random,
    crowd: Crowd,
    partners: Sequence[Organisation],
    truth: dict[str, Decimal | tuple[str, ...]],
) -> Iterable[Draft]:
    sellers = [partner for partner in partners if partner.kind == "rice_group"]
    contracts = cooperatives.rice_contracts(rng, crowd, sellers, "Rizerie du Delta", RICE_TONNES, (FIRST, LAST))
    truth["rice_tonnes"] = RICE_TONNES
    truth["rice_buyers"] = Decimal(1)
    others = cooperatives.other_contracts(rng, sellers, (FIRST, LAST))
    yield from cooperatives.contract_visits(rng, [*contracts, *others])


def _health_visits(rng: random.Random, crowd: Crowd, truth: dict[str, Decimal | tuple[str, ...]]) -> Iterable[Draft]:
    found = health.associations(crowd, ASSOCIATIONS, EQUIPPED, dissolved=7, unvisited=42)
    found[3], found[8] = (health.in_pilot(found[at], told) for at, told in zip((3, 8), PILOT_POPULATIONS, strict=True))
    found[20] = health.left_pilot(found[20])
    latest = [association.states[-1] for association in found if association.states]
    seats = Decimal(sum(state.board.seats for state in latest))
    children = health.children(rng, [found[3], found[8], found[31]], 900)
    ill = [child for child in children if child.status != "normal"]
    pairs = [association.states for association in found if len(association.states) > 1]
    truth |= {
        "health_associations": Decimal(ASSOCIATIONS),
        "health_centres_profiled": Decimal(len(latest)),
        "health_profile_completeness": Decimal(len(latest)) / ASSOCIATIONS,
        "health_centres_equipped": Decimal(EQUIPPED),
        "health_equipped_share": Decimal(EQUIPPED) / ASSOCIATIONS,
        "pilot_centres": Decimal(len(PILOT_POPULATIONS)),
        "pilot_population": Decimal(sum(told[-1] for told in PILOT_POPULATIONS)),
        "board_women_share": sum(state.board.women for state in latest) / seats,
        "board_youth_share": sum(state.board.youth for state in latest) / seats,
        "boards_more_women": Decimal(sum(last.board.women > first.board.women for first, last in pairs)),
        "boards_more_youth": Decimal(sum(last.board.youth > first.board.youth for first, last in pairs)),
        "children_screened": Decimal(len(children)),
        "children_malnourished": Decimal(len(ill)),
        "children_referred": Decimal(sum(child.referred for child in ill)),
    }
    yield from health.register_visits(rng, found, (FIRST, LAST))
    yield from health.profile_visits(rng, found, (FIRST, LAST))
    yield from health.screenings(rng, children, (FIRST, LAST))


_MILESTONES = (
    Telling("fair_trade_certification", dt.date(2025, 6, 3), "under_way", evidence=("none",)),
    Telling("fair_trade_certification", dt.date(2025, 9, 18), "achieved", dt.date(2025, 9, 2),
            "Les coopératives de karité ont obtenu leur certification de commerce équitable.",
            "The shea cooperatives obtained their fair-trade certification.", ("certificate",)),
    Telling("fair_trade_certification", dt.date(2025, 11, 5), "achieved", dt.date(2025, 9, 2),
            "Les coopératives de karité sont certifiées commerce équitable.",
            "The shea cooperatives are certified as fair trade.", ("certificate", "seen")),
    Telling("commercial_structure", dt.date(2025, 7, 22), "achieved", dt.date(2025, 7, 10),
            "Les coopératives vendent par une structure commerciale commune.",
            "The cooperatives sell through a commercial structure of their own.", ("registration",)),
    Telling("soap_enterprise", dt.date(2025, 10, 14), "achieved", dt.date(2025, 10, 1),
            "Une entreprise commune fabrique des savons au karité.",
            "A joint enterprise makes shea soaps.", ("registration", "seen")),
    Telling("soap_enterprise", dt.date(2025, 12, 2), "achieved", dt.date(2025, 10, 6),
            "Une co-entreprise de savons au karité est immatriculée et produit.",
            "A co-enterprise for shea soaps is registered and producing.", ("registration", "minutes")),
    Telling("parboiling_equipment", dt.date(2025, 8, 29), "achieved", dt.date(2025, 8, 20),
            "De nouveaux équipements d'étuvage du riz sont en service.",
            "New rice-parboiling equipment is in use.", ("seen",)),
    Telling("parboiling_equipment", dt.date(2025, 9, 30), "achieved", dt.date(2025, 8, 20),
            "Les groupements de riz utilisent de nouvelles étuveuses.",
            "The rice groups are using new parboilers.", ("seen", "minutes")),
    Telling("social_economy_policy", dt.date(2025, 12, 11), "achieved", dt.date(2025, 11, 26),
            "Le Mali a adopté une politique nationale de l'économie sociale et solidaire.",
            "Mali adopted a national policy for the social and solidarity economy.", ("decree",)),
    Telling("health_boards", dt.date(2026, 2, 17), "achieved", dt.date(2026, 2, 1),
            "Davantage de femmes et de jeunes siègent aux bureaux des associations de santé.",
            "More women and young people sit on the boards of health associations.", ("minutes",)),
    Telling("other", dt.date(2025, 10, 9), "under_way", evidence=("seen",), other="Label bio"),
    Telling("other", dt.date(2026, 1, 20), "achieved", dt.date(2026, 1, 5), "Un site de vente en ligne est ouvert.",
            "An online shop has opened.", ("none",), "Vente en ligne"),
)  # fmt: skip
_ACHIEVED = {telling.event for telling in _MILESTONES if telling.state == "achieved" and "none" not in telling.evidence}


# What goes wrong on the way, beyond slips and second saves


def _trouble(diary: Diary) -> None:
    """Two edits of one contract, a second content under one id, and a record cut off: none may change a figure."""
    edited = {visit.edits for visit in diary.visits}

    def untouched(form: str) -> list[Visit]:
        return [
            visit
            for visit in diary.visits
            if visit.form == form and not visit.edits and visit.instance_id not in edited
        ]

    contract = untouched("sales_contract")[0]
    for days, price in ((3, 401), (5, 402)):
        edit = diary.correct(contract, _changed(contract.answers, "contract", price=price), days)
        diary.troubles["edit" if days == 3 else "conflict"].append(edit.instance_id)

    profile = untouched("health_centre_profile")[5]
    remarked = {**profile.answers, "closing": {"remarks": "Revu avec la gérante."}}
    again = _copy(profile, profile.instance_id, answers=remarked, minutes=30)
    diary.troubles["same_id"].append(again.instance_id)

    rice = untouched("rice_income")[100]
    broken = _copy(
        rice, diary.instance_id(), minutes=7, xml=f'<data id="rice_income" version="{rice.version}"><visit><enumer'
    )
    diary.troubles["unreadable"].append(broken.instance_id)

    diary.visits += [again, broken]
    diary.visits.sort(key=lambda visit: visit.recorded_at)


def _changed(answers: Mapping[str, object], group: str, **values: object) -> Answers:
    inside = answers[group]
    assert isinstance(inside, dict)
    return {**answers, group: {**inside, **values}}


def _copy(
    visit: Visit, instance_id: str, *, minutes: int, answers: Answers | None = None, xml: str | None = None
) -> Visit:
    later = visit.recorded_at + dt.timedelta(minutes=minutes)
    return Visit(visit.tablet, visit.form, visit.version, instance_id, answers or dict(visit.answers), later, xml=xml)


# What somebody would say who adds up the rows


def naive(visits: Sequence[Visit]) -> Figures:
    """What a plain count or sum over these visits says, each as often as it is given."""
    rows: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for visit in visits:
        rows[visit.form].append(visit.answers)
    trained = [
        row
        for answers in rows["training_session"]
        if answers["session"]["audience"] == "community"
        for row in answers["attendance"]
    ]
    return {
        "organisations_strengthened": Decimal(
            sum(a["session"]["round"] != "first" for a in rows["capacity_assessment"])
        ),
        "volunteers": Decimal(len(rows["volunteer_mandate"])),
        "volunteers.sex=female": Decimal(sum(a["who"]["sex"] == "female" for a in rows["volunteer_mandate"])),
        "person_days": Decimal(sum(a["mandate"]["days"] for a in rows["volunteer_mandate"])),
        "people_trained": Decimal(len(trained)),
        "people_trained.sex=female": Decimal(sum(row["sex"] == "female" for row in trained)),
        "rice_tonnes": sum((_tonnes(a["contract"]) for a in rows["sales_contract"]), Decimal(0)),
        "rice_parboilers_doubled": _above_mean([a["trade"] for a in rows["rice_income"]], 2),
        "shea_producers_tenfold": _above_mean([a["trade"] for a in rows["shea_income"]], 10),
        "health_associations": Decimal(len(rows["health_association"])),
        "health_equipped_share": _share_of_visits(rows["health_centre_profile"]),
        "pilot_population": Decimal(
            sum(a["which"]["catchment"] for a in rows["health_centre_profile"] if a["which"]["pilot"] == "yes")
        ),
        "children_screened": Decimal(len(rows["malnutrition_screening"])),
        "milestones_achieved": Decimal(sum(a["milestone"]["state"] == "achieved" for a in rows["milestone"])),
    }


def _tonnes(contract: Answers) -> Decimal:
    quantity = Decimal(str(contract["quantity"]))
    kilograms = {"kg": Decimal(1), "tonne": Decimal(1000)}
    return quantity * (kilograms.get(contract["unit"]) or Decimal(contract["sack_kg"])) / 1000


def _above_mean(trades: Sequence[Answers], times: int) -> Decimal:
    """Visits that tell at least so many times the mean of the lower half of all visits."""
    amounts: list[int] = sorted(trade.get("revenue") or trade["sales"] for trade in trades)
    lower = amounts[: len(amounts) // 2]
    bound = times * sum(lower) / max(len(lower), 1)
    return Decimal(sum(amount >= bound for amount in amounts))


def _share_of_visits(profiles: Sequence[Mapping[str, Answers]]) -> Decimal:
    equipped = sum(a["services"]["laboratory"] == a["services"]["imaging"] == "in_service" for a in profiles)
    return Decimal(equipped) / max(len(profiles), 1)
