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
from server.queries.submissions import labels_of_entities, titles_of_forms
from sync.indicators.doubt import pairs_behind
from sync.indicators.figures import figure, read_cells

bp = Blueprint("figure_pages", __name__)


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
        reads_submissions=current.has_right("submissions.read"),
    )
