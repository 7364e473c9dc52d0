"""What comes out the same in each of the thousands of applications that tests open, worked out once in a process, as
the server does: templates, statements and addresses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

from argon2 import PasswordHasher
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

from server.app import Address
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


def _compile(rule: Rule) -> None:
    """What parsing an address leaves in its rule is the same each time."""
    if (known := _addresses.get(rule.rule)) is None:
        Rule.compile(rule)
        _addresses[rule.rule] = {name: vars(rule)[name] for name in ("_parts", "_trace", "_converters")}
        return
    vars(rule).update(known)
    rule.arguments.update(rule._converters)
    rule._build = rule._compile_builder(False).__get__(rule, None)
    rule._build_unknown = rule._compile_builder(True).__get__(rule, None)


_templates = _Templates()
_addresses: dict[str, dict[str, Any]] = {}
Address.compile = _compile  # type: ignore[method-assign]
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
