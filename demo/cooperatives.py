"""The visits to organisations, producers, volunteers, trainings and contracts. How many of what, the caller says."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from demo.diary import OLD_VERSION, VERSION, Draft, Register, Slip, visit_block
from demo.names import RICE_AREAS, Area, Crowd, Organisation, Person, day_between, hour_of, position
from demo.visits import Answers

AREAS_COUNT = 5  # scores rise in at most so many areas between two assessments
DOMAINS = (
    "governance",
    "cooperative_life",
    "management",
    "finance",
    "marketing",
    "resources",
    "equality",
    "environment",
)
COMMUNITY_TOPICS = ("governance", "marketing", "resource_mobilisation", "cooperative_management")
HEALTH_TOPICS = ("nutrition", "quality_of_care", "laboratory")
OLD_TABLET = 17  # nobody ever gave it the new version of the rice form

Period = tuple[dt.date, dt.date]


# Organisations


def profiles(rng: random.Random, partners: Sequence[Organisation], period: Period) -> Iterator[Draft]:
    """Each partner is visited once or twice; the second time it has a few more members."""
    for number, partner in enumerate(partners):
        women, men = rng.randint(30, 400), rng.randint(0, 60)
        for day in sorted(day_between(rng, *period) for _ in range(rng.randint(1, 2))):
            yield Draft(hour_of(rng, day), number % 60, "organisation_profile", _profile(rng, partner, day, women, men))
            women += rng.randint(1, 30)


def _profile(
    rng: random.Random, partner: Organisation, day: dt.date, women: int, men: int
) -> Callable[[Register], Answers]:
    answers: Answers = {
        "visit": visit_block(rng, day),
        "which": {
            "registered": "yes",
            "organisation": partner.id,
            "organisation_name": partner.name,
            "kind": partner.kind,
            "partner_since": f"{rng.randint(2020, 2024)}-0{rng.randint(1, 9)}-15",
        },
        "seat": {
            **partner.place(),
            "village": partner.village,
            "location": position(partner.commune, partner.village),
        },
        "law": {"legal_form": "scoops", "registration_number": f"ML-{rng.randint(1000, 9999)}", "founded": 2011},
        "membership": {
            "members_women": women,
            "members_men": men,
            "members_young": women // 3,
            "board_women": 7,
            "board_men": 2,
        },
        "running": {
            "assembly": "yes",
            "rules": rng.choice(("yes", "no")),
            "account": "yes",
            "services": ["sale", "training"],
            "equipment": ["warehouse", "scale"],
        },
        "contact": {"contact_name": "Kadidia Sanogo", "contact_phone": f"76{rng.randint(100000, 999999)}"},
    }
    return lambda register: answers


def assessments(
    rng: random.Random, partners: Sequence[Organisation], stronger: int, assessed_once: int, period: Period
) -> Iterator[Draft]:
    """The first `stronger` partners end above their first score, by whatever way; then come those assessed once.

    The rest end where they began, or lower.
    """
    first, last = period
    for number, partner in enumerate(partners):
        start = [rng.randint(0, 2) for _ in DOMAINS]
        course = [start]
        if number < stronger:
            if number % 3 == 0:
                course.append(_moved(rng, start, -1, 2))
            course.append(_moved(rng, start, 1, rng.randint(1, AREAS_COUNT)))
        elif number >= stronger + assessed_once:
            course += [_moved(rng, start, 1, 3), _moved(rng, start, -1, number % 2)]
        step = (last - first).days // len(course)
        for turn, levels in enumerate(course):
            day = first + dt.timedelta(days=turn * step + rng.randint(0, step - 1))
            final = turn == len(course) - 1
            slip = _misread_levels if final and number in (1, 4) else None
            yield Draft(
                hour_of(rng, day),
                number * 3 % 60,
                "capacity_assessment",
                _assessment(rng, partner, day, levels, "first" if turn == 0 else "final" if final else "progress"),
                slip,
            )


def _moved(rng: random.Random, levels: Sequence[int], by: int, count: int) -> list[int]:
    """Up to `count` of the levels that can still move, moved."""
    movable = [index for index, level in enumerate(levels) if 0 <= level + by <= 4]
    chosen = rng.sample(movable, min(count, len(movable)))
    return [level + by if index in chosen else level for index, level in enumerate(levels)]


def _assessment(
    rng: random.Random, partner: Organisation, day: dt.date, levels: Sequence[int], turn: str
) -> Callable[[Register], Answers]:
    answers: Answers = {
        "visit": visit_block(rng, day),
        "where_held": partner.place(),
        "session": {
            "organisation": partner.id,
            "round": turn,
            "facilitator": "Siaka Ballo",
            "women_present": rng.randint(3, 40),
            "men_present": rng.randint(0, 15),
        },
        "scores": {domain: str(level) for domain, level in zip(DOMAINS, levels, strict=True)},
        "next": {"priorities": rng.sample(DOMAINS, 2), "plan": "no"},
    }
    return lambda register: answers


def _misread_levels(answers: Answers) -> None:
    answers["scores"] = dict.fromkeys(DOMAINS, "0")


# Trainings


@dataclass(frozen=True, slots=True)
class Attendance:
    """Who sat in a training, and for how much of it."""

    person: Person
    presence: str


@dataclass(frozen=True, slots=True)
class Session:
    """One training, before anybody has written it down."""

    day: dt.date
    area: Area
    audience: str
    topics: tuple[str, ...]
    attendances: tuple[Attendance, ...]


def community_sessions(
    rng: random.Random, people: Sequence[Person], visitors: Sequence[Person], period: Period
) -> list[Session]:
    """Each of the people follows one to three whole trainings; visitors only drop in."""
    sessions = []
    by_area: dict[Area, list[Person]] = {}
    for person in people:
        assert person.area is not None
        by_area.setdefault(person.area, []).append(person)
    for area, neighbours in by_area.items():
        times = {person.id: rng.choices((1, 2, 3), (60, 28, 12))[0] for person in neighbours}
        for turn in range(3):
            coming = [person for person in neighbours if times[person.id] > turn]
            rng.shuffle(coming)
            for start in range(0, len(coming), 24):
                whole = [Attendance(person, "whole") for person in coming[start : start + 24]]
                topics = rng.sample(COMMUNITY_TOPICS, rng.choices((1, 2), (65, 35))[0])
                sessions.append(Session(day_between(rng, *period), area, "community", tuple(topics), tuple(whole)))
    return [_with_visitors(rng, session, visitors) for session in sessions]


def _with_visitors(rng: random.Random, session: Session, visitors: Sequence[Person]) -> Session:
    near = [person for person in visitors if person.area == session.area]
    dropped_in = [Attendance(person, rng.choice(("part", "absent"))) for person in rng.sample(near, min(2, len(near)))]
    return Session(session.day, session.area, session.audience, session.topics, (*session.attendances, *dropped_in))


def attending_again(sessions: Sequence[Session]) -> list[Person]:
    """Those who follow sessions of more than one day to the end, in the order of their ids."""
    people: dict[str, Person] = {}
    days: defaultdict[str, set[dt.date]] = defaultdict(set)
    for session in sessions:
        for attendance in session.attendances:
            if attendance.presence == "whole":
                people[attendance.person.id] = attendance.person
                days[attendance.person.id].add(session.day)
    return [people[known] for known in sorted(people) if len(days[known]) > 1]


def not_recognised(sessions: Sequence[Session], again: Mapping[str, Person]) -> list[Session]:
    """The same sessions, at the last of which these people were not found in the list and were registered again."""
    last: dict[str, dt.date] = {}
    for session in sorted(sessions, key=lambda session: session.day):
        last |= {attendance.person.id: session.day for attendance in session.attendances}
    return [
        replace(
            session,
            attendances=tuple(
                replace(attendance, person=again[attendance.person.id])
                if attendance.person.id in again and last[attendance.person.id] == session.day
                else attendance
                for attendance in session.attendances
            ),
        )
        for session in sessions
    ]


def health_sessions(
    rng: random.Random, staff: Sequence[Person], leavers: Sequence[Person], area: Area, period: Period
) -> list[Session]:
    """Everybody of the staff follows a whole training, some two; leavers go home before the end."""
    groups = [staff[start : start + 17] for start in range(0, len(staff), 17)]
    groups.append(rng.sample(staff, len(staff) // 4))
    sessions = []
    for group in groups:
        attendances = [Attendance(person, "whole") for person in group]
        attendances += [Attendance(person, "part") for person in rng.sample(leavers, min(2, len(leavers)))]
        topics = tuple(rng.sample(HEALTH_TOPICS, 2))
        sessions.append(Session(day_between(rng, *period), area, "health_professionals", topics, tuple(attendances)))
    return sessions


def trainings(rng: random.Random, sessions: Sequence[Session], hosts: Sequence[Organisation]) -> Iterator[Draft]:
    """In some, everybody is ticked as a woman at first; a few forms are saved twice."""
    met: dict[str, dt.date] = {}
    for number, session in enumerate(sorted(sessions, key=lambda session: session.day)):
        ids = [attendance.person.id for attendance in session.attendances]
        slip = _all_women if number % 20 == 5 else None
        yield Draft(
            hour_of(rng, session.day),
            rng.choice(session.area.tablets),
            "training_session",
            _training(rng, session, hosts),
            slip,
            # Who is registered in a form that is saved twice would be registered twice.
            saved_twice=slip is None and all(met.get(known, session.day) < session.day for known in ids),
            photo=("session", "attendance_photo") if number % 12 == 0 else (),
        )
        met |= {known: min(session.day, met.get(known, session.day)) for known in ids}


def _training(rng: random.Random, session: Session, hosts: Sequence[Organisation]) -> Callable[[Register], Answers]:
    host = next((host for host in hosts if host.commune == session.area.commune), None)
    days = rng.randint(1, 4)
    visit = visit_block(rng, session.day, days=days, hours_a_day=6)
    role = "nurse" if session.audience == "health_professionals" else "member"
    village = rng.choice(session.area.villages)
    phones = [f"7{rng.randint(1_000_000, 9_999_999)}" if rng.random() < 0.03 else None for _ in session.attendances]

    def fill(register: Register) -> Answers:
        held: Answers = {
            "audience": session.audience,
            "topics": list(session.topics),
            "trainer": "Nouhoum Diarra",
            "language": "bm",
            "methods": ["talk", "exercise"],
        }
        if host:
            held["organisation"] = host.id
        return {
            "visit": visit,
            "where_held": session.area.answers(village),
            "session": held,
            "attendance": [
                _row(register, attendance, role, phone)
                for attendance, phone in zip(session.attendances, phones, strict=True)
            ],
            "summary": {"sheet_total": len(session.attendances), "satisfaction": "most"},
        }

    return fill


def _row(register: Register, attendance: Attendance, role: str, new_phone: str | None) -> Answers:
    row = register.identify(attendance.person)
    if row["registered"] == "no":
        row["village_home"] = attendance.person.village
    elif new_phone:
        row["phone"] = new_phone
    return row | {"role": role, "presence": attendance.presence}


def _all_women(answers: Answers) -> None:
    for row in answers["attendance"]:
        row["sex"] = "female"


# Volunteers


@dataclass(slots=True)
class Mandate:
    """One mandate; `days` are those given in all, from the first to the last day."""

    reference: str
    person: Person
    host: Organisation
    starts: dt.date
    ends: dt.date
    days: int
    state: str = "done"

    @property
    def span(self) -> int:
        return (self.ends - self.starts).days + 1

    def days_within(self, period: Period) -> int:
        """Only for mandates inside the period, or of which every day was given: nothing is left to rounding."""
        first, last = max(self.starts, period[0]), min(self.ends, period[1])
        inside = (last - first).days + 1
        if inside == self.span:
            return self.days
        assert self.days == self.span
        return max(inside, 0)


def mandates(
    rng: random.Random,
    people: Sequence[Person],
    earlier: Sequence[Person],
    hosts: Sequence[Organisation],
    person_days: int,
    period: Period,
) -> list[Mandate]:
    """Mandates whose days inside the period are `person_days` together.

    Each of the people begins at least one inside the period; the earlier ones and some of the others began one before
    it that lasts into it, and some mandates end after it.
    """
    first, last = period
    found: list[Mandate] = []

    def add(person: Person, starts: dt.date, length: int, every_day: bool) -> None:
        ends = starts + dt.timedelta(days=length - 1)
        days = length if every_day else rng.randint(length // 2, length)
        reference = f"VOL-{starts.year}-{len(found) + 1:03}"
        found.append(Mandate(reference, person, rng.choice(hosts), starts, ends, days))

    for person in (*earlier, *people[:3]):
        add(person, first - dt.timedelta(days=rng.randint(5, 30)), rng.randint(40, 80), every_day=True)
    for number, person in enumerate(people):
        if number % 14 == 7:
            add(person, last - dt.timedelta(days=rng.randint(10, 30)), rng.randint(40, 90), every_day=True)
        else:
            add(person, day_between(rng, first, last - dt.timedelta(days=130)), rng.randint(40, 110), every_day=False)
    for person in rng.sample(people, 20):
        add(person, day_between(rng, first, last - dt.timedelta(days=130)), rng.randint(20, 60), every_day=False)
    _fit(found, person_days, period)
    return found


def _fit(found: Sequence[Mandate], person_days: int, period: Period) -> None:
    """Moves the days of mandates that lie inside the period, one by one, until the sum is right."""
    inside = [one for one in found if period[0] <= one.starts and one.ends <= period[1] and one.state == "done"]
    missing = person_days - sum(one.days_within(period) for one in found)
    step = 1 if missing > 0 else -1
    while missing:
        movable = [one for one in inside if 1 <= one.days + step <= one.span]
        for one in movable[: abs(missing)]:
            one.days += step
        missing -= step * min(abs(missing), len(movable))


def serving_again(found: Sequence[Mandate]) -> list[Person]:
    """Those who have more than one of the mandates, in the order of their ids."""
    people = {mandate.person.id: mandate.person for mandate in found}
    often = Counter(mandate.person.id for mandate in found)
    return [people[known] for known in sorted(people) if often[known] > 1]


def registered_anew(found: Sequence[Mandate], again: Mapping[str, Person]) -> list[Mandate]:
    """The same mandates, at the last of which these people were not found in the list and were registered again."""
    last = {mandate.person.id: mandate for mandate in sorted(found, key=lambda mandate: mandate.starts)}
    return [
        replace(mandate, person=again[mandate.person.id])
        if mandate.person.id in again and last[mandate.person.id] is mandate
        else mandate
        for mandate in found
    ]


def unreal(
    rng: random.Random, people: Sequence[Person], hosts: Sequence[Organisation], period: Period
) -> list[Mandate]:
    """Mandates that came to nothing: called off before they began, or only planned."""
    found = []
    for number, person in enumerate(people):
        starts = day_between(rng, *period)
        ends = starts + dt.timedelta(days=45)
        state = "cancelled" if number % 2 else "planned"
        found.append(Mandate(f"VOL-{starts.year}-{900 + number}", person, rng.choice(hosts), starts, ends, 40, state))
    return found


def mandate_reports(rng: random.Random, found: Sequence[Mandate], closed: dt.date) -> Iterator[Draft]:
    """A report when a mandate begins, with the days foreseen, and for most that end before the books are closed one
    when they end, on the host's tablet.

    Both are about the same first day, so that the later one is told by the tablet's clock alone.
    """
    for number, mandate in enumerate(found):
        if mandate.state != "done":
            yield _report(rng, number, mandate, mandate.starts - dt.timedelta(days=20), mandate.days)
            continue
        only_one = number % 5 == 0 or mandate.ends + dt.timedelta(days=15) > closed
        foreseen = mandate.days if only_one else rng.randint(1, mandate.span)
        begun = replace(mandate, state="under_way")
        yield _report(rng, number, begun, mandate.starts + dt.timedelta(days=2), foreseen)
        if not only_one:
            slip = _days_doubled if number % 15 == 2 else None
            day = mandate.ends + dt.timedelta(days=rng.randint(1, 15))
            yield _report(rng, number, mandate, day, mandate.days, slip)


def _report(
    rng: random.Random, number: int, mandate: Mandate, day: dt.date, days: int, slip: Slip | None = None
) -> Draft:
    reference = mandate.reference.lower() if rng.random() < 0.3 else mandate.reference
    visit = visit_block(rng, day)
    provenance = "national" if mandate.person.village == "Mali" else "international"
    expertise = rng.choice(("governance", "marketing", "management", "processing", "nutrition"))

    def fill(register: Register) -> Answers:
        who = register.identify(mandate.person)
        if who["registered"] == "no":
            who["residence"] = mandate.person.village
        told: Answers = {
            "reference": reference,
            "organisation": mandate.host.id,
            "expertise": expertise,
            "state": mandate.state,
            "starts_on": mandate.starts.isoformat(),
            "ends_on": mandate.ends.isoformat(),
            "days": days,
        }
        if mandate.state == "done":
            told["report"] = "no"
        return {
            "visit": visit,
            "mandate_at": mandate.host.place(),
            "who": who | {"provenance": provenance},
            "mandate": told,
        }

    return Draft(hour_of(rng, day), number % 60, "volunteer_mandate", fill, slip)


def _days_doubled(answers: Answers) -> None:
    answers["mandate"]["days"] *= 2


# Incomes


@dataclass(frozen=True, slots=True)
class Earnings:
    """What somebody had earned at each visit, the first being the baseline. `activity` is that of the rice form."""

    person: Person
    amounts: tuple[int, ...]
    activity: str = "parboiling"


def grown(rng: random.Random, first: tuple[int, int], least: Decimal, most: Decimal, times: int) -> tuple[int, ...]:
    """Amounts of which the last is at least `least` and below `most` times the first, whatever lies between."""
    start = rng.randrange(*first, 500)
    low = int((start * least).to_integral_value(rounding="ROUND_CEILING"))
    high = int((start * most).to_integral_value(rounding="ROUND_CEILING")) - 1
    # One in eight stands exactly on the bound, which counts.
    end = low if rng.random() < 0.125 else rng.randint(low, high)
    between = [rng.randint(start // 2, start * 12) for _ in range(times - 2)]
    return (start, *between, end)


def rice_visits(rng: random.Random, earnings: Sequence[Earnings], period: Period) -> Iterator[Draft]:
    """The first visits lie early, some before the period; a few amounts were typed with a digit too few or too many."""
    hosts = RICE_AREAS
    for number, earned in enumerate(earnings):
        area = earned.person.area or hosts[0]
        slip = _a_zero_less if number % 150 == 20 else _a_zero_more if number % 150 == 90 else None
        for turn, (day, amount) in enumerate(_dated(rng, earned.amounts, period)):
            tablet = rng.choice(area.tablets)
            old = tablet == OLD_TABLET
            last = len(earned.amounts) > 1 and turn == len(earned.amounts) - 1
            yield Draft(
                hour_of(rng, day),
                tablet,
                "rice_income",
                _rice(rng, earned, day, amount, turn, old),
                slip("sales" if old else "revenue") if slip and last else None,
                version=OLD_VERSION if old else VERSION,
            )


def _dated(rng: random.Random, amounts: Sequence[int], period: Period) -> Iterator[tuple[dt.date, int]]:
    """The first within 90 days of 45 days before the period, the others in equal parts of what follows."""
    first, last = period
    start = first - dt.timedelta(days=45)
    if len(amounts) == 1:
        yield day_between(rng, first, last), amounts[0]
        return
    yield day_between(rng, start, start + dt.timedelta(days=90)), amounts[0]
    opened = start + dt.timedelta(days=120)
    step = (last - opened).days // (len(amounts) - 1)
    for turn, amount in enumerate(amounts[1:]):
        begin = opened + dt.timedelta(days=turn * step)
        yield day_between(rng, begin, begin + dt.timedelta(days=step - 1)), amount


def _rice(
    rng: random.Random, earned: Earnings, day: dt.date, amount: int, turn: int, old: bool
) -> Callable[[Register], Answers]:
    person = earned.person
    area = person.area or RICE_AREAS[0]
    kilos = max(amount // rng.randint(330, 480), 1)
    visit = visit_block(rng, day)
    trade: Answers = {
        "activity": earned.activity,
        "season": "last_season" if turn == 0 else "this_season",
        "sold": "yes",
        "kg_sold": kilos,
        "sales" if old else "revenue": amount,
        "outlet": rng.choice(("contract", "market", "home", "trader")),
        "decides": rng.choice(("self", "together")),
    }
    if not old:
        trade["costs"] = amount * 2 // 5
    if earned.activity == "parboiling":
        trade |= {"kg_parboiled": kilos + rng.randint(0, 60), "equipment": [rng.choice(("pot", "improved"))]}
    return lambda register: {
        "visit": visit,
        "home": area.answers(person.village),
        "agreement": {"consent": "yes"},
        "who": register.identify(person),
        "trade": trade,
    }


def shea_visits(rng: random.Random, earnings: Sequence[Earnings], period: Period) -> Iterator[Draft]:
    """As for rice."""
    for number, earned in enumerate(earnings):
        area = earned.person.area
        assert area is not None
        slip = _a_zero_less if number % 160 == 30 else _a_zero_more if number % 160 == 110 else None
        for turn, (day, amount) in enumerate(_dated(rng, earned.amounts, period)):
            last = len(earned.amounts) > 1 and turn == len(earned.amounts) - 1
            yield Draft(
                hour_of(rng, day),
                rng.choice(area.tablets),
                "shea_income",
                _shea(rng, earned.person, area, day, amount),
                slip("revenue") if slip and last else None,
            )


def _shea(rng: random.Random, person: Person, area: Area, day: dt.date, amount: int) -> Callable[[Register], Answers]:
    price = rng.randrange(900, 2500, 25)
    visit = visit_block(rng, day)
    trade: Answers = {
        "products": rng.choice((["butter"], ["butter", "soap"], ["butter", "kernels"])),
        "kg_butter": max(amount // price, 1),
        "revenue": amount,
        "butter_price": price,
        "butter_price_before": rng.randrange(400, 900, 25),
        "outlet": rng.choice(("cooperative", "market", "exporter")),
        "certified": rng.choice(("yes", "no")),
        "decides": rng.choice(("self", "together")),
    }
    if "soap" in trade["products"]:
        trade["pieces_soap"] = rng.randint(5, 300)
    return lambda register: {
        "visit": visit,
        "home": area.answers(person.village),
        "agreement": {"consent": "yes"},
        "who": register.identify(person),
        "trade": trade,
    }


def _a_zero_less(question: str) -> Slip:
    def slip(answers: Answers) -> None:
        answers["trade"][question] //= 10

    return slip


def _a_zero_more(question: str) -> Slip:
    def slip(answers: Answers) -> None:
        answers["trade"][question] *= 10

    return slip


# Contracts


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of a contract: the signature, an amendment, or the end of it."""

    number: str
    seller: Organisation
    buyer: str
    state: str
    signed: dt.date
    tonnes: Decimal
    amendment: bool = False
    product: str = "rice"


