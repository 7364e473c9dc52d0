"""Key pairs of a project. The private half is locked with a passphrase that is kept nowhere."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
)
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from sync.errors import Exists, Undecryptable, Unexpected
from sync.models import EncryptionKey, FormVersion, SubmissionVersion

PrivateKey = RSAPrivateKey

_BITS = 2048  # what ODK's clients are made for
_LOCK = {"kdf": "argon2id", "passes": 3, "kibibytes": 65_536, "cipher": "aes-256-gcm"}
_SHORTEST, _LONGEST = 8, 1000
_LONGEST_HINT = 1000


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key pair as `encryption_keys` keeps it. `public` is what an XForm carries as `base64RsaPublicKey`."""

    public: str
    private: dict[str, Any]
    hint: str | None


def make_key(passphrase: str, hint: str | None = None) -> NewKey:
    """A new key pair, its private half locked with the passphrase. Without the passphrase nobody opens it any more.

    Raises Unexpected for a passphrase that is too short to protect anything.
    """
    _require_length(passphrase)
    if hint is not None and len(hint) > _LONGEST_HINT:
        raise Unexpected(f"A hint has at most {_LONGEST_HINT} characters.")
    key = generate_private_key(public_exponent=65537, key_size=_BITS)
    public = _public_text(key.public_key())
    return NewKey(public, _lock(key, passphrase, public), hint or None)


def public_key(text: str) -> str:
    """A public key that somebody brings, base64 of its DER as XLSForm settings have it. Raises Unexpected."""
    try:
        key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except ValueError as error:
        raise Unexpected("The public key is not base64 of an RSA key.") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < _BITS:
        raise Unexpected(f"The public key is not an RSA key of {_BITS} bits or more.")
    return _public_text(key)


def private_key(pem: bytes) -> PrivateKey:
    """A private key that somebody brings, as `openssl genrsa` writes one. Raises Unexpected."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Unexpected("The file is not a private key in PEM without a passphrase of its own.") from error
    if not isinstance(key, RSAPrivateKey):
        raise Unexpected("The private key is not an RSA key.")
    return key


def lock_key(key: PrivateKey, passphrase: str) -> NewKey:
    """A key that somebody brings, locked with the passphrase. Raises Unexpected for one that protects nothing."""
    _require_length(passphrase)
    public = _public_text(key.public_key())
    return NewKey(public, _lock(key, passphrase, public), None)


def keep_private(session: Session, project_id: int, key: NewKey) -> EncryptionKey:
    """Keep the private half of a key that forms here are encrypted with. To lock it takes its time, so it is locked
    before others have to wait for this.

    Raises Unexpected where no form has the key, Exists where its private half is here already.
    """
    known = session.scalar(
        select(EncryptionKey).where(EncryptionKey.project_id == project_id, EncryptionKey.public == key.public)
    )
    if known is None:
        raise Unexpected("No form of the project is encrypted with this key.")
    if known.private is not None:
        raise Exists("The private half of this key is here already; its passphrase opens it.")
    known.private = key.private
    return known


def unlock(key: EncryptionKey, passphrase: str) -> PrivateKey:
    """The private half. Raises Undecryptable for another passphrase, and where the project's people keep the key."""
    if key.private is None:
        raise Undecryptable("The private key is not here: whoever made the form keeps it, and decrypts at home.")
    locked: Mapping[str, Any] = key.private
    try:
        plain = AESGCM(_derived(passphrase, locked)).decrypt(
            _bytes(locked["nonce"]), _bytes(locked["text"]), key.public.encode()
        )
    except InvalidTag as error:
        raise Undecryptable("This is not the passphrase of the key.") from error
    private = load_der_private_key(plain, None)
    assert isinstance(private, RSAPrivateKey)
    return private


def keys_of_form(session: Session, project_id: int, form_id: str) -> list[EncryptionKey]:
    """The keys without which some of the form's submissions cannot be read, in the order in which they were made."""
    encrypted = exists().where(
        SubmissionVersion.project_id == FormVersion.project_id,
        SubmissionVersion.form_id == FormVersion.form_id,
        SubmissionVersion.form_version == FormVersion.version,
        SubmissionVersion.encrypted_key.is_not(None),
    )
    used = select(FormVersion.key_id).where(
        FormVersion.project_id == project_id, FormVersion.form_id == form_id, FormVersion.key_id.is_not(None), encrypted
    )
    return list(
        session.scalars(
            select(EncryptionKey)
            .where(EncryptionKey.project_id == project_id, EncryptionKey.id.in_(used))
            .order_by(EncryptionKey.id)
        )
    )


def _require_length(passphrase: str) -> None:
    if not _SHORTEST <= len(passphrase) <= _LONGEST:
        raise Unexpected(f"A passphrase has {_SHORTEST} to {_LONGEST} characters.")


def _lock(key: RSAPrivateKey, passphrase: str, public: str) -> dict[str, Any]:
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    lock = _LOCK | {"salt": _text(secrets.token_bytes(16)), "nonce": _text(secrets.token_bytes(12))}
    # The public half is bound in, so that nobody can put a private key beside one that it does not belong to.
    text = AESGCM(_derived(passphrase, lock)).encrypt(_bytes(lock["nonce"]), plain, public.encode())
    return lock | {"text": _text(text)}


def _derived(passphrase: str, lock: Mapping[str, Any]) -> bytes:
    return hash_secret_raw(
        passphrase.encode("utf-8", "surrogatepass"),
        _bytes(lock["salt"]),
        time_cost=lock["passes"],
        memory_cost=lock["kibibytes"],
        parallelism=1,
        hash_len=32,
        type=Type.ID,
    )


def _public_text(key: RSAPublicKey) -> str:
    return _text(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: object) -> bytes:
    return base64.b64decode(str(text))
