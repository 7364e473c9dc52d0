"""What comes out the same in each of the thousands of applications that tests open, worked out once in a process, as
the server does: templates, statements and addresses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import CodeType
from typing import Any

from argon2 import PasswordHasher
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Map

from server.app import Siby
from server.db import engine_of
from sync.accounts import passwords
from tests.support.databases import share_statements


class _Templates(BytecodeCache):
    """Compiled templates, by name and text."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


def _add_url_rule(app: Siby, rule: str, endpoint: str, view_func: Any = None, **options: Any) -> None:
    """All applications answer at the same addresses, which the first of the process worked out."""
    asked = f"{rule} {endpoint} {options}"
    if asked not in _asked:
        _asked.add(asked)
        _really_add(app, rule, endpoint, view_func, **options)
    app.view_functions[endpoint] = view_func


_templates = _Templates()
_addresses = Map()
_asked: set[str] = set()
_really_add = Siby.add_url_rule
Siby.add_url_rule = _add_url_rule  # type: ignore[assignment, method-assign]
Siby.url_map_class = partial(lambda host_matching: _addresses)  # type: ignore[assignment]
_quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def share(app: Flask) -> None:
    """Give the application what others of this process have compiled."""
    app.jinja_env.bytecode_cache = _templates
    share_statements(engine_of(app))


@contextmanager
def quick_hashing() -> Iterator[None]:
    """Inside, to hash a password takes no time; on purpose it takes as long as a page."""
    slow, passwords._hasher = passwords._hasher, _quick
    try:
        yield
    finally:
        passwords._hasher = slow
