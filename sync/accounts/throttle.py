"""Wrong passwords make the next try wait, per account and per address: longer each time, never over 15 minutes.

There is no lock: whoever waits it out may try again. Tries made while waiting are turned away unread and lengthen
nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sync.models import LoginFailures

LONGEST = dt.timedelta(minutes=15)
_FORGOTTEN_AFTER = dt.timedelta(hours=24)
# An office shares one address; a person mistypes a few times.
_FREE = {"account": 4, "address": 19}


def keys_of(email: str, address: str) -> tuple[str, str]:
    """What is counted. The account is hashed: it may be a password typed into the wrong field."""
    return f"account:{hashlib.sha256(email.encode('utf-8', 'replace')).hexdigest()}", f"address:{_line_of(address)}"


def wait_of(session: Session, keys: Sequence[str], now: dt.datetime) -> int:
    """Whole seconds until the next try is read; 0 if it is read now."""
    ends = session.scalars(select(LoginFailures.until).where(LoginFailures.key.in_(keys)))
    return max((-int(-(until - now).total_seconds() // 1) for until in ends if until > now), default=0)


def note_failure(session: Session, keys: Sequence[str], now: dt.datetime) -> None:
    """Count a wrong password; the session must have begun to write."""
    for key in keys:
        row = session.get(LoginFailures, key, with_for_update=True)
        if row is None:
            row = LoginFailures(key=key, count=0, until=now)
            session.add(row)
        elif now - row.until > _FORGOTTEN_AFTER:
            row.count = 0
        row.count += 1
        row.until = now + _wait(row.count - _FREE[key.split(":")[0]])
    session.flush()


def forget_failures(session: Session, key: str) -> None:
    """After the right password. Only the account is forgiven: else one good account would free an address to guess."""
    session.execute(delete(LoginFailures).where(LoginFailures.key == key))


def drop_old_failures(session: Session, now: dt.datetime) -> int:
    """Those that would not be counted on; gives how many."""
    old = delete(LoginFailures).where(LoginFailures.until < now - _FORGOTTEN_AFTER)
    return int(session.execute(old).rowcount)  # type: ignore[attr-defined]


def _line_of(address: str) -> str:
    """Whoever has one address of IPv6 has the 2⁶⁴ beside it."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


def _wait(over: int) -> dt.timedelta:
    if over <= 0:
        return dt.timedelta()
    return min(dt.timedelta(seconds=2 ** min(over, 10)), LONGEST)