def rice_contracts(
    rng: random.Random, crowd: Crowd, sellers: Sequence[Organisation], buyer: str, tonnes: Decimal, period: Period
) -> list[Contract]:
    """Contracts with one buyer whose latest versions make up `tonnes`; some were amended, some cancelled."""
    first, last = period
    found = []
    count = 28
    shares = _split(rng, tonnes, count)
    for number, share in enumerate(shares):
        seller = sellers[number % len(sellers)]
        name = f"CT/{first.year}/{number + 1:03}"
        signed = day_between(rng, first, last - dt.timedelta(days=120))
        versions = [share]
        if number % 3 == 0:
            versions.insert(0, share + rng.randint(4, 30))
        if number % 9 == 0:
            versions.insert(0, max(share - rng.randint(4, 30), Decimal(5)))
        for turn, quantity in enumerate(versions):
            day = signed + dt.timedelta(days=35 * turn)
            found.append(Contract(name, seller, buyer, "signed", day, quantity, amendment=turn > 0))
    for number in range(3):
        name = f"CT/{first.year}/{count + number + 1:03}"
        signed = day_between(rng, first, last - dt.timedelta(days=90))
        quantity = Decimal(rng.randint(20, 60))
        found.append(Contract(name, sellers[number], buyer, "signed", signed, quantity))
        found.append(Contract(name, sellers[number], buyer, "cancelled", signed + dt.timedelta(days=60), quantity))
    return found


