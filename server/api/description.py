"""The API's description of itself, for programs."""

from __future__ import annotations

from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue

from server.door.guards import public
from server.wire.answers import answer
from server.wire.documents import documented, openapi

bp = Blueprint("description", __name__, url_prefix="/v1")


@bp.get("/openapi.json")
@public
@documented("description", answer="application/json")
def get_openapi() -> ResponseReturnValue:
    """This document."""
    return answer(openapi(current_app._get_current_object()))  # type: ignore[attr-defined]


@bp.get("/config/public")
@public
@documented("description", answer="application/json")
def get_public_settings() -> ResponseReturnValue:
    """Settings for the pages of ODK Central, which this server has none of."""
    return answer([])
