"""People, places and dates to draw from. Everybody here is invented."""

from __future__ import annotations

import csv
import datetime as dt
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WOMEN = _words(
    "Adama Aïchata Aïssata Aminata Assa Assétou Astan Awa Batoma Bintou Coumba Dado Diahara Djénéba Djélika Fanta "
    "Fatoumata Filifing Founé Habibatou Hawa Inna Kadiatou Kadidia Kama Kankou Kani Korotoumou Lalla Maïmouna "
    "Mama Mariam Massaran Minata Mah Nana Nagnouma Nassira Niélé Nènè Oumou Penda Rokia Rokiatou Safiatou "
    "Salimata Sanaba Sali Saran Sira Sitan Tata Tenin Tènè Wassa Yah Yaye Ya Zenabou Ramatou"
)
MEN = _words(
    "Abdoulaye Adama Alassane Amadou Ba Bakary Boubacar Bréhima Cheick Daouda Djibril Dramane Drissa Fousseyni "
    "Gaoussou Hamidou Ibrahima Idrissa Issa Kassim Lassana Lamine Madou Mahamadou Mamadou Mady Moctar Modibo "
    "Moussa Nouhoum Oumar Ousmane Salif Sambou Sékou Seydou Sidiki Siaka Soumaïla Souleymane Tiémoko Yacouba Yaya "
    "Youssouf Zan Zoumana"
)
FAMILIES = _words(
    "Bagayoko Ballo Bah Berthé Bouaré Camara Cissé Coulibaly Dao Dembélé Diabaté Diakité Diallo Diarra Diawara "
    "Djiré Doumbia Fané Fofana Goïta Kanouté Kanté Keïta Konaté Kondo Koné Kouyaté Maïga Malé Mariko Niaré "
    "Ouattara Sacko Samaké Sanogo Sangaré Sidibé Simpara Sissoko Sogoba Soumaré Sylla Tangara Tounkara Touré "
    "Traoré Togola Yattara"
)
ABROAD = {
    "Canada": (("Camille", "Élise", "Geneviève", "Hélène", "Isabelle", "Julie", "Maude", "Noémie", "Sophie", "Valérie"),
               ("Alexandre", "Étienne", "Guillaume", "Hugo", "Marc", "Mathieu", "Olivier", "Philippe", "Simon", "Yves"),
               ("Beaulieu", "Bouchard", "Caron", "Fortin", "Gagnon", "Lavoie", "Morin", "Ouellet", "Pelletier", "Roy")),
    "Sénégal": (("Aby", "Khady", "Ndèye", "Sokhna"), ("Babacar", "Mor", "Ngagne", "Pape"),
                ("Diop", "Faye", "Ndiaye", "Sarr", "Seck", "Thiam")),
    "Mali": (WOMEN, MEN, FAMILIES),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Area:
    """A commune in which a team works, with its villages and the tablets of the team."""

    region: str
    cercle: str
    commune: str
    villages: tuple[str, ...]
    tablets: tuple[int, ...]

    def answers(self, village: str | None = None) -> dict[str, str]:
        found = {"region": self.region, "cercle": self.cercle, "commune": self.commune}
        return found | {"village": village} if village else found


_RICE = (
    ("ML-4", "ML-4-NIONO", "NIONO", "Niono Nango Ténégué Werekéla Sagnona Médina-Coura"),
    ("ML-4", "ML-4-NIONO", "SIRIBALA", "Siribala Banisiraïla Djébougou Farabougou"),
    ("ML-4", "ML-4-SEGOU", "MARKALA", "Markala Kirango Diamarabougou Thio Wouloumana"),
    ("ML-4", "ML-4-SEGOU", "DIORO", "Dioro Koïla Babougou Nonongo Sama"),
    ("ML-4", "ML-4-MACINA", "KOLONGO", "Kolongotomo Sansanding-Coura Tongolo Oula"),
    ("ML-3", "ML-3-SIKASSO", "SIKASSO", "Médine Wayerma Sanoubougou Hamdallaye Bougoula-Ville"),
)
_SHEA = (
    ("ML-2", "ML-2-KATI", "SIBY", "Siby Guéna Kakala Kalassa Tabou Téguékoro Nana-Kéniéba"),
    ("ML-2", "ML-2-KATI", "MANDE", "Djoliba Samanyana Koursalé Kirina Nafadji"),
    ("ML-2", "ML-2-KATI", "BANCOUMANA", "Bancoumana Kollé Niagué Djissoumana"),
    ("ML-2", "ML-2-KANGABA", "NARENA", "Naréna Balansan Kourémalé Samaya"),
    ("ML-2", "ML-2-DIOILA", "KALADOUGOU", "Dioïla Diandiola Kola Wolodo"),
    ("ML-3", "ML-3-BOUGOUNI", "BOUGOUNI", "Bougouni Sola Kola-Ouest Djinékoro"),
)


def _areas(rows: Sequence[tuple[str, str, str, str]], first_tablet: int) -> tuple[Area, ...]:
    return tuple(
        Area(region, cercle, f"{cercle}-{commune}", tuple(villages.split()), tuple(range(start, start + 5)))
        for start, (region, cercle, commune, villages) in zip(range(first_tablet, 60, 5), rows, strict=False)
    )


RICE_AREAS = _areas(_RICE, 0)
SHEA_AREAS = _areas(_SHEA, 30)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A partner organisation as `lists/organisations.csv` of the programme has it."""

    id: str
    name: str
    kind: str
    region: str
    cercle: str
    commune: str
    village: str

    def place(self) -> dict[str, str]:
        return {"region": self.region, "cercle": self.cercle, "commune": self.commune}


@cache
def _positions() -> dict[str, tuple[float, float]]:
    """Where each place is, as far as `places.csv` of the programme knows; else where what it lies in is."""
    found: dict[str, tuple[float, float]] = {}
    with (files("forms") / "definitions" / "places.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["code"]] = (
                (float(row["latitude"]), float(row["longitude"])) if row["latitude"] else found[row["parent"]]
            )
    return found


def position(commune: str, village: str) -> list[float]:
    """Where a tablet says that it is in this village: some way from the town, and never to the metre."""
    rng = random.Random(f"{commune} {village}")
    north, east = _positions()[commune]
    return [round(north + rng.uniform(-0.12, 0.12), 6), round(east + rng.uniform(-0.12, 0.12), 6), 340.0, 6.0]


def organisations() -> list[Organisation]:
    """The partner organisations of the programme folder, in the order of the file."""
    path = files("forms") / "definitions" / "lists" / "organisations.csv"
    with path.open(encoding="utf-8") as file:
        return [
            Organisation(
                row["name"],
                row["name_full"],
                row["kind"],
                row["region"],
                row["cercle"],
                row["commune"],
                row["village"],
            )
            for row in csv.DictReader(file)
        ]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the population. `area` is None for those who live outside the places of the programme."""

    id: str
    first_name: str
    last_name: str
    sex: str
    birth_year: int | None
    phone: str | None
    village: str
    area: Area | None
    age_guess: int | None = None  # of those whose year of birth nobody knows


@dataclass(slots=True)
class Crowd:
    """Draws people, never two of one name in one commune, so that nobody could be taken for somebody else."""

    rng: random.Random
    taken: set[tuple[str, str, str]] = field(default_factory=set)

    def person(self, sex: str, area: Area) -> Person:
        first, last = self._name(WOMEN if sex == "female" else MEN, FAMILIES, area.commune)
        year = self.rng.randint(1955, 2006)
        phone = f"{self.rng.choice('679')}{self.rng.randint(1_000_000, 9_999_999)}" if self.rng.random() < 0.7 else None
        return Person(self.id(), first, last, sex, year, phone, self.rng.choice(area.villages), area)

    def people(self, count: int, sex: str, areas: Sequence[Area]) -> list[Person]:
        """Spread evenly over the areas."""
        return [self.person(sex, areas[index % len(areas)]) for index in range(count)]

    def volunteer(self, sex: str) -> Person:
        country = self.rng.choices(tuple(ABROAD), (6, 2, 2))[0]
        women, men, families = ABROAD[country]
        first, last = self._name(women if sex == "female" else men, families, country)
        return Person(self.id(), first, last, sex, self.rng.randint(1958, 2001), None, country, None)

    def names(self, person: Person) -> bool:
        """Take the name of somebody who was not drawn; False if another in the commune has it."""
        name = (person.first_name, person.last_name, person.area.commune if person.area else person.village)
        if name in self.taken:
            return False
        self.taken.add(name)
        return True

    def id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def _name(self, firsts: Sequence[str], lasts: Sequence[str], around: str) -> tuple[str, str]:
        while True:
            name = (self.rng.choice(firsts), self.rng.choice(lasts))
            if (*name, around) not in self.taken:
                self.taken.add((*name, around))
                return name


def day_between(rng: random.Random, first: dt.date, last: dt.date) -> dt.date:
    return first + dt.timedelta(days=rng.randint(0, (last - first).days))


def hour_of(rng: random.Random, day: dt.date) -> dt.datetime:
    """A moment of that day's work."""
    seconds = rng.randint(0, 9 * 3600)
    return dt.datetime.combine(day, dt.time(8), dt.UTC) + dt.timedelta(seconds=seconds)