def other_contracts(rng: random.Random, sellers: Sequence[Organisation], period: Period) -> list[Contract]:
    """What is no rice sold in the period: other products, mere talks, and a contract of the year before."""
    first, last = period
    day = day_between(rng, first, last)
    return [
        Contract("K-2025-01", sellers[0], "Beurre du Monde", "signed", day, Decimal(18), product="shea_butter"),
        Contract("K-2025-02", sellers[1], "Karité Export", "signed", day, Decimal(40), product="shea_kernels"),
        Contract("CT/2025/090", sellers[2], "Grenier du Sahel", "negotiation", day, Decimal(300)),
        Contract("CT/2025/091", sellers[3], "Magasins Réunis", "negotiation", day, Decimal(120)),
        Contract("CT/2024/007", sellers[4], "Grenier du Sahel", "signed", first - dt.timedelta(days=40), Decimal(75)),
    ]


def _split(rng: random.Random, whole: Decimal, parts: int) -> list[Decimal]:
    """Parts in steps of half a tonne, each at least twenty tonnes."""
    halves = int(whole * 2) - 40 * parts
    cuts = sorted(rng.randint(0, halves) for _ in range(parts - 1))
    return [Decimal(40 + high - low) / 2 for low, high in zip([0, *cuts], [*cuts, halves], strict=True)]


