"""pyODK, unmodified, signed in with somebody's e-mail address and password at the application on a port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyodk._utils.config import CentralConfig, Config
from pyodk.client import Client

from tests.support.live import served
from tests.support.web import PASSWORD, House


@contextmanager
def pyodk_as(house: House, name: str, folder: Path) -> Iterator[Client]:
    """Somebody of the house at work with pyODK in its project; its token is kept in `folder`."""
    with served(house.app) as address:
        central = CentralConfig(base_url=address, username=f"{name.lower()}@example.org", password=PASSWORD)
        client = Client(config=Config(central=central), cache_path=folder / "cache.toml", project_id=house.pid)
        with client:
            yield client
