"""Fixtures for tests of the web."""

import pytest
from flask import Flask

from server.db import engine_of
from tests.support.databases import Run
from tests.support.web import House, a_house


@pytest.fixture
def house(app: Flask, run: Run) -> House:
    """An installation with two projects and the people in them."""
    return a_house(app, (run.folder / f"{engine_of(app).dialect.name}-house.json").read_text())
