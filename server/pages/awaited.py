"""The page that stands in for one whose figures are being worked out, and asks for it again by itself."""

from __future__ import annotations

from flask import Flask, make_response, render_template, request
from flask.typing import ResponseReturnValue

from server.kept.beside import AGAIN_SECONDS, BeingWorkedOut
from server.pages.frame import SECTIONS, project_of


def install_awaited(app: Flask) -> None:
    """Have whoever would wait long told how far it is."""
    app.register_error_handler(BeingWorkedOut, _how_far)


def _how_far(awaited: BeingWorkedOut) -> ResponseReturnValue:
    section = next((one for one in SECTIONS if one.endpoint.partition(".")[0] == request.blueprint), None)
    page = render_template(
        "awaited.html",
        project=project_of((request.view_args or {})["pid"]),
        section=section.name if section else None,
        awaited=awaited,
        seconds=AGAIN_SECONDS,
    )
    response = make_response(page, awaited.status)
    response.headers["Refresh"] = response.headers["Retry-After"] = str(AGAIN_SECONDS)
    return response
