"""A figure, and the submissions behind it."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from server import current
from server.api.figures import EvidenceQuery, evidence_for_visitor, known_indicator, reading_of, sees_small_cells
from server.bodies import read_query
from server.db import session
from server.guards import needs
from server.pages.frame import project_of
from server.pages.photos import is_picture
from server.queries.submissions import files_here, labels_of_entities, titles_of_forms
from sync.indicators.doubt import pairs_behind
from sync.indicators.figures import figure, read_cells

bp = Blueprint("figure_pages", __name__)

_MOST_PHOTOS = 3  # of one visit; the others are on its page


@bp.get("/projects/<int:pid>/figures/<indicator>")
@needs("figures.read")
def evidence(pid: int, indicator: str) -> ResponseReturnValue:
    """The submissions behind one figure."""
    query = read_query(EvidenceQuery())
    reading = reading_of(pid, query["as_of"])
    definition = known_indicator(reading, indicator)
    cells = read_cells(query["cells"])
    found = evidence_for_visitor(reading, indicator, query)
    shown = figure(
        reading,
        indicator,
        period=query["period"],
        place=query["place"],
        cells=cells,
        sees_small_cells=sees_small_cells(),
    )
    reads = current.has_right("submissions.read")
    return render_template(
        "evidence.html",
        project=project_of(pid),
        definition=definition,
        figure=shown,
        pairs=pairs_behind(reading, shown),
        evidence=found,
        as_of=reading.as_of,
        query={key: value for key, value in request.args.items() if key not in ("cursor", "lang")},
        ways={way.name: way for way in reading.breakings(definition).values()},
        places={code: place.name for code, place in reading.tree.places.items()},
        persons=labels_of_entities(session(), pid, [row["person"] for row in found.rows if row["person"]]),
        titles=titles_of_forms(session(), pid),
        reads_submissions=reads,
        photos=_photos(pid, [int(row["submission"]) for row in found.rows]) if reads else {},
    )


def _photos(pid: int, numbers: list[int]) -> dict[str, list[str]]:
    """The names of the first photos of each visit: whoever looks at one is noted as on the page of the visit."""
    shown = {}
    for number, files in files_here(session(), pid, numbers).items():
        pictures = [one.name for one in files if is_picture(one.name, one.type)]
        if pictures:
            shown[str(number)] = pictures[:_MOST_PHOTOS]
    return shown
