"""What the server's programs log."""

import logging

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from server.logs import set_logs_up


def test_gunicorn_can_write_its_lines_too(capfd: pytest.CaptureFixture[str]) -> None:
    set_logs_up("text")
    config = Config()
    config.set("errorlog", "-")

    Logger(config).warning("worker of %s", "Kita")

    written = capfd.readouterr().err
    assert "worker of Kita" in written
    assert "Traceback" not in written
    logging.getLogger("gunicorn.error").handlers.clear()
