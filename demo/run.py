"""The demo from an empty folder to the printed statement, with the real server in between."""

from __future__ import annotations

import datetime as dt
import signal
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from types import FrameType

from demo import population, report
from demo.coordinator import decide_top, decided
from demo.fieldwork import Fieldwork, Stopped, rounds_of
from demo.installation import FolderInUse, Installation, first_versions
from demo.reading import Reader, differences, outside
from demo.screen import Screen
from demo.serving import ServerFailed, Serving, end_leftover, free_port
from demo.tablets import LoginNeeded, Record, ServerFull
from demo.visits import Year
from forms.programmes.programme import Programme, files_of, read_programme

_WATCH_SECONDS = 0.5
# How long after the last visit of a month the tablets come by a network, those of the first week and of the second.
_WEEKS = (dt.timedelta(days=2), dt.timedelta(days=9))
_OPENED = dt.datetime(2025, 2, 3, 8, tzinfo=dt.UTC)  # before the first visit
_CLOSED = dt.timedelta(days=12)  # after the last visit, everything comes in
_LEFT = 12  # pairs of which figures hang: for whoever looks at the demo to decide
_SOME = 200  # decisions: what they have brought is shown


def run(chosen: Namespace) -> int:
    """0 if every figure came out true and nothing was lost, 1 if not, 2 if it could not run, 130 if ended early."""
    screen = Screen()
    signal.signal(signal.SIGINT, _as_interrupt)  # also where a shell has begun it in the background, deaf to it
    signal.signal(signal.SIGTERM, _as_interrupt)
    signal.signal(signal.SIGHUP, _as_interrupt)
    try:
        return _run(chosen, screen)
    except (KeyboardInterrupt, Stopped):
        screen.say("\nEnded. Start it again in the same folder, and it goes on.")
        return 130
    except FolderInUse:
        screen.say(f"Another demo is running in {chosen.folder}; end it, or choose another folder with --folder.")
    except ServerFailed as error:
        screen.say(str(error))
    except (ServerFull, LoginNeeded) as error:
        screen.say(f"The tablets could not send: {type(error).__name__}.")
    return 2


def _run(chosen: Namespace, screen: Screen) -> int:
    began = time.monotonic()
    with _installed(chosen.folder) as installation:
        if end_leftover(chosen.folder):
            screen.say("Ended a server that an earlier demo had left running.")
        screen.say(f"Setting up in {chosen.folder}/: database, programme, {population.TABLETS} tablets.")
        installation.prepare()
        installation.let_it_be(_OPENED)
        port = free_port(chosen.port)
        if port != chosen.port:
            screen.say(f"Port {chosen.port} is taken; using {port}.")
        with _serving(installation, port) as serving:
            screen.say(f"The server runs at {serving.address}. Loading the programme, and drawing a year of visits.")
            # While it gets up.
            programme = read_programme(files_of(Path(str(files("forms") / "definitions"))))
            project = installation.load(first_versions(programme)).project_id
            tokens = installation.tablet_tokens(project, population.TABLETS)
            year = population.make(chosen.seed)
            serving.wait_for_answer()
            field = Fieldwork(project, port, tokens, chosen.seed, chosen.fast)
            lost = _Year(field, year, programme, installation, serving, screen).pass_by()
            reader = Reader(port, installation.reader_token("api"), project)
            naive = population.naive(field.arrived)
            people, wrong = _count_people_once(reader, year, naive, screen)
            marks = report.Marks()
            screen.say(report.statements(reader, population.PERIOD, marks))
            screen.say(report.figures(marks, naive, serving.address, project, population.PERIOD, reader))
            screen.say(people)
            screen.say(report.journey(field, year, reader))
            screen.say(report.verdict(lost, wrong, field))
            screen.say(f"It took {time.monotonic() - began:.0f} seconds.")
            if not chosen.no_wait:
                _keep_serving(installation, serving, reader, project, screen)
    return 1 if lost or wrong else 0


