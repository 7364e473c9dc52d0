"""A programme folder, zipped, as somebody hands it in: read, looked at beforehand, loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from forms.findings import Faulty
from forms.programmes.programme import Programme, files_of_zip, read_programme
from server import current
from server.acts.changing import finish
from server.db import release, session
from server.logs import log
from sync.errors import WorkbookFaulty
from sync.projects.comparing import Compared, compare_programme
from sync.projects.publish import Report, load_programme
from sync.statements.unloaded import read_over


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What loading would do, and what of it is different from what there is."""

    compared: Compared
    report: Report


def read_zip(pid: int, body: bytes) -> Programme:
    """A programme for this project. Raises WorkbookFaulty with all that is wrong in any of its files."""
    release()
    try:
        return read_programme(files_of_zip(body), partial(read_over, session(), pid, current.now()))
    except Faulty as faulty:
        raise WorkbookFaulty("The programme has faults.", findings=faulty.told) from faulty


def foresee(pid: int, programme: Programme) -> Foreseen:
    """Load it and take that back: what is said beforehand is what would be done, and raises what that would raise."""
    compared = compare_programme(session(), pid, programme)
    report = _load(pid, programme)
    session().rollback()
    return Foreseen(compared, report)


def take(pid: int, programme: Programme) -> Report:
    """Load it, in one transaction. Raises a Refusal, with nothing changed."""
    report = _load(pid, programme, kept=True)
    log("programme_loaded", project=pid, published=len(report.published), changed=len(report.changed))
    return report


def _load(pid: int, programme: Programme, kept: bool = False) -> Report:
    try:
        journal, report = load_programme(session(), programme, current.visitor().actor_id, current.writing_now, pid)
    except Faulty as faulty:
        raise WorkbookFaulty("The programme has faults.", findings=faulty.told) from faulty
    if kept:
        finish(journal, "programme.loaded", details={"published": report.published, "changed": report.changed})
    return report
