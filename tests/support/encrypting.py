"""A client that encrypts, written from the ODK XForms specification alone: block by block, with arithmetic of its own.

It shares no code with what it tests: feedback mode, paddings and the masked RSA are spelt out here.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import load_der_public_key


@dataclass(frozen=True)
class Encrypted:
    """What the client sends: the manifest as the XML part, and the files beside it."""

    instance_id: str
    manifest: bytes
    files: dict[str, bytes]


def encrypted_submission(
    public: str,
    xml: bytes,
    *,
    form_id: str,
    version: str,
    instance_id: str,
    media: Mapping[str, bytes] | None = None,
    mask: str = "sha256",
) -> Encrypted:
    """`public` as the XForm carries it; `mask` is the hash inside RSA's mask, on which clients disagree."""
    key = load_der_public_key(base64.b64decode(public))
    assert isinstance(key, RSAPublicKey)
    secret = secrets.token_bytes(32)
    locked = _lock(key, secret, mask)
    plain = {**(media or {}), "submission.xml": xml}
    seed = bytearray(hashlib.md5(instance_id.encode() + secret).digest())
    files = {}
    for count, (name, content) in enumerate(plain.items()):
        seed[count % 16] = (seed[count % 16] + 1) & 0xFF
        files[f"{name}.enc"] = _encrypt(secret, bytes(seed), content)
    lines = [form_id, *([version] if version else []), locked, instance_id]
    lines += [f"{name}::{hashlib.md5(content).hexdigest()}" for name, content in plain.items()]
    digest = hashlib.md5(("\n".join(lines) + "\n").encode()).digest()
    signature = _lock(key, digest, mask)
    return Encrypted(instance_id, _manifest(form_id, version, instance_id, locked, list(files), signature), files)


def _manifest(form_id: str, version: str, instance_id: str, locked: str, files: list[str], signature: str) -> bytes:
    *media, xml_file = files
    named = "".join(f"<media><file>{escape(name)}</file></media>" for name in media)
    stamp = f" version={quoteattr(version)}" if version else ""
    return (
        f'<data xmlns="http://opendatakit.org/submissions" encrypted="yes" id={quoteattr(form_id)}{stamp}>'
        f"<base64EncryptedKey>{locked}</base64EncryptedKey>"
        f"<n0:meta xmlns:n0='http://openrosa.org/xforms'><n0:instanceID>{instance_id}</n0:instanceID></n0:meta>"
        f"{named}<encryptedXmlFile>{xml_file}</encryptedXmlFile>"
        f"<base64EncryptedElementSignature>{signature}</base64EncryptedElementSignature></data>"
    ).encode()


def _encrypt(key: bytes, vector: bytes, content: bytes) -> bytes:
    """Cipher feedback over whole blocks: each block is masked with the encryption of the one before."""
    short = 16 - len(content) % 16
    padded = content + bytes([short]) * short
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    before, out = vector, bytearray()
    for start in range(0, len(padded), 16):
        mask = block.update(before)
        before = bytes(a ^ b for a, b in zip(padded[start : start + 16], mask, strict=True))
        out += before
    return bytes(out)


def _lock(key: RSAPublicKey, message: bytes, mask: str) -> str:
    """RSA with optimal asymmetric padding (RFC 8017 §7.1.1), SHA-256 for the label."""
    numbers = key.public_numbers()
    length = (numbers.n.bit_length() + 7) // 8
    label = hashlib.sha256(b"").digest()
    block = label + bytes(length - len(message) - 2 * len(label) - 2) + b"\x01" + message
    seed = secrets.token_bytes(len(label))
    masked = _xor(block, _mask(seed, len(block), mask))
    hidden = _xor(seed, _mask(masked, len(seed), mask))
    number = int.from_bytes(b"\x00" + hidden + masked, "big")
    return base64.b64encode(pow(number, numbers.e, numbers.n).to_bytes(length, "big")).decode()


def _mask(seed: bytes, length: int, name: str) -> bytes:
    made = b""
    while len(made) < length:
        counter = (len(made) // hashlib.new(name).digest_size).to_bytes(4, "big")
        made += hashlib.new(name, seed + counter).digest()
    return made[:length]


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
