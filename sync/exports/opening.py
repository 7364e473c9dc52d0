"""Encrypted submissions on their way out: opened with the passphrases that whoever exports them gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.findings import Faulty
from forms.xforms.answers import answers_of
from forms.xforms.instance import read_instance
from sync.encryption.decrypting import (
    Manifest,
    decrypt_file,
    decrypt_pieces,
    plain_name,
    read_manifest,
    submission_key,
)
from sync.encryption.keys import PrivateKey, unlock
from sync.errors import Undecryptable
from sync.exports.fields import Table
from sync.exports.rows import Reader, SubmissionRow, put
from sync.intake.content import store_of
from sync.intake.prepare import unpack
from sync.models import Attachment, EncryptionKey, FormVersion, SubmissionVersion
from sync.projects.catalogue import Published, published

_PIECE = 1 << 16


def unlock_keys(session: Session, project_id: int, passphrases: Mapping[int, str]) -> dict[int, PrivateKey]:
    """The private halves of the project's keys. Raises Undecryptable for a wrong passphrase or an unknown key."""
    found = {}
    for key_id, passphrase in passphrases.items():
        key = session.get(EncryptionKey, (project_id, key_id))
        if key is None:
            raise Undecryptable(f"The project has no key {key_id}.")
        found[key_id] = unlock(key, passphrase)
    return found


@dataclass(frozen=True, slots=True)
class Sealed:
    """What an encrypted instance says of itself, and the files that came with it by name."""

    manifest: Manifest
    key: bytes
    files: Mapping[str, str]  # name → SHA-256 of what is here


class Opener:
    """Opens submissions that were encrypted with one of the keys; the others stay closed."""

    def __init__(
        self,
        session: Session,
        project_id: int,
        form_id: str,
        tables: list[Table],
        keys: Mapping[int, PrivateKey],
    ) -> None:
        self._session = session
        self._project_id = project_id
        self._form_id = form_id
        self._keys = keys
        self._store = store_of(session)
        self._tables = tables
        self._reader = Reader(session, project_id, form_id, tables)
        versions = session.execute(
            select(FormVersion.version, FormVersion.key_id).where(
                FormVersion.project_id == project_id, FormVersion.form_id == form_id
            )
        )
        self._key_of: dict[str, int | None] = {row.version: row.key_id for row in versions}

    def open(self, row: SubmissionRow) -> SubmissionRow:
        """The row with its answers; as it was if it is not encrypted, not whole, or for another key.

        Raises Undecryptable for one whose bytes are damaged: an export that passed it over would look whole.
        """
        if row.status is None:
            return row
        sealed = self._sealed(row)
        if sealed is None:
            return row
        content = self._content(sealed, sealed.manifest.xml_file)
        form = published(self._session, self._project_id, self._form_id, row.form_version)
        if content is None or not isinstance(form, Published):
            return row
        xml = decrypt_file(sealed.key, sealed.manifest, sealed.manifest.xml_file, content)
        try:
            instance = read_instance(xml)
        except Faulty as error:
            raise Undecryptable(f"{row.instance_id} was opened and cannot be read: {error}") from error
        answers = self._reader.renamed(self._tables[0], row.form_version, answers_of(form.form, instance))
        put(answers, ("meta", "instanceID"), row.current_instance_id)
        put(answers, ("meta", "instanceName"), instance.instance_name)
        return replace(row, status=None, answers=answers, instance_name=instance.instance_name)

    def media(self, submission_id: int, instance_id: str, version: str) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The files of an encrypted submission by their plain names, without the XML; none of one that stays closed."""
        sealed = self._seal_of(submission_id, instance_id, version)
        for name in sealed.manifest.media if sealed else ():
            assert sealed is not None
            if (sha256 := sealed.files.get(name)) and self._store.holds(sha256):
                yield plain_name(name), decrypt_pieces(sealed.key, sealed.manifest, name, self._pieces(sha256))

    def _sealed(self, row: SubmissionRow) -> Sealed | None:
        return self._seal_of(row.id, row.current_instance_id, row.form_version)

    def _seal_of(self, submission_id: int, instance_id: str, version: str) -> Sealed | None:
        xml = self._session.scalar(
            select(SubmissionVersion.xml).where(
                SubmissionVersion.project_id == self._project_id,
                SubmissionVersion.form_id == self._form_id,
                SubmissionVersion.instance_id == instance_id,
            )
        )
        if xml is None:
            return None
        try:
            manifest = read_manifest(unpack(xml))
        except Undecryptable:
            return None
        key = self._key(manifest, version)
        if key is None:
            return None
        files = self._session.execute(
            select(Attachment.name, Attachment.sha256).where(
                Attachment.project_id == self._project_id,
                Attachment.submission_id == submission_id,
                Attachment.instance_id == instance_id,
                Attachment.present,
            )
        )
        return Sealed(manifest, key, {name: sha256 for name, sha256 in files if sha256})

    def _key(self, manifest: Manifest, version: str) -> bytes | None:
        """With the key of the form's version first: it is the one, unless a device was slow to update."""
        first = self._key_of.get(version)
        for key_id in sorted(self._keys, key=lambda one: (one != first, one)):
            try:
                return submission_key(self._keys[key_id], manifest)
            except Undecryptable:
                continue
        return None

    def _content(self, sealed: Sealed, name: str) -> bytes | None:
        sha256 = sealed.files.get(name)
        return self._store.read(sha256) if sha256 and self._store.holds(sha256) else None

    def _pieces(self, sha256: str) -> Iterator[bytes]:
        with self._store.open(sha256) as file:
            while piece := file.read(_PIECE):
                yield piece