def _count_people_once(
    reader: Reader, year: Year, naive: Mapping[str, Decimal], screen: Screen
) -> tuple[str, list[str]]:
    """What the figures say before anybody has decided who is who, and after; and a sentence for each that is not true
    at one of these times."""
    if not decided(reader).pairs:
        screen.progress("learning how people are told apart")
        reader.post("datasets/people/train", {})
    decide_top(reader, year.doubles, _LEFT, lambda done: screen.progress(f"pairs decided: {done}"))
    taken = decided(reader)
    # As of then, and not measured in between: so an ended demo that is started again still says what there was before.
    moments = {"before any decision": taken.as_of(0), f"after {_SOME} of them": taken.as_of(_SOME), "after all": None}
    said = {moment: reader.figures(year.truth, population.PERIOD, as_of) for moment, as_of in moments.items()}
    wrong = [found for moment, as_of in moments.items() for found in outside(said[moment], year.truth, as_of)]
    wrong += differences(reader, said["after all"], year.truth, population.PERIOD)
    return report.people(year, naive, said, taken), wrong


class _Year:
    """The year passing by: tablets collect and send, somebody publishes forms, and killed servers are started again."""

    def __init__(
        self,
        field: Fieldwork,
        year: Year,
        programme: Programme,
        installation: Installation,
        serving: Serving,
        screen: Screen,
    ) -> None:
        self._field, self._year, self._programme = field, year, programme
        self._installation, self._serving, self._screen = installation, serving, screen
        self._stage = ""

    def pass_by(self) -> list[Record]:
        """Gives the records that were lost on the way."""
        early = {book.form.form_id: book.form.version for book in first_versions(self._programme).workbooks}
        parts, contradicting = rounds_of(self._year.visits, early)
        for number, visits in enumerate(parts):
            self._stage = f"sending, {number + 1} of {len(parts) + 1}"
            self._field.collect(visits)
            for tablets, later in zip(self._field.weeks, _WEEKS, strict=True):
                self._installation.let_it_be(visits[-1].recorded_at + later)
                self._field.sync(self._look, tablets)
            if number == 0:
                self._publish()
        self._stage = f"sending, {len(parts) + 1} of {len(parts) + 1}"
        self._installation.let_it_be(self._year.visits[-1].recorded_at + _CLOSED)
        self._field.come_in()
        self._field.sync_all(self._look)
        self._field.come_in(contradicting)
        self._field.sync_all(self._look)
        self._stage = "looking for losses"
        return self._field.look_for_losses(self._look)

    def _publish(self) -> None:
        done = self._installation.load(self._programme)
        if done.published:
            self._screen.say(f"Published {', '.join(done.published)}; what had come in of it already is filed now.")

    def _look(self) -> None:
        if self._serving.revive():
            self._screen.say("The server had been killed; it runs again, and the tablets go on.")
        traffic = self._field.traffic.counts
        broken = traffic["cut_before"] + traffic["cut_after"] + traffic["unheard"] + traffic["broken"]
        self._screen.progress(
            f"{self._stage}: {self._field.acknowledged:,} of {len(self._year.visits):,} visits acknowledged, "
            f"{traffic['requests']:,} requests, {broken:,} of them broken off"
        )


def _keep_serving(installation: Installation, serving: Serving, reader: Reader, project: int, screen: Screen) -> None:
    """Until Ctrl-C, which is how this is meant to end."""
    link = installation.reader_token("link")
    screen.say(
        report.where_to_look(reader, serving.address, project, population.PERIOD, link, installation.reader_password())
    )
    try:
        while True:
            time.sleep(_WATCH_SECONDS)
            if serving.revive():
                screen.say("The server had been killed; it runs again.")
    except KeyboardInterrupt:
        screen.say("\nThe server is stopped.")


@contextmanager
def _installed(folder: Path) -> Iterator[Installation]:
    installation = Installation(folder)
    try:
        yield installation
    finally:
        installation.close()


@contextmanager
def _serving(installation: Installation, port: int) -> Iterator[Serving]:
    serving = Serving(installation.folder, installation.environment, port)
    try:
        serving.begin()
        yield serving
    finally:
        serving.stop()


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
