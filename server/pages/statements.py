"""Statements, in which each figure leads to what stands behind it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from server.api.figures import reading_of, sees_small_cells
from server.api.statements import StatementQuery, page_of
from server.bodies import read_query
from server.db import session
from server.guards import needs
from server.pages.frame import project_of
from server.words import words
from sync.indicators.statements import compose, statements_at

bp = Blueprint("statement_pages", __name__)


@bp.get("/projects/<int:pid>/statements/<name>")
@needs("figures.read")
def statement(pid: int, name: str) -> ResponseReturnValue:
    """A statement; each of its figures leads to what stands behind it."""
    query = read_query(StatementQuery())
    if "" in request.args.values():  # fields of the page's form that were left empty
        filled: dict[str, Any] = {key: value for key, value in request.args.items() if value}
        return redirect(url_for("statement_pages.statement", pid=pid, name=name, **filled))
    reading = reading_of(pid, query["as_of"])
    found = compose(
        reading,
        name,
        query["lang"] or words().language,
        period=query["period"],
        place=query["place"],
        sees_small_cells=sees_small_cells(),
    )
    return render_template(
        "statement.html",
        project=project_of(pid),
        name=name,
        statement=found,
        languages=statements_at(session(), pid, reading.as_of.event)[name],
        body=found.to_html(lambda figure: page_of(pid, found, figure)),
        query={key: value for key, value in request.args.items() if key not in ("lang", "format")},
    )
