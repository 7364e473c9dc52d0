"""The API, readable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from server.door.guards import public
from server.wire.documents import openapi

bp = Blueprint("api_pages", __name__)


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
