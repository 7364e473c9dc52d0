"""Opening what a client encrypted (ODK XForms specification, Encryption): the manifest, its key, its files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from forms.findings import Faulty
from forms.xforms.instance import read_instance
from sync.encryption.keys import PrivateKey
from sync.errors import Undecryptable

_BLOCK = 16
_KEY_BYTES = 32
_SUFFIX = ".enc"
# Clients disagree on the hash inside the mask: Android's library takes SHA-256, Java's own and some browsers SHA-1.
_PADDINGS = [OAEP(MGF1(hash_()), SHA256(), None) for hash_ in (SHA256, SHA1)]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What stands around an encrypted submission. Files were encrypted in the order of `media`, the XML last."""

    form_id: str
    version: str
    instance_id: str
    key: str  # base64, locked with the form's public key
    xml_file: str
    media: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Every file in the order in which they were encrypted."""
        return (*self.media, self.xml_file)


def read_manifest(xml: bytes) -> Manifest:
    """Raises Undecryptable for what is no manifest, or lacks what opening it needs."""
    try:
        instance = read_instance(xml)
    except Faulty as error:
        raise Undecryptable(str(error)) from error
    root = instance.root
    key, xml_file = root.findtext("base64EncryptedKey"), root.findtext("encryptedXmlFile")
    if not (instance.encrypted and instance.instance_id and key and xml_file):
        raise Undecryptable("This is not the manifest of an encrypted submission, or it is not whole.")
    media = [(element.text or "").strip() for element in root.iterfind("media/file")]
    return Manifest(
        form_id=instance.form_id,
        version=instance.version,
        instance_id=instance.instance_id,
        key="".join(key.split()),
        xml_file=xml_file.strip(),
        media=tuple(name for name in media if name),
    )


def submission_key(private_key: PrivateKey, manifest: Manifest) -> bytes:
    """The key that the client made for this one submission. Raises Undecryptable if it was locked for another key."""
    key = _unlocked(private_key, manifest.key)
    if len(key) != _KEY_BYTES:
        raise Undecryptable("The key in the manifest has not the length of an AES-256 key.")
    return key


def decrypt_file(key: bytes, manifest: Manifest, name: str, content: bytes) -> bytes:
    """One file that the manifest names. Raises Undecryptable if it is damaged, or was encrypted with another key."""
    return b"".join(decrypt_pieces(key, manifest, name, [content]))


def decrypt_pieces(key: bytes, manifest: Manifest, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same for a file that is read piece by piece, so that no film has to fit into memory."""
    decryptor = Cipher(AES256(key), CFB(_initial(key, manifest, name))).decryptor()
    held = b""
    for piece in pieces:
        held += decryptor.update(piece)
        if len(held) > _BLOCK:
            yield held[:-_BLOCK]
            held = held[-_BLOCK:]
    yield _unpadded(held + decryptor.finalize())


def plain_name(name: str) -> str:
    """What a file was called before it was encrypted."""
    return name.removesuffix(_SUFFIX)


def _unlocked(private_key: PrivateKey, text: str) -> bytes:
    try:
        locked = base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise Undecryptable("The manifest's key is not base64.") from error
    for padding in _PADDINGS:
        try:
            return private_key.decrypt(locked, padding)
        except ValueError:
            continue
    raise Undecryptable("The submission was encrypted for another key than this one.")


def _initial(key: bytes, manifest: Manifest, name: str) -> bytes:
    """The initialisation vector of a file: the digest with a byte raised for each file up to and with this one."""
    if name not in manifest.files:
        raise Undecryptable(f"The manifest does not name ‘{name}’.")
    seed = bytearray(hashlib.md5(manifest.instance_id.encode() + key, usedforsecurity=False).digest())
    for count in range(manifest.files.index(name) + 1):
        seed[count % _BLOCK] = (seed[count % _BLOCK] + 1) % 256
    return bytes(seed)


def _unpadded(last: bytes) -> bytes:
    length = last[-1] if last else 0
    if not 1 <= length <= _BLOCK or last[-length:] != bytes([length]) * length:
        raise Undecryptable("The file does not end as an encrypted file does: it is damaged, or the key is another.")
    return last[:-length]
