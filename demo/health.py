"""The visits to health associations and their centres, and screenings. How many of what, the caller says."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from demo.cooperatives import Period
from demo.diary import Draft, Register, Slip, visit_block
from demo.names import FAMILIES, MEN, RICE_AREAS, SHEA_AREAS, WOMEN, Area, Crowd, day_between, hour_of, position
from demo.visits import Answers

FOUNDING_WORDS = ("Benkadi", "Jigiya", "Sabati", "Nieta", "Danaya", "Kɛnɛya", "Yiriwa", "Jɛkafɔ", "Badenya", "Sinsin")


@dataclass(frozen=True, slots=True)
class Board:
    """Seats by sex and age; young is 15 to 35."""

    women_young: int
    women_older: int
    men_young: int
    men_older: int

    @property
    def women(self) -> int:
        return self.women_young + self.women_older

    @property
    def youth(self) -> int:
        return self.women_young + self.men_young

    @property
    def seats(self) -> int:
        return self.women + self.men_young + self.men_older


@dataclass(frozen=True, slots=True)
class State:
    """What one visit to a centre finds."""

    laboratory: str
    imaging: str
    catchment: int
    board: Board
    pilot: bool = False


@dataclass(frozen=True, slots=True)
class Association:
    """A health association with its centre. `states` are what its visits found, the latest last; none if unvisited."""

    id: str
    name: str
    village: str
    area: Area
    states: tuple[State, ...]
    dissolved: bool = False


def associations(crowd: Crowd, active: int, equipped: int, dissolved: int, unvisited: int) -> list[Association]:
    """Of the active ones, `equipped` have a laboratory and imaging in service when last visited, others one of them, or
    broken ones, or had both before. The dissolved ones come last, the two before them have not been visited yet."""
    rng = crowd.rng
    areas = (*RICE_AREAS, *SHEA_AREAS)
    found = []
    for number in range(active + dissolved):
        area = areas[number % len(areas)]
        village = f"{rng.choice(area.villages)} {number // len(areas) + 1}"
        name = f"ASACO {rng.choice(FOUNDING_WORDS)} de {village}"
        visited = number < active - unvisited
        states = _states(rng, number < equipped, number) if visited else ()
        found.append(Association(crowd.id(), name, village, area, states, dissolved=number >= active))
    return found


def _states(rng: random.Random, equipped: bool, number: int) -> tuple[State, ...]:
    board = Board(rng.randint(0, 1), rng.randint(1, 3), rng.randint(0, 2), rng.randint(4, 7))
    catchment = rng.randrange(4_000, 18_000, 50)
    last = State(*_equipment(rng, equipped), catchment, board)
    if number % 7:
        return (last,)
    before = replace(last, catchment=catchment - 250)
    if number % 3 == 0:
        # What was found at first says the opposite of what is there today.
        laboratory, imaging = _equipment(rng, not equipped)
        before = replace(before, laboratory=laboratory, imaging=imaging)
    renewed = replace(board, women_young=board.women_young + rng.randint(0, 2), men_older=board.men_older - 1)
    return (before, replace(last, board=renewed))


def _equipment(rng: random.Random, both: bool) -> tuple[str, str]:
    if both:
        return "in_service", "in_service"
    return rng.choice(
        (("in_service", "none"), ("in_service", "broken"), ("broken", "in_service"), ("none", "none"), ("none", "none"))
    )


def in_pilot(association: Association, populations: Sequence[int]) -> Association:
    """The same centre in the malnutrition pilot; visited as often as it has populations, the latest last."""
    last = association.states[-1]
    states = tuple(replace(last, catchment=population, pilot=True) for population in populations)
    return replace(association, states=states)


def left_pilot(association: Association) -> Association:
    """A centre that was in the pilot when first visited and is no longer."""
    last = association.states[-1]
    return replace(association, states=(replace(last, pilot=True), last))


def register_visits(rng: random.Random, found: Sequence[Association], period: Period) -> Iterator[Draft]:
    """One in five was entered before the period. Dissolved ones were entered as active, and again when they ended."""
    first, last = period
    for number, association in enumerate(found):
        early = number % 5 == 0
        day = day_between(rng, first - dt.timedelta(days=45), first - dt.timedelta(days=1)) if early else None
        day = day or day_between(rng, first, first + dt.timedelta(days=60))
        yield Draft(
            hour_of(rng, day),
            _tablet(rng, association),
            "health_association",
            _entry(rng, association, day, known=False, active=True),
        )
        if association.dissolved:
            day = day_between(rng, first + dt.timedelta(days=120), last)
            yield Draft(
                hour_of(rng, day),
                _tablet(rng, association),
                "health_association",
                _entry(rng, association, day, known=True, active=False),
            )


def _tablet(rng: random.Random, association: Association) -> int:
    return rng.choice(association.area.tablets)


def _entry(
    rng: random.Random, association: Association, day: dt.date, known: bool, active: bool
) -> Callable[[Register], Answers]:
    sex = "female" if rng.random() < 0.2 else "male"
    chair = f"{rng.choice(WOMEN if sex == 'female' else MEN)} {rng.choice(FAMILIES)}"
    which: Answers = {
        "registered": "yes" if known else "no",
        "association_name": association.name,
        "centre_name": f"CSCom de {association.village}",
        "active": "yes" if active else "no",
    }
    which |= {"centre": association.id} if known else {"new_centre": association.id}
    if not active:
        which["inactive_since"] = (day - dt.timedelta(days=30)).isoformat()
    answers: Answers = {
        "visit": visit_block(rng, day),
        "which": which,
        "seat": {
            **association.area.answers(association.village),
            "location": position(association.area.commune, association.village),
        },
        "standing": {
            "district": association.area.cercle.rsplit("-", 1)[-1].capitalize(),
            "founded": rng.randint(1992, 2020),
            "recognised": "yes",
            "receipt": f"{rng.randint(100, 999)}/G-DB",
            "agreement": rng.choice(("yes", "no")),
            "members": rng.randint(50, 900),
        },
        "contact": {"chair": chair, "chair_sex": sex, "chair_phone": f"66{rng.randint(100000, 999999)}"},
    }
    return lambda register: answers


def profile_visits(rng: random.Random, found: Sequence[Association], period: Period) -> Iterator[Draft]:
    """The visits of one centre lie in equal parts of the period; some laboratories were ticked wrongly at first."""
    first, last = period
    opened = first + dt.timedelta(days=62)
    for number, association in enumerate(found):
        count = len(association.states)
        for turn, state in enumerate(association.states):
            step = (last - opened).days // count
            begin = opened + dt.timedelta(days=turn * step)
            day = day_between(rng, begin, begin + dt.timedelta(days=step - 1))
            final = turn == count - 1
            yield Draft(
                hour_of(rng, day),
                _tablet(rng, association),
                "health_centre_profile",
                _profile(rng, association, day, state),
                _forgot_imaging if final and number % 60 == 11 else None,
                photo=("board", "board_photo") if number % 80 == 0 and final else (),
            )


def _profile(rng: random.Random, association: Association, day: dt.date, state: State) -> Callable[[Register], Answers]:
    services: Answers = {
        "offered": ["consultation", "delivery", "vaccination", "pharmacy"],
        "laboratory": state.laboratory,
        "imaging": state.imaging,
        "energy": [rng.choice(("grid", "solar"))],
        "water": "yes",
    }
    if state.laboratory == "in_service":
        services["tests"] = ["malaria", "haemoglobin"]
    if state.imaging == "in_service":
        services["imaging_devices"] = ["ultrasound"]
    answers: Answers = {
        "visit": visit_block(rng, day),
        "where_at": association.area.answers(),
        "which": {
            "centre": association.id,
            "respondent": f"{rng.choice(MEN)} {rng.choice(FAMILIES)}",
            "respondent_role": rng.choice(("chair", "manager", "director")),
            "catchment": state.catchment,
            "villages": rng.randint(3, 25),
            "pilot": "yes" if state.pilot else "no",
        },
        "services": services,
        "staff": {
            "doctors": rng.randint(0, 2),
            "nurses": rng.randint(1, 5),
            "midwives": rng.randint(1, 4),
            "technicians": 1 if state.laboratory == "in_service" else 0,
        },
        "board": {
            "board_renewed": (day - dt.timedelta(days=rng.randint(20, 900))).isoformat(),
            "board_women_young": state.board.women_young,
            "board_women_older": state.board.women_older,
            "board_men_young": state.board.men_young,
            "board_men_older": state.board.men_older,
        },
    }
    return lambda register: answers


def _forgot_imaging(answers: Answers) -> None:
    services = answers["services"]
    services["imaging"] = "none" if services["imaging"] == "in_service" else "in_service"
    if services["imaging"] == "none":
        services.pop("imaging_devices", None)
    else:
        services["imaging_devices"] = ["ultrasound"]


@dataclass(frozen=True, slots=True)
class Child:
    """One screening. The arm in millimetres and the oedema decide the status."""

    association: Association
    sex: str
    months: int
    muac: int
    oedema: str
    referred: bool

    @property
    def status(self) -> str:
        if self.muac < 115 or self.oedema != "none":
            return "severe"
        return "moderate" if self.muac < 125 else "normal"


def children(rng: random.Random, centres: Sequence[Association], count: int) -> list[Child]:
    return [
        Child(
            rng.choice(centres),
            rng.choice(("female", "male")),
            rng.randint(6, 59),
            max(95, min(180, round(rng.gauss(139, 13)))),
            "plus1" if rng.random() < 0.01 else "none",
            rng.random() < 0.93,
        )
        for _ in range(count)
    ]


def screenings(rng: random.Random, screened: Sequence[Child], period: Period) -> Iterator[Draft]:
    """One in thirty is saved twice; a few arms were read in centimetres at first."""
    for number, child in enumerate(screened):
        day = day_between(rng, *period)
        slip: Slip | None = _arm_misread if number % 90 == 40 else None
        yield Draft(
            hour_of(rng, day),
            _tablet(rng, child.association),
            "malnutrition_screening",
            _screening(rng, child, day),
            slip,
            saved_twice=number % 30 == 3,
        )


def _screening(rng: random.Random, child: Child, day: dt.date) -> Callable[[Register], Answers]:
    told: Answers = {
        "child_name": f"{rng.choice(WOMEN if child.sex == 'female' else MEN)} {rng.choice(FAMILIES)}",
        "sex": child.sex,
        "age_months": child.months,
        "card": rng.choice(("yes", "no")),
    }
    if child.months < 24:
        told["breastfed"] = rng.choice(("yes", "no"))
    answers: Answers = {
        "visit": visit_block(rng, day),
        "where_at": child.association.area.answers(child.association.village),
        "session": {
            "centre": child.association.id,
            "site": rng.choice(("centre", "village")),
            "carer": f"{rng.choice(WOMEN)} {rng.choice(FAMILIES)}",
            "consent": "yes",
        },
        "child": told,
        "measures": {"muac_mm": child.muac, "oedema": child.oedema, "danger": ["none"]},
    }
    if child.status != "normal":
        answers["referral"] = _referral(child, day)
    return lambda register: answers


def _referral(child: Child, day: dt.date) -> Answers:
    if not child.referred:
        return {"referred": "no", "not_referred": "La famille part demain."}
    unit = "urenas" if child.status == "severe" else "urenam"
    return {"referred": "yes", "referred_to": unit, "follow_up": (day + dt.timedelta(days=7)).isoformat()}


def _arm_misread(answers: Answers) -> None:
    answers["measures"]["muac_mm"] = 145
    answers["measures"]["oedema"] = "none"
    answers.pop("referral", None)
