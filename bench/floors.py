"""Where the time of a submission goes, part by part, beside the least that each part can cost with the same tools."""

import datetime as dt
import gzip
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import orjson
import zstandard
from lxml import etree
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import func, select

from bench.ingest import ITEMS, Deliveries
from bench.installation import installed
from bench.programme import FORM, workbook
from bench.report import Line, middle
from bench.visits import Visit, visit
from forms.form import NoLists
from forms.indicators.contributing import compile_feeds, contributions_of
from forms.workbooks.workbook import read_workbook
from forms.xforms.answers import answers_of, attachments_named, fingerprint
from forms.xforms.check import check
from forms.xforms.entities import entity_actions
from forms.xforms.instance import Instance, read_instance
from forms.xforms.walk import walk_of
from server.app import create_app
from server.db import session
from server.serve import spare_what_is_loaded
from server.settings import load_settings
from sync.intake.receive import prepare_batch, store_batch
from sync.models import Actor

SAMPLE = 1000
BATCHES = SAMPLE // ITEMS
EXPRESSIONS = 30  # constraints, conditions and calculations of the form


def measure_floors(runs: int) -> list[Line]:
    """Each part in one process and thread, on submissions that it has not met, and what is left of the whole."""
    spent: dict[str, list[float]] = defaultdict(list)
    for number in range(runs + 1):
        read_parts(spent, [visit(number * SAMPLE + place) for place in range(SAMPLE)])
    whole_batches(spent, runs + 1)
    figures = {name: middle(some[1:]) for name, some in spent.items()}  # The first time everything is cold.
    read = figures["reading, checking, working out"]
    known = ("parse and hash", "one walk along it", "the form's rules", "answers, entities, contributions")
    figures["  the rest of that"] = read - sum(figures[name] for name in (*known, "packing the XML"))
    figures["HTTP, JSON, rights, receipts"] = figures.pop("a submission, all in all") - read - figures["filing"]
    order = [
        "reading, checking, working out",
        *(part for name in known for part in (f"  {name}", LEAST.get(name)) if part),
        *("  packing the XML", "  the rest of that", "filing", LEAST["filing"], "HTTP, JSON, rights, receipts"),
    ]
    return [Line(name, figures.get(name, figures.get(name.strip(), 0)), "µs") for name in order]


LEAST = {
    "parse and hash": "    at least: lxml and SHA-256",
    "the form's rules": "    at least: as many compiled XPaths",
    "filing": "  at least: rows into SQLite by the driver, one commit in 200",
}


def read_parts(spent: dict[str, list[float]], visits: Sequence[Visit]) -> None:
    """What is worked out of a submission alone."""
    book = read_workbook(workbook(), f"{FORM}.xlsx")
    feeds = compile_feeds(book.form, book.sheets)
    raws = [one.xml.encode() for one in visits]
    now, tz, lists = dt.datetime.now(dt.UTC), ZoneInfo("Africa/Bamako"), NoLists()
    packer = zstandard.ZstdCompressor(level=1)
    xpaths = [etree.XPath("string(/data/household) >= 0 and string(/data/household) < 80") for _ in range(EXPRESSIONS)]
    instances: list[Instance] = []

    def read() -> None:
        for raw in raws:
            instance = read_instance(raw)
            _ = instance.sha256
            instances.append(instance)

    def derive() -> None:
        for one in instances:
            answers_of(book.form, one)
            fingerprint(book.form, one)
            entity_actions(book.form, one)
            attachments_named(book.form, one)
            contributions_of(feeds, one, recorded_at=now, tz=tz, lists=lists)

    parts: list[tuple[str, Callable[[], object]]] = [
        ("parse and hash", read),
        (
            LEAST["parse and hash"],
            lambda: [(etree.fromstring(r), hashlib.sha256(r).digest()) for r in raws],
        ),
        ("one walk along it", lambda: [walk_of(book.form, one) for one in instances]),
        ("the form's rules", lambda: [check(book.form, one, lists, now, tz) for one in instances]),
        (LEAST["the form's rules"], lambda: [[rule(one.root) for rule in xpaths] for one in instances]),
        ("answers, entities, contributions", derive),
        ("packing the XML", lambda: [packer.compress(raw) for raw in raws]),
        (LEAST["filing"], lambda: bare_rows(visits)),
    ]
    for name, part in parts:
        with timing(spent[name]):
            part()


def whole_batches(spent: dict[str, list[float]], runs: int) -> None:
    """The product's own steps on whole batches, into SQLite: by its functions, then through its front door."""
    deliveries = Deliveries()
    with installed("sqlite") as siby:
        app = create_app(load_settings(siby.environment, siby.folder))
        spare_what_is_loaded()
        client, project = app.test_client(), int(siby.project)
        headers = {"Authorization": f"Bearer {siby.token}", "Content-Encoding": "gzip"}
        path = f"/v1/projects/{project}/batches"

        for _ in range(runs):
            now = dt.datetime.now(dt.UTC)
            batches = [json.loads(gzip.decompress(body)) | {"sent_at": now} for body in deliveries.make(BATCHES)]
            with app.app_context():
                actor = session().scalars(select(func.max(Actor.id))).one()
                for batch in batches:
                    with timing(spent["reading, checking, working out"], ITEMS):
                        prepared = prepare_batch(session(), project, batch, b"", now)
                    with timing(spent["filing"], ITEMS):
                        store_batch(session(), prepared, actor, now)
                        session().commit()
            bodies = deliveries.make(BATCHES)
            with timing(spent["a submission, all in all"]):
                for body in bodies:
                    answer = client.post(path, data=body, content_type="application/json", headers=headers)
                    if answer.status_code != 200:
                        raise RuntimeError(f"The batch was answered {answer.status_code}.")


@contextmanager
def timing(spent: list[float], submissions: int = SAMPLE) -> Iterator[None]:
    """Adds the microseconds of processor time for each of so many submissions."""
    began = time.process_time()
    yield
    spent.append((time.process_time() - began) / submissions * 1_000_000)


def bare_rows(visits: Sequence[Visit]) -> None:
    """One row with the XML, one with its answers, five contributions and an event each, by the driver alone."""
    connection = sqlite.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE versions (p, f, i, x, a, PRIMARY KEY (p, f, i)) WITHOUT ROWID")
    connection.execute("CREATE TABLE parts (p, s, o, i, n, v, PRIMARY KEY (p, s, o, i, n)) WITHOUT ROWID")
    for first in range(0, len(visits), 200):
        some = visits[first : first + 200]
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO versions VALUES (1, 'f', ?, ?, ?)",
            [(one.instance_id, one.xml, orjson.dumps({"recorded_at": one.recorded_at})) for one in some],
        )
        connection.executemany(
            "INSERT INTO parts VALUES (1, ?, 1, ?, 0, 5)",
            [(first + number, part) for number in range(len(some)) for part in range(7)],
        )
        connection.execute("COMMIT")
    connection.close()
