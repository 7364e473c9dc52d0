"""The API described by itself: OpenAPI from what each route declares beside its right."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import Schema

from server.door.guards import need_of

View = TypeVar("View", bound=Callable[..., Any])

_CONVERTED = re.compile(r"<(?:(?P<kind>\w+)(?:\([^)]*\))?:)?(?P<name>\w+)>")


@dataclass(frozen=True, slots=True)
class Document:
    """What a route says of itself. Its first line is the view's docstring."""

    tag: str
    query: type[Schema] | None = None
    body: type[Schema] | str | None = None  # a schema, or the content type of a body that is not JSON
    answer: type[Schema] | str | None = None
    status: int = 200


def documented(
    tag: str,
    *,
    query: type[Schema] | None = None,
    body: type[Schema] | str | None = None,
    answer: type[Schema] | str | None = None,
    status: int = 200,
) -> Callable[[View], View]:
    """Describe a route for /v1/openapi.json; the summary is the first sentence of its docstring."""

    def mark(view: View) -> View:
        view.__document__ = Document(tag, query, body, answer, status)  # type: ignore[attr-defined]
        return view

    return mark


def document_of(view: Callable[..., Any]) -> Document | None:
    """What a view has declared."""
    found: Document | None = getattr(view, "__document__", None)
    return found


def openapi(app: Flask) -> dict[str, Any]:
    """The whole document."""
    return _openapi(app)


@lru_cache(maxsize=4)
def _openapi(app: Flask) -> dict[str, Any]:
    spec = APISpec(
        title="Siby",
        version="1",
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=_name_of)],
        info={"description": "Batches, changes, figures, evidence and statements. See docs/protocol.md for the rules."},
        security=[{"bearer": []}, {"basic": []}],
    )
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    spec.components.security_scheme("basic", {"type": "http", "scheme": "basic"})
    spec.components.schema("Error", _ERROR)
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        document = document_of(view)
        if document is None:
            continue
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        for method in methods:
            told = _operation(rule, view, document)
            told["operationId"] += f"_{method.lower()}" if len(methods) > 1 else ""
            spec.path(path=_CONVERTED.sub(r"{\g<name>}", rule.rule), operations={method.lower(): told})
    found: dict[str, Any] = spec.to_dict()
    return found


_ERROR = {
    "type": "object",
    "properties": {
        "message": {"type": "string"},
        "code": {"type": "number", "description": "The HTTP status, and after the point which of its reasons."},
        "details": {"type": ["object", "null"]},
    },
    "required": ["message", "code", "details"],
}


def _operation_id(rule: Any) -> str:
    """Some views have a door at the root beside the one of a project."""
    name: str = rule.endpoint.replace(".", "_")
    return name if rule.rule.startswith("/v1") or name.endswith("_at_root") else f"{name}_at_root"


def _operation(rule: Any, view: Callable[..., Any], document: Document) -> dict[str, Any]:
    need = need_of(view)
    summary, _, description = (view.__doc__ or "").strip().partition("\n")
    found: dict[str, Any] = {
        "tags": [document.tag],
        "summary": summary.rstrip("."),
        "operationId": _operation_id(rule),
        "parameters": [
            {
                "in": "path",
                "name": named["name"],
                "required": True,
                "schema": {"type": "integer" if named["kind"] == "int" else "string"},
            }
            for named in _CONVERTED.finditer(rule.rule)
        ],
        "responses": {
            str(document.status): _response(document.answer),
            "default": {
                "description": "What went wrong",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
        "x-right": need.right if need else None,
    }
    if description.strip():
        found["description"] = " ".join(description.split())
    if document.query is not None:
        found["parameters"].append({"in": "query", "schema": document.query})
    if document.body is not None:
        found["requestBody"] = {"required": True, "content": _content(document.body)}
    if need and need.right == "public":
        found["security"] = []
    return found


def _response(answer: type[Schema] | str | None) -> dict[str, Any]:
    if answer is None:
        return {"description": "Done"}
    return {"description": "The answer", "content": _content(answer)}


def _content(what: type[Schema] | str) -> dict[str, Any]:
    if isinstance(what, str):
        return {what: {"schema": {"type": "string"}}}
    return {"application/json": {"schema": what}}


def _name_of(schema: Any) -> str:
    cls = schema if isinstance(schema, type) else type(schema)
    return cls.__name__.removesuffix("Schema")
