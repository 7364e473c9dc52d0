"""Logs of static event names with identifiers and counts; never answers, names of people or secrets."""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from typing import Any

_LOGGER = logging.getLogger("siby")


def log(event: str, **fields: Any) -> None:
    """`log("batch_received", project=7, items=40)`: something that belongs to everyday."""
    if _LOGGER.isEnabledFor(logging.INFO):  # past the search through the stack for whoever logs: no form shows it
        _LOGGER.handle(_LOGGER.makeRecord("siby", logging.INFO, "", 0, event, (), None, extra={"fields": fields}))


def warn(event: str, **fields: Any) -> None:
    """Something that whoever runs the server may want to look at."""
    _LOGGER.warning(event, extra={"fields": fields})


def log_failure(event: str, **fields: Any) -> None:
    """Something that nobody expected, with the traceback of the exception being handled."""
    _LOGGER.exception(event, extra={"fields": fields})


def set_logs_up(form: str) -> None:
    """Write to standard error; `form` is json or text."""
    # What no line shows need not be found out for each; gunicorn's show the process.
    logging.logThreads = logging.logMultiprocessing = False
    to = logging.StreamHandler(sys.stderr)
    to.setFormatter(_Json() if form == "json" else _Text())
    _LOGGER.handlers = [to]
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.propagate = False


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
    found = {"at": at, "level": record.levelname.lower(), "event": record.getMessage()}
    return found | getattr(record, "fields", {})


class _Json(logging.Formatter):
    """One JSON object a line: escapes keep whatever a request said on its own line."""

    def format(self, record: logging.LogRecord) -> str:
        found = _fields(record)
        if record.exc_info:
            found["traceback"] = self.formatException(record.exc_info)
        return json.dumps(found, ensure_ascii=True, default=str)


class _Text(logging.Formatter):
    """`at level event key=value …`; values that hold more than plain characters are quoted."""

    def format(self, record: logging.LogRecord) -> str:
        found = _fields(record)
        start = f"{found.pop('at')} {found.pop('level')} {found.pop('event')}"
        pairs = "".join(f" {key}={_plain(value)}" for key, value in found.items() if value is not None)
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{start}{pairs}{trace}"


def _plain(value: object) -> str:
    text = str(value)
    return text if text.isascii() and text.isprintable() and " " not in text else json.dumps(text)
