"""The pages of a project: what came in, statements, what stands behind a figure, a submission, the quarantine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from forms.xforms.instance import read_instance
from server import current
from server.api.figures import EvidenceQuery, evidence_for_visitor, known_indicator, reading_of, sees_small_cells
from server.api.schemas import CursorQuery
from server.api.statements import StatementQuery, page_of
from server.api.submission_shapes import files_of
from server.api.submissions import note_view
from server.bodies import read_query
from server.db import session
from server.documents import openapi
from server.guards import needs, public, signed_in
from server.pages.answers import Line, lines_of
from server.queries.submissions import (
    how_many,
    how_many_wait,
    labels_of_entities,
    name_of_submission,
    names_of_actors,
    titles_of_forms,
)
from server.words import link, words
from sync.accounts.roles import projects_of
from sync.indicators.definitions import definitions_at
from sync.indicators.doubt import pairs_behind
from sync.indicators.figures import figure, read_cells
from sync.indicators.statements import compose, statements_at
from sync.intake.quarantine import OPEN, quarantined_items
from sync.models import Actor, Project
from sync.projects.catalogue import Unpublished, published
from sync.projects.places import PlaceTree, places_at
from sync.review.queue import Sought, review_queue
from sync.review.view import SubmissionSeen, raw_instance, submission_view

bp = Blueprint("desk", __name__)

_LATEST = 20


class PageQuery(CursorQuery):
    """A page of a list."""


@bp.app_context_processor
def _for_templates() -> dict[str, Any]:
    return {"link": link, "here_in": _here_in}


@bp.get("/")
@signed_in
def home() -> ResponseReturnValue:
    """The projects in which one has a role."""
    actor = session().get_one(Actor, current.visitor().actor_id)
    query = select(Project).where(Project.archived_at.is_(None)).order_by(Project.name)
    if (mine := projects_of(session(), actor)) is not None:
        query = query.where(Project.id.in_(mine))
    return render_template("home.html", projects=session().scalars(query).all())


@bp.get("/projects/<int:pid>")
@needs("project.read")
def project(pid: int) -> ResponseReturnValue:
    """What came in, what waits, and the statements."""
    reads = current.has_right("submissions.read")
    latest = review_queue(session(), pid, Sought(), limit=_LATEST).items if reads else ()
    return render_template(
        "project.html",
        project=_project(pid),
        statements=statements_at(session(), pid, None),
        counts=how_many(session(), pid),
        titles=titles_of_forms(session(), pid),
        waiting=how_many_wait(session(), pid) if reads else 0,
        latest=latest,
        actors=names_of_actors(session(), [row.actor_id for row in latest]),
        places=_named(places_at(session(), pid, None), [row.place for row in latest]),
        reads_figures=current.has_right("figures.read"),
        reads_submissions=reads,
        manages_devices=current.has_right("devices.manage"),
    )


@bp.get("/projects/<int:pid>/statements/<name>")
@needs("figures.read")
def statement(pid: int, name: str) -> ResponseReturnValue:
    """A statement; each of its figures leads to what stands behind it."""
    query = read_query(StatementQuery())
    if "" in request.args.values():  # fields of the page's form that were left empty
        filled = {key: value for key, value in request.args.items() if value}
        return redirect(link("desk.statement", pid=pid, name=name, **filled))
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
        project=_project(pid),
        name=name,
        statement=found,
        languages=statements_at(session(), pid, reading.as_of.event)[name],
        body=found.to_html(lambda figure: page_of(pid, found, figure) + _and_language()),
        query={key: value for key, value in request.args.items() if key not in ("lang", "format")},
    )


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
        project=_project(pid),
        definition=definition,
        figure=shown,
        pairs=pairs_behind(reading, shown),
        evidence=found,
        as_of=reading.as_of,
        query={data_key: value for data_key, value in request.args.items() if data_key not in ("cursor", "lang")},
        ways={way.name: way for way in reading.breakings(definition).values()},
        places={code: place.name for code, place in reading.tree.places.items()},
        persons=labels_of_entities(session(), pid, [row["person"] for row in found.rows if row["person"]]),
        titles=titles_of_forms(session(), pid),
        reads_submissions=current.has_right("submissions.read"),
    )


@bp.get("/projects/<int:pid>/submissions/<int:number>")
@needs("submissions.read")
def submission(pid: int, number: int) -> ResponseReturnValue:
    """One submission, as its collector saw it, and what became of it."""
    form_id, instance_id = name_of_submission(session(), pid, number)
    seen = submission_view(session(), pid, form_id, instance_id)
    definitions = definitions_at(session(), pid, None)
    tree = places_at(session(), pid, None)
    language = words().language
    page = render_template(
        "submission.html",
        project=_project(pid),
        submission=seen,
        title=titles_of_forms(session(), pid).get(form_id, form_id),
        lines=_lines(pid, seen, language),
        files=files_of(seen),
        present={file.name for file in files_of(seen) if file.present},
        contributions=sorted(seen.contributions, key=lambda row: row.closed is not None),
        definitions=definitions,
        places=_named(tree, [row.place for row in seen.contributions]),
        actors=names_of_actors(
            session(),
            [*(version.actor_id for version in seen.versions), *(comment.actor_id for comment in seen.comments)],
        ),
    )
    note_view(pid, number)
    return page


@bp.get("/projects/<int:pid>/quarantine")
@needs("quarantine.decide")
def quarantine(pid: int) -> ResponseReturnValue:
    """What waits for a decision."""
    query = read_query(PageQuery())
    page, count = quarantined_items(session(), pid, OPEN, query["cursor"], query["limit"])
    return render_template(
        "quarantine.html",
        project=_project(pid),
        items=page.items,
        count=count,
        cursor=page.cursor,
        titles=titles_of_forms(session(), pid),
    )


@bp.get("/docs/api")
@public
def api() -> ResponseReturnValue:
    """The API, readable."""
    document = openapi(current_app._get_current_object())  # type: ignore[attr-defined]
    tags: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tags.setdefault(operation["tags"][0], []).append(_operation(document, method, path, operation))
    return render_template("api.html", tags=tags)


def _project(pid: int) -> Project:
    return session().get_one(Project, pid)


def _here_in(language: str) -> str:
    """This page in another language; a page that answers a form has no address of its own."""
    if request.method != "GET" or request.endpoint is None:
        return link("desk.home", lang=language)
    # Written by hand: to those who make addresses, some names that a visitor may have put here mean something else.
    values = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    return f"{url_for(request.endpoint, **(request.view_args or {}))}?{urlencode([*values, ('lang', language)])}"


def _named(tree: PlaceTree, written: Iterable[str | None]) -> dict[str | None, str]:
    """The names of places, by how they were written: as a code or an alias."""
    return {one: tree.places[code].name for one in written if (code := tree.code_of(one))}


def _and_language() -> str:
    """What keeps the language that was chosen, behind an address that asks for something already."""
    return f"&lang={words().language}" if "lang" in request.args else ""


def _lines(pid: int, seen: SubmissionSeen, language: str) -> list[Line] | None:
    """None for what is encrypted."""
    instance = read_instance(raw_instance(session(), pid, seen.form_id, seen.current_instance_id))
    found = published(session(), pid, seen.form_id, seen.form_version)
    if instance.encrypted or isinstance(found, Unpublished):
        return None
    lines = lines_of(found.form, instance, language)
    chosen = {key for line in lines for key in line.chosen}
    names = {code: place.name for code, place in places_at(session(), pid, None).places.items() if code in chosen}
    names |= labels_of_entities(session(), pid, chosen - names.keys())
    return [
        replace(line, value=", ".join(names.get(key, key) for key in line.chosen)) if line.chosen else line
        for line in lines
    ]


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [
        {
            "name": parameter["name"],
            "in": parameter["in"],
            "description": parameter.get("description") or parameter["schema"].get("type", ""),
        }
        for parameter in operation["parameters"]
    ]
    answers = [answer for status, answer in operation["responses"].items() if status != "default"]
    return {
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": operation.get("description"),
        "right": operation["x-right"],
        "parameters": parameters,
        "body": _shape(document, operation.get("requestBody")),
        "answer": _shape(document, answers[0]),
    }


def _shape(document: Mapping[str, Any], described: Mapping[str, Any] | None) -> str | None:
    """A body as an example with types for values."""
    for content_type, media in (described or {}).get("content", {}).items():
        if content_type != "application/json" or "$ref" not in media["schema"]:
            return str(content_type)
        return json.dumps(_example(document, media["schema"]), indent=2, ensure_ascii=False)
    return None


def _example(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "properties" in schema:
        return {name: _example(document, inner) for name, inner in schema["properties"].items()}
    if schema.get("type") == "array":
        return [_example(document, schema["items"])] if schema.get("items") else []
    if isinstance(schema.get("type"), list):
        return "|".join(schema["type"])
    if "enum" in schema:
        return "|".join(str(value) for value in schema["enum"])
    return schema.get("format") or schema.get("type") or "any"