def contract_visits(rng: random.Random, contracts: Sequence[Contract]) -> Iterator[Draft]:
    """Quantities are told in sacks, kilograms or tonnes; numbers and names are spelt as they come."""
    for turn, contract in enumerate(contracts):
        day = contract.signed + dt.timedelta(days=rng.randint(1, 10))
        slip = _kilograms_as_tonnes if turn % 17 == 4 else None
        yield Draft(
            hour_of(rng, day),
            rng.randrange(60),
            "sales_contract",
            _contract(rng, contract, day, in_kilograms=slip is not None),
            slip,
            photo=("contract", "contract_photo") if contract.state == "signed" and turn % 4 == 0 else (),
        )


def _contract(
    rng: random.Random, contract: Contract, day: dt.date, in_kilograms: bool
) -> Callable[[Register], Answers]:
    told: Answers = {
        "contract_number": rng.choice((contract.number, contract.number.lower(), contract.number.replace("/", "-"))),
        "state": contract.state,
        "amendment": "yes" if contract.amendment else "no",
        "product": contract.product,
        **_quantity(rng, contract.tonnes, "kg" if in_kilograms else rng.choice(("sack", "kg", "tonne"))),
        "price": rng.randint(350, 460),
        "members_supplying": rng.randint(20, 400),
    }
    if contract.state != "negotiation":
        told["signed_on"] = contract.signed.isoformat()
    buyer = rng.choice((contract.buyer, contract.buyer.upper(), contract.buyer.replace(" ", "  ")))
    answers: Answers = {
        "visit": visit_block(rng, day),
        "seat": contract.seller.place(),
        "parties": {"organisation": contract.seller.id, "buyer": buyer},
        "contract": told,
    }
    return lambda register: answers


