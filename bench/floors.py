"""Where the time of a submission goes, part by part, beside the least that each part can cost with the same tools."""

import datetime as dt
import hashlib
import time
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import orjson
import zstandard
from lxml import etree
from pysqlite3 import dbapi2 as sqlite

from bench.programme import FORM, workbook
from bench.report import Line, middle
from bench.visits import Visit, visit
from forms.form import NoLists
from forms.indicators.contributing import compile_feeds, contributions_of
from forms.workbooks.workbook import read_workbook
from forms.xforms.answers import answers_of, fingerprint
from forms.xforms.check import check
from forms.xforms.entities import entity_actions
from forms.xforms.instance import read_instance

SAMPLE = 1000
EXPRESSIONS = 30  # constraints, conditions and calculations of the form


def measure_floors(runs: int) -> list[Line]:
    """Each part alone, in one process, on the same submissions."""
    book = read_workbook(workbook(), f"{FORM}.xlsx")
    feeds = compile_feeds(book.form, book.sheets)
    visits = [visit(number) for number in range(SAMPLE)]
    raws = [one.xml.encode() for one in visits]
    instances = [read_instance(raw) for raw in raws]
    now, tz, lists = dt.datetime.now(dt.UTC), ZoneInfo("Africa/Bamako"), NoLists()
    packer = zstandard.ZstdCompressor(level=3)
    xpaths = [etree.XPath("string(/data/household) >= 0 and string(/data/household) < 80") for _ in range(EXPRESSIONS)]

    def derive() -> None:
        for one in instances:
            answers_of(book.form, one)
            fingerprint(book.form, one)
            entity_actions(book.form, one)
            contributions_of(feeds, one, recorded_at=now, tz=tz, lists=lists)

    parts: list[tuple[str, Callable[[], object]]] = [
        ("parse, hash, canonical hash", lambda: [read_instance(raw) for raw in raws]),
        ("  at least: lxml and SHA-256", lambda: [(etree.fromstring(r), hashlib.sha256(r).digest()) for r in raws]),
        ("the form's rules", lambda: [check(book.form, one, lists, now, tz) for one in instances]),
        ("  at least: as many compiled XPaths", lambda: [[rule(one.root) for rule in xpaths] for one in instances]),
        ("answers, entities, contributions", derive),
        ("packing the XML", lambda: [packer.compress(raw) for raw in raws]),
        ("  at least: rows into SQLite, one commit in 200", lambda: bare_rows(visits)),
    ]
    return [Line(name, middle([timed(part) for _ in range(runs)]), "µs") for name, part in parts]


def timed(part: Callable[[], object]) -> float:
    """Microseconds of processor time for each submission of the sample."""
    began = time.process_time()
    part()
    return (time.process_time() - began) / SAMPLE * 1_000_000


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
