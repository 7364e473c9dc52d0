"""Exports of a large form: processor time of a row, memory at the highest, first byte, others who write meanwhile."""

import csv
import http.client
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, String, bindparam, cast, func, insert, literal, select, update
from sqlalchemy import Table as SqlTable
from sqlalchemy.orm import Session

from bench.ingest import ITEMS, Deliveries, require_stored, send_all
from bench.installation import Installation
from bench.programme import FORM
from bench.report import Line, middle
from sync.models import Project, Submission, SubmissionVersion
from sync.models.database import begin_writing, open_engine

SUBMISSIONS = 250_000
SENT = 5_000  # through the front door; the rest are copies of their rows
_PIECE = 1 << 16
# Format, most milliseconds of processor time for a row.
FORMATS: tuple[tuple[str, float | None], ...] = (
    ("csv.zip", 0.1),
    ("csv", 0.1),
    ("jsonl", None),
    ("geojson", None),
    ("xlsx", None),
    ("sav", None),
)


@dataclass(frozen=True)
class Taken:
    """One export as its client saw it, and what it cost."""

    rows: int
    body: Path
    first: float  # seconds to the first byte
    seconds: float
    cpu: float  # of server and database
    memory: float  # megabytes of the largest server process at the highest


def measure_exports(installation: Installation, deliveries: Deliveries, submissions: int, runs: int) -> list[Line]:
    """All formats of so many submissions, then the first once more while four devices send."""
    fill_up(installation, deliveries, submissions)
    lines = []
    for kind, most in FORMATS:
        taken = [take(installation, kind) for _ in range(runs if most else 1)]
        per_row = middle([one.cpu / one.rows for one in taken]) * 1000
        lines += [
            Line(f"{kind}: processor time of a row, {submissions:,} rows", per_row, "ms", most=most),
            Line("… to the first byte", middle([one.first for one in taken]), "s"),
            Line("… to the last", middle([one.seconds for one in taken]), "s"),
            Line("… largest server process", max(one.memory for one in taken), "MB", most=300),
        ]
    return [*lines, *while_others_write(installation, deliveries)]


def while_others_write(installation: Installation, deliveries: Deliveries) -> list[Line]:
    """A CSV archive while a device sends: it has every row that was there when it began, and each once."""
    sent = deliveries.make(20)
    device = threading.Thread(target=lambda: [require_stored(installation.send(body, 7)) for body in sent])
    device.start()
    taken = take(installation, "csv.zip")
    device.join()
    keys = [row["KEY"] for row in read_rows(taken.body)]
    whole = float(len(keys) == len(set(keys)) == taken.rows)
    return [
        Line(f"csv.zip while {len(sent) * ITEMS:,} arrive: whole, each row once", whole, "", least=1),
        Line("… largest server process", taken.memory, "MB", most=300),
    ]


def read_rows(archive: Path) -> Iterator[dict[str, str]]:
    """The submissions in an archive."""
    with zipfile.ZipFile(archive) as opened, opened.open(f"{FORM}.csv") as file:
        yield from csv.DictReader(io.TextIOWrapper(file, "utf-8", newline=""))


def take(installation: Installation, kind: str) -> Taken:
    """Ask for an export that nobody has asked for yet, again while it is being made, and read it to the end."""
    installation.nonce += 1
    path = f"/v1/projects/{installation.project}/forms/{FORM}/submissions.{kind}"
    query = f"?limit={10**6 + installation.nonce}" + ("&attachments=false" if kind == "csv.zip" else "")
    target = installation.folder / f"export.{kind}"
    before, began = sum(installation.cpu()), time.perf_counter()
    with watched(installation) as peak, target.open("wb") as file:
        while True:
            # The server does not keep one open for as long as a large workbook may take.
            connection = http.client.HTTPConnection("127.0.0.1", installation.port, timeout=3600)
            connection.request("GET", path + query, headers={"Authorization": f"Bearer {installation.token}"})
            answer = connection.getresponse()
            if answer.status != 503:
                break
            connection.close()
            time.sleep(int(answer.headers["Retry-After"]))
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {answer.read()[:500]!r}")
        file.write(answer.read(1))
        first = time.perf_counter() - began
        while piece := answer.read(_PIECE):
            file.write(piece)
    seconds = time.perf_counter() - began
    connection.close()
    rows = int(answer.headers["X-Total-Rows"])
    return Taken(rows, target, first, seconds, sum(installation.cpu()) - before, max(peak))


@contextmanager
def watched(installation: Installation) -> Iterator[list[float]]:
    """The memory of the largest server process, looked at five times a second."""
    seen, stop = [installation.memory()], threading.Event()

    def look() -> None:
        while not stop.wait(0.2):
            seen.append(installation.memory())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


def fill_up(installation: Installation, deliveries: Deliveries, submissions: int) -> None:
    """Stores so many submissions in all: some thousands as devices send them, the others as copies of their rows."""
    while deliveries.next < SENT:
        send_all(installation, deliveries.make(min(25, -(-(SENT - deliveries.next) // ITEMS))))
    engine = open_engine(installation.database_url)
    copy = 0
    while True:
        with Session(engine) as session:
            connection = begin_writing(session)  # the server writes now and then, and would be in the way else
            stored = connection.scalar(select(func.count()).select_from(Submission)) or 0
            if stored >= submissions:
                break
            copy += 1
            copy_rows(connection, copy, min(SENT, submissions - stored))
            session.commit()
    engine.dispose()


def copy_rows(connection: Connection, copy: int, count: int) -> None:
    """Copies of the first submissions under other ids."""
    last = connection.scalar(select(func.max(Project.last_id))) or 0
    first = select(Submission.id).where(Submission.instance_id.not_like("%+%")).order_by(Submission.id).limit(count)
    ids = [row.id for row in connection.execute(first)]
    connection.execute(update(Project).values(last_id=Project.last_id + ids[-1] - ids[0] + 1))
    shift, ending = last - ids[0] + 1, f"+{copy}"
    for table, key in ((Submission.__table__, "id"), (SubmissionVersion.__table__, "submission_id")):
        assert isinstance(table, SqlTable)
        changed = {key: table.c[key] + shift}
        for name in ("instance_id", "current_instance_id"):
            if name in table.c:
                changed[name] = table.c[name].concat(cast(literal(ending), String()))
        chosen = [changed.get(column.name, column) for column in table.c]
        rows = select(*chosen).where(table.c[key].between(bindparam("low"), bindparam("high")))
        rows = rows.where(table.c["instance_id"].not_like("%+%"))
        connection.execute(insert(table).from_select(list(table.c.keys()), rows), {"low": ids[0], "high": ids[-1]})
