"""Passwords of people: how they are kept, and which are too easily guessed."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from sync.errors import Unexpected

SHORTEST, LONGEST = 10, 1000

# OWASP's parameters: 19 MiB, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Each hashing takes 19 MiB and a core for a while; more at once would starve the batches.
_at_once = threading.BoundedSemaphore(2)
# Made of zeros, which no password is known to give, at the price of all others.
_NOBODY = "${}$v=19$m={},t={},p={}${:A>22}${:A>43}".format(
    "argon2id", _hasher.memory_cost, _hasher.time_cost, _hasher.parallelism, "", ""
)


def hash_password(password: str) -> str:
    """Argon2id, in the form that carries its own parameters. Raises Unexpected for a password that will not do."""
    require_good(password)
    with _at_once:
        return _hasher.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether it is the one; takes as long when there is none to compare with, so that nobody learns who exists."""
    if len(password) > LONGEST:
        return False
    with _at_once:
        try:
            matches = _hasher.verify(stored or _NOBODY, password.encode("utf-8", "surrogatepass"))
        except (VerifyMismatchError, InvalidHashError):
            return False
    return matches and stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether it was made with other parameters than those of today."""
    return _hasher.check_needs_rehash(stored)


def require_good(password: str) -> None:
    """Ten characters or more, without rules about what they are, but not what everybody would try first.

    At that length nearly all of the passwords on public lists fall away; those that do not are named here.
    """
    if len(password) < SHORTEST:
        raise Unexpected(f"A password has at least {SHORTEST} characters; a few words in a row are good.")
    if len(password) > LONGEST:
        raise Unexpected(f"A password has at most {LONGEST} characters.")
    if not _encodable(password):
        raise Unexpected("The password holds half of a character.")
    plain = password.casefold()
    if plain in _FIRST_TRIED or _is_repetition(plain) or any(plain in run for run in _RUNS):
        raise Unexpected("Everybody would try this password first; choose another.")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_repetition(text: str) -> bool:
    """Made of a piece of one to five characters, again and again."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, 6))


_RUNS = tuple(
    piece
    for run in (
        "0123456789" * 3,
        "abcdefghijklmnopqrstuvwxyz",
        "qwertyuiopasdfghjklzxcvbnm",
        "azertyuiopqsdfghjklmwxcvbn",
    )
    for piece in (run, run[::-1])
)
_FIRST_TRIED = frozenset(
    [
        "password12",
        "password123",
        "password1234",
        "password12345",
        "passw0rd123",
        "passwordpassword",
        "p@ssw0rd123",
        "motdepasse",
        "motdepasse1",
        "motdepasse123",
        "administrator",
        "administrateur",
        "adminadmin",
        "admin12345",
        "admin123456",
        "welcome123",
        "welcome1234",
        "bienvenue1",
        "bienvenue123",
        "qwerty12345",
        "qwerty123456",
        "azerty12345",
        "azerty123456",
        "1q2w3e4r5t",
        "1q2w3e4r5t6y",
        "1qaz2wsx3edc",
        "q1w2e3r4t5",
        "zaq12wsxcde3",
        "iloveyou12",
        "iloveyou123",
        "letmein123",
        "changeme123",
        "changeme1234",
        "football123",
        "superman123",
        "sunshine123",
        "princess123",
        "baseball123",
        "liverpool1",
        "manchester",
        "1234qwerasdf",
        "123456789a",
        "1234567890q",
        "a123456789",
        "aa123456789",
        "abcd123456",
        "abc123456789",
        "asdf123456",
        "jesuschrist",
        "jesus12345",
        "michael123",
        "charlie123",
        "jordan2323",
        "whatever123",
        "basketball",
        "basketball1",
        "volleyball",
        "0987654321q",
        "siby123456",
        "sibysiby123",
        "collecteur",
        "collecteur1",
        "coordinateur",
        "coordinateur1",
        "coordinator",
        "bamako2024",
        "bamako2025",
        "bamako2026",
    ]
)
