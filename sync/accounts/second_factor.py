"""The second factor: a code of six digits that a phone makes anew every thirty seconds (RFC 6238), and codes for when
the phone is lost.

A secret counts from the moment at which somebody has shown a code of it. A code is good once, also when two requests
bring it at the same instant.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import re
import secrets

import pyotp
from sqlalchemy import delete, or_, update
from sqlalchemy.orm import Session

from sync.models import Actor, RecoveryCode

_STEP_SECONDS = 30
# Clocks of phones are seldom half a minute wrong; each step more is one more code to guess.
_DRIFT = (0, -1, 1)
_RECOVERY_CODES = 10
_RECOVERY_BYTES = 10
_DIGITS = re.compile(r"[0-9]{6}")


def new_secret(session: Session, actor: Actor) -> str:
    """A secret to be shown to the phone, in place of one that was never confirmed."""
    actor.totp_secret, actor.totp_step = pyotp.random_base32(), None
    session.flush()
    return actor.totp_secret


def address_of(actor: Actor) -> str:
    """What the phone's application reads from the code: `otpauth://…`."""
    return pyotp.TOTP(actor.totp_secret or "").provisioning_uri(name=actor.email or actor.name, issuer_name="Siby")


def is_on(actor: Actor) -> bool:
    """Whether the password alone does not open the account."""
    return actor.totp_since is not None


def switch_on(session: Session, actor: Actor, code: str, now: dt.datetime) -> list[str] | None:
    """From now on a code is asked for. Gives the recovery codes, readable this once; None for a wrong code."""
    if is_on(actor) or not _use_digits(session, actor, code, now):
        return None
    actor.totp_since = now
    session.execute(delete(RecoveryCode).where(RecoveryCode.actor_id == actor.id))
    codes = [_new_recovery_code() for _ in range(_RECOVERY_CODES)]
    session.add_all(RecoveryCode(sha256=_digest(code), actor_id=actor.id) for code in codes)
    session.flush()
    return codes


def switch_off(session: Session, actor: Actor) -> None:
    """The password alone is enough again."""
    actor.totp_secret = actor.totp_since = actor.totp_step = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.actor_id == actor.id))
    session.flush()


def use_code(session: Session, actor: Actor, code: str, now: dt.datetime) -> bool:
    """Whether it is a code of the phone or a recovery code that was not used before; then it is used up."""
    if not is_on(actor):
        return False
    return _use_digits(session, actor, code, now) or _use_recovery_code(session, actor, code, now)


def _use_digits(session: Session, actor: Actor, code: str, now: dt.datetime) -> bool:
    code = "".join(code.split())
    if actor.totp_secret is None or not _DIGITS.fullmatch(code):
        return False
    phone, today = pyotp.TOTP(actor.totp_secret), int(now.timestamp()) // _STEP_SECONDS
    for step in (today + drift for drift in _DRIFT):
        if hmac.compare_digest(phone.generate_otp(step), code):
            newer = or_(Actor.totp_step.is_(None), Actor.totp_step < step)
            used = update(Actor).where(Actor.id == actor.id, newer).values(totp_step=step)
            return bool(session.execute(used).rowcount)  # type: ignore[attr-defined]
    return False


def _use_recovery_code(session: Session, actor: Actor, code: str, now: dt.datetime) -> bool:
    unused = (
        update(RecoveryCode)
        .where(RecoveryCode.sha256 == _digest(code), RecoveryCode.actor_id == actor.id, RecoveryCode.used_at.is_(None))
        .values(used_at=now)
    )
    return bool(session.execute(unused).rowcount)  # type: ignore[attr-defined]


def _new_recovery_code() -> str:
    """80 random bits, in four groups that can be read from paper."""
    letters = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower()
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def _digest(code: str) -> bytes:
    """It is random enough that a plain hash cannot be turned back."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "replace")).digest()
