"""Turns drafts of visits into what tablets hold: people registered or picked, slips and edits, second saves."""

from __future__ import annotations

import copy
import datetime as dt
import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from demo.names import Person, hour_of
from demo.pictures import picture
from demo.visits import Answers, Attachment, Visit

VERSION = "2025040102"
OLD_VERSION = "2025030101"
_VERSIONS = {
    "sales_contract": "2025040101",
    "volunteer_mandate": "2025040103",
    "malnutrition_screening": "2025040105",
    "health_centre_profile": "2025040103",
}
ENUMERATORS = ("Amina Koné", "Baraka Traoré", "Coumba Sissoko", "Drissa Togola", "Founé Samaké", "Oumar Goïta")


@dataclass(slots=True)
class Register:
    """Whom the enumerators have registered so far."""

    known: set[str] = field(default_factory=set)

    def identify(self, person: Person) -> Answers:
        """The questions on who this is: picked from the list, or registered at the first meeting."""
        if person.id in self.known:
            return {"registered": "yes", "person": person.id, "sex": person.sex}
        self.known.add(person.id)
        told = {"birth_year": person.birth_year, "age_guess": person.age_guess, "phone": person.phone}
        return {
            "registered": "no",
            "first_name": person.first_name,
            "last_name": person.last_name,
            "sex": person.sex,
            **{key: value for key, value in told.items() if value is not None},
            "new_person": person.id,
        }


Fill = Callable[[Register], Answers]
Slip = Callable[[Answers], None]


@dataclass(frozen=True, slots=True)
class Draft:
    """A visit that will be made. `fill` writes the answers when its turn has come.

    `slip` spoils a copy of them: that is what was saved first, and an edit put it right later.
    """

    at: dt.datetime
    tablet: int
    form: str
    fill: Fill
    slip: Slip | None = None
    saved_twice: bool = False
    photo: tuple[str, ...] = ()  # where in the answers a photo is named
    version: str | None = None  # the newest that there is of the form, unless it says another


@dataclass(slots=True)
class Diary:
    """The visits as they come about, and the instance ids of those in which something went wrong."""

    rng: random.Random
    visits: list[Visit] = field(default_factory=list)
    troubles: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def write(self, drafts: Iterable[Draft]) -> None:
        """In the order of time, so that nobody is picked from a list before having been registered."""
        register = Register()
        for draft in sorted(drafts, key=lambda draft: draft.at):
            self._make(draft, draft.fill(register))
        self.visits.sort(key=lambda visit: visit.recorded_at)

    def instance_id(self) -> str:
        return f"uuid:{uuid.UUID(int=self.rng.getrandbits(128), version=4)}"

    def correct(self, visit: Visit, answers: Answers, days: int) -> Visit:
        """An edit of a visit, made some days later on the same tablet."""
        day = visit.recorded_at.date() + dt.timedelta(days=days)
        edit = Visit(
            visit.tablet,
            visit.form,
            visit.version,
            self.instance_id(),
            answers,
            hour_of(self.rng, day),
            edits=visit.instance_id,
            attachments=visit.attachments,
        )
        self.visits.append(edit)
        return edit

    def _make(self, draft: Draft, answers: Answers) -> None:
        photos = (self._photo(answers, draft),) if draft.photo else ()
        first = copy.deepcopy(answers)
        if draft.slip:
            draft.slip(first)
        version = draft.version or _VERSIONS.get(draft.form, VERSION)
        visit = Visit(draft.tablet, draft.form, version, self.instance_id(), first, draft.at, attachments=photos)
        self.visits.append(visit)
        if draft.slip:
            self.troubles["edit"].append(self.correct(visit, answers, self.rng.randint(1, 20)).instance_id)
        if draft.saved_twice:
            self._save_again(visit)
        if draft.version == OLD_VERSION:
            self.troubles["old_version"].append(visit.instance_id)

    def _save_again(self, visit: Visit) -> None:
        later = visit.recorded_at + dt.timedelta(minutes=self.rng.randint(1, 300))
        copied = Visit(
            visit.tablet,
            visit.form,
            visit.version,
            self.instance_id(),
            copy.deepcopy(dict(visit.answers)),
            later,
            attachments=visit.attachments,
        )
        self.visits.append(copied)
        self.troubles["double_save"].append(copied.instance_id)

    def _photo(self, answers: Answers, draft: Draft) -> Attachment:
        place = draft.photo
        content = picture(self.rng, place[-1], draft.at)
        photo = Attachment(f"{self.rng.randint(10**12, 10**13)}.jpg", content, "image/jpeg")
        group = answers
        for step in place[:-1]:
            group = group.setdefault(step, {})
        group[place[-1]] = photo.name
        return photo


def visit_block(rng: random.Random, day: dt.date, **more: object) -> Answers:
    return {"enumerator": rng.choice(ENUMERATORS), "visit_date": day.isoformat(), **more}
