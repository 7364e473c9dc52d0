"""Saying no over HTTP: refusals become the JSON error body for programs and a page for people."""

from __future__ import annotations

import errno
import random
from typing import Any, cast

from flask import Flask, Response, g, render_template, request
from flask.typing import ResponseReturnValue
from gunicorn.http.errors import ParseException
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge, RequestTimeout

from forms.findings import Faulty, Finding
from server import current
from server.db import session
from server.language.sentences import said_in
from server.language.words import words
from server.logs import log, log_failure
from server.openrosa.answers import openrosa_error, speaks_openrosa
from server.wire.answers import to_json
from sync.errors import Busy, DiskFull, Refusal, Unexpected, Unparseable
from sync.models import Project

_AT_FAULT = 500
_FULL = ("database or disk is full", "disk i/o error", "could not extend file", "no space left")
_CUT = "The body ended before it was whole, or its sender paused for too long; send it again"
_KEPT = frozenset({"Allow", "Content-Range", "Retry-After"})
_LATER = (
    *("database is locked", "database is busy", "deadlock detected", "could not serialize", "too many clients"),
    *("connection failed", "connection refused", "server closed the connection", "terminating connection"),
    *("connection is closed", "connection is lost", "consuming input failed", "the database system is"),
)


def say_no_well(app: Flask) -> None:
    """Have every error of the app answered in one form."""
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(Faulty, _faulty)
    app.register_error_handler(ClientDisconnected, lambda _error: refused(Unparseable(_CUT)))
    app.register_error_handler(ParseException, lambda _error: refused(Unparseable(_CUT)))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(PoolTimeout, lambda _error: refused(_later()))
    app.register_error_handler(TimeoutError, lambda _error: _http(RequestTimeout()))
    app.register_error_handler(OSError, _system)
    app.register_error_handler(Exception, _unexpected)


def as_json(finding: Finding) -> dict[str, Any]:
    """A finding on the wire; what it does not have is left out."""
    found = {
        "place": finding.place,
        "sheet": finding.sheet,
        "row": finding.row,
        "column": finding.column,
        "fault": finding.fault,
        "remedy": finding.remedy,
    }
    warning = {"warning": True} if finding.warns else {}
    return {key: value for key, value in found.items() if value not in (None, "")} | warning


def refused(refusal: Refusal) -> ResponseReturnValue:
    details = dict(refusal.details or {})
    if refusal.findings:
        details["findings"] = [as_json(finding) for finding in refusal.findings]
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401 and not _by_browser():
        headers["WWW-Authenticate"] = 'Basic realm="Siby", charset="UTF-8"'
    if refusal.status in (401, 403):
        log("refused", code=refusal.code, path=request.environ.get("siby.path"), address=request.remote_addr)
    return _answer(refusal.status, refusal.code, refusal.detail, details or None, headers)


def _faulty(faulty: Faulty) -> ResponseReturnValue:
    return refused(Unexpected("What was sent has faults.", findings=faulty.told))


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response
    status = error.code or 500
    details = None
    if isinstance(error, RequestEntityTooLarge):
        limits = current.settings()
        details = {"max_items": limits.batch_items, "max_bytes": limits.max_batch, "max_request": limits.max_request}
    headers = {name: value for name, value in error.get_headers() if name in _KEPT}
    return _answer(status, status + 0.1, error.description or error.name, details, headers)


def _database(error: DBAPIError) -> ResponseReturnValue:
    told = _told(error)
    if any(sign in told for sign in _FULL):
        return refused(DiskFull())
    if error.connection_invalidated or any(sign in told for sign in _LATER):
        log("database_busy", error=type(error.orig).__name__)
        return refused(_later())
    return _unexpected(error)


def _told(error: DBAPIError) -> str:
    """What the database said, first and last: a full disk makes SQLite forget the savepoint, and that is said last."""
    said, before = [], cast(BaseException | None, error)
    while before is not None:
        said.append(str(before.orig if isinstance(before, DBAPIError) else before))
        before = before.__context__
    return " ".join(said).lower()


def _system(error: OSError) -> ResponseReturnValue:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return refused(DiskFull())
    return _unexpected(error)


def _later() -> Busy:
    return Busy(retry_after=round(10 * random.uniform(0.75, 1.25)))  # noqa: S311 — no secret


def _unexpected(error: Exception) -> ResponseReturnValue:
    log_failure("failed", request=g.get("request_id"), path=request.environ.get("siby.path"))
    number = g.get("request_id", "")
    return _answer(500, 500.1, f"Something went wrong here. Its number in the log is {number}.", None, {})


def _answer(
    status: int, code: float, message: str, details: dict[str, Any] | None, headers: dict[str, str]
) -> ResponseReturnValue:
    if speaks_openrosa():
        return openrosa_error(status, message, headers)
    if _for_program():
        body = to_json(_said({"message": message, "code": code, "details": details}))
        return Response(body, status, headers, content_type="application/json; charset=utf-8")
    findings = (details or {}).get("findings", ())
    page = render_template("problem.html", project=_project(status), message=message, findings=findings)
    return Response(page, status, headers)


def _project(status: int) -> Project | None:
    """The one in which the visitor has a role and was refused something; none where the database may be at fault."""
    pid = (request.view_args or {}).get("pid")
    if pid is None or status >= _AT_FAULT or g.get("role") is None:
        return None
    session().rollback()
    return session().get(Project, pid)


def _said(problem: dict[str, Any]) -> dict[str, Any]:
    """The same in the language that was asked for, as far as its sentences are known there."""
    language = words().locale
    if language == "en":
        return problem
    details = problem["details"]
    if details and "findings" in details:
        told = ("fault", "remedy")
        findings = [
            {key: said_in(language, text) if key in told else text for key, text in finding.items()}
            for finding in details["findings"]
        ]
        details = details | {"findings": findings}
    return problem | {"message": said_in(language, problem["message"]), "details": details}


def _for_program() -> bool:
    return request.path == "/v1" or request.path.startswith("/v1/")


def _by_browser() -> bool:
    """Scripts in pages must not make the browser ask for a password."""
    programs = _for_program() or speaks_openrosa()
    return request.headers.get("X-Requested-With") == "XMLHttpRequest" or not programs
