import base64
import datetime as dt
import json
from collections.abc import Iterator
from functools import cache

import pytest

from sync.encryption.decrypting import (
    Manifest,
    decrypt_file,
    decrypt_pieces,
    plain_name,
    read_manifest,
    submission_key,
)
from sync.encryption.keys import NewKey, PrivateKey, make_key, public_key, unlock
from sync.errors import Undecryptable, Unexpected
from sync.models import EncryptionKey
from tests.support.encrypting import Encrypted, encrypted_submission

PASSPHRASE = "le karité de Siby"
XML = "<data id='sale' version='1'><seller>Awa Traoré</seller></data>".encode()
MEDIA = {"1699.jpg": b"\xff\xd8" + bytes(range(256)) * 5, "empty.txt": b"", "sixteen.txt": b"0123456789abcdef"}
NAME = "uuid:6a1f0f5e-7c2b-4f53-9a49-0d4f5a1b2c3d"


@cache
def a_key() -> NewKey:
    return make_key(PASSPHRASE, "what the cooperative makes")


@cache
def opened() -> PrivateKey:
    return unlock(stored(a_key()), PASSPHRASE)


def stored(key: NewKey) -> EncryptionKey:
    return EncryptionKey(
        project_id=1,
        id=1,
        public=key.public,
        private=json.loads(json.dumps(key.private)),
        hint=key.hint,
        created_at=dt.datetime.now(dt.UTC),
    )


def a_submission(mask: str = "sha256") -> Encrypted:
    return encrypted_submission(
        a_key().public, XML, form_id="sale", version="1", instance_id=NAME, media=MEDIA, mask=mask
    )


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("mask", ["sha256", "sha1"])
def test_what_a_client_encrypted_opens_with_the_passphrase_whichever_mask_it_used(mask: str) -> None:
    sent = a_submission(mask)
    manifest = read_manifest(sent.manifest)

    key = submission_key(opened(), manifest)
    assert decrypt_file(key, manifest, manifest.xml_file, sent.files["submission.xml.enc"]) == XML
    assert {plain_name(name): decrypt_file(key, manifest, name, sent.files[name]) for name in manifest.media} == MEDIA


@pytest.mark.parametrize("size", [1, 7, 16, 17, 1000, 100_000])
def test_a_file_opens_the_same_however_it_is_cut(size: int) -> None:
    sent = a_submission()
    manifest = read_manifest(sent.manifest)
    key = submission_key(opened(), manifest)

    assert (
        b"".join(decrypt_pieces(key, manifest, "1699.jpg.enc", pieces(sent.files["1699.jpg.enc"], size)))
        == (MEDIA["1699.jpg"])
    )


def test_more_than_sixteen_files_each_have_their_own_beginning() -> None:
    media = {f"{number}.txt": b"the same words in each" for number in range(40)}
    sent = encrypted_submission(a_key().public, XML, form_id="sale", version="1", instance_id=NAME, media=media)
    manifest = read_manifest(sent.manifest)
    key = submission_key(opened(), manifest)

    assert len(set(sent.files.values())) == 41
    assert {plain_name(name): decrypt_file(key, manifest, name, sent.files[name]) for name in manifest.media} == media
    assert decrypt_file(key, manifest, manifest.xml_file, sent.files["submission.xml.enc"]) == XML


def test_reading_the_database_does_not_open_the_private_key() -> None:
    key = a_key()

    assert set(key.private) == {"kdf", "passes", "kibibytes", "cipher", "salt", "nonce", "text"}
    text = base64.b64decode(key.private["text"])
    assert b"\x02\x82" not in text[:40]  # no DER in the clear
    with pytest.raises(Undecryptable):
        unlock(stored(key), "")
    with pytest.raises(Undecryptable):
        unlock(stored(key), PASSPHRASE + " ")


def test_a_private_key_does_not_pass_for_that_of_another_public_one() -> None:
    other = make_key(PASSPHRASE)
    mixed = stored(NewKey(other.public, a_key().private, None))

    with pytest.raises(Undecryptable):
        unlock(mixed, PASSPHRASE)


def test_a_key_whose_private_half_is_at_home_is_not_opened_here() -> None:
    key = stored(a_key())
    key.private = None

    with pytest.raises(Undecryptable, match="at home"):
        unlock(key, PASSPHRASE)


@pytest.mark.parametrize("passphrase", ["", "short", "x" * 1001])
def test_a_passphrase_has_to_protect_something(passphrase: str) -> None:
    with pytest.raises(Unexpected):
        make_key(passphrase)


def test_another_key_does_not_open_a_submission() -> None:
    other = make_key("rice, parboiled")
    manifest = read_manifest(a_submission().manifest)

    with pytest.raises(Undecryptable, match="another key"):
        submission_key(unlock(stored(other), "rice, parboiled"), manifest)


def test_a_damaged_file_is_told_from_a_whole_one() -> None:
    sent = a_submission()
    manifest = read_manifest(sent.manifest)
    key = submission_key(opened(), manifest)
    whole = sent.files["1699.jpg.enc"]

    for damaged in (whole[:-3], b"", whole[:-1] + bytes([whole[-1] ^ 0xFF])):
        with pytest.raises(Undecryptable, match="damaged"):
            decrypt_file(key, manifest, "1699.jpg.enc", damaged)
    with pytest.raises(Undecryptable, match="not name"):
        decrypt_file(key, manifest, "other.jpg.enc", whole)


@pytest.mark.parametrize(
    "xml",
    [
        b"<data id='sale'><meta><instanceID>uuid:1</instanceID></meta></data>",
        b"<data id='sale' encrypted='yes'><meta><instanceID>uuid:1</instanceID></meta></data>",
        b"<data id='sale' encrypted='yes'><base64EncryptedKey>eA==</base64EncryptedKey></data>",
        b"not XML at all",
    ],
)
def test_what_is_no_manifest_is_called_so(xml: bytes) -> None:
    with pytest.raises(Undecryptable):
        read_manifest(xml)


@pytest.mark.parametrize("key", ["", "eA==", "not base64", base64.b64encode(bytes(256)).decode()])
def test_a_key_that_nobody_locked_is_refused(key: str) -> None:
    manifest = Manifest("sale", "1", NAME, key, "submission.xml.enc", ())

    with pytest.raises(Undecryptable):
        submission_key(opened(), manifest)


def test_a_public_key_that_somebody_brings_is_looked_at() -> None:
    assert public_key(f"\n {a_key().public[:64]}\n{a_key().public[64:]} ") == a_key().public
    for text in ("", "MIIB", base64.b64encode(b"nothing").decode()):
        with pytest.raises(Unexpected):
            public_key(text)
