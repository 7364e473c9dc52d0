"""Fixtures for tests of the web."""

import pytest
from flask import Flask

from tests.support.web import House, a_house


@pytest.fixture
def house(app: Flask) -> House:
    """An installation with two projects and the people in them."""
    return a_house(app)
