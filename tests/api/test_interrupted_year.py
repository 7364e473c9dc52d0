"""A part of the demo's year, sent to a server that is killed again and again, ends like one that was sent in peace."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from demo import population
from demo.coordinator import decide_top, decided
from demo.fieldwork import Fieldwork, rounds_of
from demo.installation import Installation
from demo.names import SHEA_AREAS
from demo.reading import Reader
from demo.serving import Serving
from demo.visits import Visit, Year
from forms.programmes.programme import files_of, read_programme
from tests.api.test_crash import a_free_port

DEFINITIONS = Path(__file__).parents[2] / "forms" / "definitions"
TABLETS = 10  # the fewest among which the demo's troubles can be dealt out
KILLS = 4


@dataclass(frozen=True, slots=True)
class House:
    """An installation in which tablets have sent, with its running server. `lost` is what did not arrive, `broken` how
    many requests met no server."""

    serving: Serving
    reader: Reader
    lost: list[str]
    broken: int


def test_a_server_killed_while_tablets_send_ends_as_in_peace_and_a_coordinator_makes_the_count_of_people_exact(
    tmp_path: Path,
) -> None:
    year = population.make(7)
    visits = of_one_commune(year)
    people = trained(visits)
    true = len({year.doubles.person(entity) for entity in people})
    assert true < len(people)

    with sent(visits, tmp_path / "killed", kills=KILLS) as killed, sent(visits, tmp_path / "peace", kills=0) as peace:
        assert killed.broken > peace.broken == 0
        assert killed.lost == peace.lost == []
        assert figures(killed.reader) == figures(peace.reader)
        assert open_pairs(killed.reader) == open_pairs(peace.reader) != {}

        killed.reader.post("datasets/people/train", {})
        low, value, high = people_trained(killed.reader)
        decide_top(killed.reader, year.doubles, left=2)
        assert len(hanging(killed.reader)) == 2
        fewest, counted, most = people_trained(killed.reader)
        assert low <= fewest <= true == counted <= most <= high
        assert fewest < most
        decide_top(killed.reader, year.doubles)
        taken = decided(killed.reader)

        assert low < value < high
        assert low <= true <= high
        assert people_trained(killed.reader) == (true, true, true)
        assert people_trained(killed.reader, taken.as_of(0)) == (low, value, high)
        assert taken.pairs == len(taken.events)
        assert taken.as_of(taken.pairs) is None


def of_one_commune(year: Year) -> list[Visit]:
    """The trainings in one commune, and the first visits there to those who are trained, which register them."""
    here = [visit for visit in year.visits if visit.tablet in SHEA_AREAS[0].tablets]
    sessions = [visit for visit in here if visit.form == "training_session"]
    first = {entity_of(visit.answers["who"]): visit for visit in reversed(here) if visit.form == "shea_income"}
    chosen = [*sessions, *(first[entity] for entity in trained(sessions) & first.keys())]
    chosen.sort(key=lambda visit: (visit.recorded_at, visit.instance_id))
    return [replace(visit, tablet=visit.tablet % TABLETS) for visit in chosen]


def trained(visits: Sequence[Visit]) -> set[str]:
    """The entities of those who followed a whole training of the community."""
    return {
        entity_of(row)
        for visit in visits
        if visit.form == "training_session" and visit.answers["session"]["audience"] == "community"
        for row in visit.answers["attendance"]
        if row["presence"] == "whole"
    }


def entity_of(answers: Mapping[str, Any]) -> str:
    return str(answers["person"] if answers["registered"] == "yes" else answers["new_person"])


@contextmanager
def sent(visits: Sequence[Visit], folder: Path, *, kills: int) -> Iterator[House]:
    """The house after the tablets have sent all of it, over the demo's links."""
    installation = Installation(folder)
    installation.prepare()
    project = installation.load(read_programme(files_of(DEFINITIONS))).project_id
    tokens = installation.tablet_tokens(project, TABLETS)
    serving = Serving(folder, installation.environment, a_free_port())
    reader = Reader(serving.port, installation.reader_token("api"), project)
    field = Fieldwork(project, serving.port, tokens, 7)
    try:
        serving.start()
        with ThreadPoolExecutor() as pool:
            power = pool.submit(cut, serving, kills)
            send(visits, field)
            power.result()
        assert field.sync_all(do_nothing)
        lost = [record.instance_id for record in field.look_for_losses(do_nothing)]
        yield House(serving, reader, lost, field.traffic.counts["broken"])
    finally:
        serving.kill()  # quicker than asking
        serving.stop()
        installation.close()


def send(visits: Sequence[Visit], field: Fieldwork) -> None:
    parts, contradicting = rounds_of(visits, {})
    for part in parts:
        field.collect(part)
        field.sync(do_nothing)
    field.come_in(contradicting)


def cut(serving: Serving, times: int) -> None:
    """The power fails, and comes back."""
    chance = random.Random("power cuts")
    for _ in range(times):
        time.sleep(chance.uniform(0.05, 0.5))
        serving.kill()
        serving.revive()


def do_nothing() -> None: ...


def figures(reader: Reader) -> dict[str, Any]:
    """Every figure with its range, by each of its breakdowns."""
    return {
        f"{row['name']} by {way}": sorted(
            str((one["by"], one["value"], one["low"], one["high"], one["n"], one.get("items")))
            for one in reader.get("figures", indicator=row["name"], **({"by": way} if way else {}))["figures"]
        )
        for row in reader.get("indicators")["indicators"]
        for way in ["", *(way["name"] for way in row["breakdowns"])]
    }


def people_trained(reader: Reader, as_of: str | None = None) -> tuple[int, int, int]:
    found = reader.figure("people_trained", "all", as_of)
    return int(found["low"]), int(found["value"]), int(found["high"])


def hanging(reader: Reader) -> list[Mapping[str, Any]]:
    pairs = reader.pages("matches", "matches", list="people", state="open", limit="200")
    return [pair for pair in pairs if pair["effect"]]


def open_pairs(reader: Reader) -> dict[tuple[str, str], float]:
    pairs = reader.pages("matches", "matches", list="people", state="open", limit="200")
    return {(pair["a"]["id"], pair["b"]["id"]): pair["probability"] for pair in pairs}
