"""Filled forms as a tablet would write them, drawn from their number: the same number is always the same visit."""

import datetime as dt
import gzip
import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.programme import COMMUNES, FORM, VERSION

FIRST_DAY = dt.date(2025, 4, 1)
DAYS = 365
GIVEN = ["Awa", "Fanta", "Kadiatou", "Mariam", "Oumou", "Rokia", "Amadou", "Bakary", "Issa", "Moussa", "Seydou"]
FAMILY = ["Traoré", "Coulibaly", "Diarra", "Keïta", "Konaté", "Sangaré", "Sidibé", "Dembélé", "Camara", "Touré"]
WORDS = ["eau", "pompe", "moulin", "route", "école", "semences", "crédit", "batteuse", "hangar", "marché", "prix"]
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<data xmlns:h="http://www.w3.org/1999/xhtml" '
    'xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms" '
    'xmlns:odk="http://www.opendatakit.org/xforms" xmlns:entities="http://www.opendatakit.org/xforms/entities" '
    f'id="{FORM}" version="{VERSION}">'
)


@dataclass(frozen=True)
class Visit:
    """One filled form of about 4 kB."""

    instance_id: str
    recorded_at: str
    xml: str


def visit(number: int) -> Visit:
    """The visit of that number; none of its answers breaks a rule of the form."""
    chance = random.Random(number)
    day = FIRST_DAY + dt.timedelta(days=chance.randrange(DAYS))
    began = dt.datetime.combine(day, dt.time(8), dt.UTC) + dt.timedelta(seconds=chance.randrange(30_000))
    ended = began + dt.timedelta(minutes=chance.randrange(8, 40))
    answers = {"start": iso(began), "end": iso(ended), "today": day.isoformat(), **answers_of(chance)}
    instance_id = f"uuid:{uuid.UUID(int=chance.getrandbits(128), version=4)}"
    body = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in answers.items())
    meta = (
        f'<meta><entity dataset="people" create="1" id="{uuid.UUID(int=chance.getrandbits(128), version=4)}">'
        f"<label>{answers['full_name']}</label></entity><instanceID>{instance_id}</instanceID>"
        f"<instanceName>{answers['full_name']}</instanceName></meta>"
    )
    return Visit(instance_id, iso(ended), f"{HEAD}{body}{meta}</data>")


def answers_of(chance: random.Random) -> dict[str, str]:
    """All questions in the order of the form; an irrelevant one is left out, as clients do."""
    given, family = chance.choice(GIVEN), chance.choice(FAMILY)
    household = chance.randrange(3, 20)
    women, children = chance.randrange(1, 3), chance.randrange(0, household - 2)
    crops = chance.sample(["rice", "shea", "millet", "maize"], chance.randrange(1, 4))
    sacks, before = chance.randrange(1, 200), chance.randrange(1, 100) * 1000
    member, credit, trained, school = (chance.choice(["yes", "no"]) for _ in range(4))
    water = chance.choice(["house", "well", "pump", "river"])
    score = (trained == "yes") + (school == "yes") + (credit == "no")
    answers: dict[str, str | None] = {
        "place": chance.choice(COMMUNES),
        "village": f"Village {chance.randrange(1, 30)}",
        "given_name": given,
        "family_name": family,
        "sex": "female" if given in GIVEN[:6] else "male",
        "age": str(chance.randrange(15, 80)),
        "phone": f"7{chance.randrange(10**6, 10**7)}",
        "full_name": f"{given} {family}",
        "is_member": member,
        "member_since": f"20{chance.randrange(10, 25)}-0{chance.randrange(1, 10)}-15" if member == "yes" else None,
        "household": str(household),
        "women": str(women),
        "children": str(children),
        "men": str(household - women - children),
        "crops": " ".join(crops),
        "rice_area": str(chance.randrange(1, 90) / 2) if "rice" in crops else None,
        "rice_sacks": str(sacks) if "rice" in crops else None,
        "rice_tonnes": f"{sacks * 8 / 100:g}" if "rice" in crops else "0",
        "shea_kg": str(chance.randrange(5, 900)) if "shea" in crops else None,
        "shea_price": str(chance.randrange(200, 900)) if "shea" in crops else None,
        "income": str(before * 2),
        "income_before": str(before),
        "growth": "2",
        "has_credit": credit,
        "credit": str(chance.randrange(10, 400) * 1000) if credit == "yes" else None,
        "lender": chance.choice(["Kafo Jiginew", "Nyèsigiso", "tontine"]) if credit == "yes" else None,
        "trained": trained,
        "topics": chance.choice(["governance", "marketing management", "resources"]) if trained == "yes" else None,
        "days": str(chance.randrange(1, 15)) if trained == "yes" else None,
        "trainer": chance.choice(GIVEN),
        "water": water,
        "water_minutes": str(chance.randrange(1, 90)) if water != "house" else None,
        "phone_at_home": chance.choice(["yes", "no"]),
        "school": school,
        "lamp": chance.choice(["yes", "no"]),
        "radio": chance.choice(["yes", "no"]),
        "needs": sentence(chance, 40),
        "position": f"12.{chance.randrange(1000, 9999)} -8.{chance.randrange(1000, 9999)} 0 8.5",
        "remarks": sentence(chance, 260),
        "score": str(score),
    }
    return {name: text for name, text in answers.items() if text is not None}


def sentence(chance: random.Random, words: int) -> str:
    """So many words, none of which compresses away because it repeats the last."""
    return " ".join(f"{chance.choice(WORDS)}{chance.randrange(10)}" for _ in range(words))


def batch_of(first: int, items: int) -> bytes:
    """A batch of the visits from that number on, as the device sends it: JSON under gzip."""
    return gzip.compress(body_of([visit(number) for number in range(first, first + items)], first), 6)


def body_of(visits: Sequence[Visit], first: int) -> bytes:
    """The batch as JSON. Its id follows from the number of its first visit."""
    items = [{"form": FORM, "version": VERSION, "xml": one.xml, "recorded_at": one.recorded_at} for one in visits]
    batch_id = str(uuid.UUID(int=random.Random(f"batch {first}").getrandbits(128), version=4))
    sent_at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return json.dumps({"batch": batch_id, "device": "bench", "sent_at": sent_at, "items": items}).encode()


def iso(moment: dt.datetime) -> str:
    """A moment as clients write it."""
    return moment.isoformat(timespec="milliseconds")