def _quantity(rng: random.Random, tonnes: Decimal, unit: str) -> Answers:
    if unit == "sack":
        weight = rng.choice((25, 50, 100))
        return {"quantity": int(tonnes * 1000 / weight), "unit": "sack", "sack_kg": weight}
    if unit == "kg":
        return {"quantity": int(tonnes * 1000), "unit": "kg"}
    return {"quantity": float(tonnes), "unit": "tonne"}


def _kilograms_as_tonnes(answers: Answers) -> None:
    answers["contract"]["unit"] = "tonne"


# Milestones


@dataclass(frozen=True, slots=True)
class Telling:
    """One visit's account of a milestone."""

    event: str
    day: dt.date
    state: str
    achieved: dt.date | None = None
    french: str = ""
    english: str = ""
    evidence: tuple[str, ...] = ()
    other: str | None = None


def milestone_visits(rng: random.Random, tellings: Sequence[Telling]) -> Iterator[Draft]:
    for number, telling in enumerate(tellings):
        seen = "none" not in telling.evidence
        photo = ("evidence", "evidence_photo") if seen and telling.state == "achieved" else ()
        yield Draft(hour_of(rng, telling.day), number * 7 % 60, "milestone", _telling(rng, telling), photo=photo)


def _telling(rng: random.Random, telling: Telling) -> Callable[[Register], Answers]:
    told: Answers = {"event": telling.event, "state": telling.state}
    if telling.other:
        told["event_other"] = telling.other
    if telling.achieved:
        told |= {"achieved_on": telling.achieved.isoformat(), "text_fr": telling.french, "text_en": telling.english}
    visit = visit_block(rng, telling.day)
    return lambda register: {
        "visit": visit,
        "milestone": told,
        "evidence": {"evidence_kinds": list(telling.evidence)},
    }
