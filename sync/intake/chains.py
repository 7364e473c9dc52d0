"""What is filed already of the instances that items name: submissions as chains of versions, and what comes again."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select

from forms.form import Flag
from forms.records import record
from sync.dedup.doubles import Former
from sync.intake.prepare import Ready, Waiting, canonical_hash, sha256_of, unpack
from sync.journal import Journal
from sync.models import Submission, SubmissionVersion
from sync.models.probing import rows_of_ids

Key = tuple[str, str]  # form id, instance id


@dataclass(slots=True)
class Chain:
    """A submission as far as filing needs it: which of its versions is the current one."""

    submission_id: int
    first: str  # instance id, by which the submission is named
    current: str
    versions: int
    flags: Sequence[Flag]
    deleted_at: dt.datetime | None
    new: bool
    more_to_come: bool = False
    former: Former | None = None  # by what it was compared with others before this batch corrected it
    row: dict[str, Any] = field(default_factory=dict)  # of a submission that this batch makes


@record
class Version:
    """One instance that is filed already, here or earlier in this batch."""

    chain: Chain
    sha256: bytes
    canonical_sha256: bytes
    packed: bytes | None = None  # its XML, if this batch brought it


class Chains:
    """The `versions` that were looked for and found, to which a batch adds those that it files."""

    def __init__(self, journal: Journal) -> None:
        self.versions: dict[Key, Version] = {}
        self._journal = journal
        self._said: dict[Key, bytes] = {}  # canonical hashes of what is stored

    def look_for(self, keys: set[Key]) -> None:
        """Find out which of these instances are filed."""
        by_form: dict[str, list[str]] = defaultdict(list)
        for form_id, instance_id in keys - self.versions.keys():
            if (SubmissionVersion, form_id, instance_id) not in self._journal.seen.absent:
                by_form[form_id].append(instance_id)
        version, project_id = SubmissionVersion, self._journal.project_id
        for form_id, instance_ids in by_form.items():
            found = rows_of_ids(
                self._journal.connection,
                [version.instance_id, version.sha256, version.canonical_sha256, version.submission_id],
                [(version.project_id, project_id), (version.form_id, form_id)],
                version.instance_id,
                instance_ids,
            )
            chains = self._chains({row.submission_id for row in found})
            for row in found:
                chain = chains[row.submission_id]
                self.versions[(form_id, row.instance_id)] = Version(chain, row.sha256, row.canonical_sha256)

    def accepted(self, key: Key, chain: Chain) -> Version | None:
        """The version that a coordinator made of what waited because another content has its id, if it is of these."""
        self.look_for({key})
        found = self.versions.get(key)
        return found if found is not None and found.chain is chain else None

    def are_same(self, item: Ready, known: Version) -> bool:
        """Whether it is what is filed under its id, maybe written otherwise. Few are, so nothing is hashed before."""
        if known.sha256 == item.sha256:
            return True
        own = canonical_hash(item.xml)
        if known.canonical_sha256:
            return known.canonical_sha256 in (own, item.canonical_sha256)
        key = item.form, item.instance_id
        if key not in self._said:
            at = {"project": self._journal.project_id, "form": item.form, "instance": item.instance_id}
            packed = known.packed or self._journal.connection.scalars(_XML, at).one()
            self._said[key] = canonical_hash(unpack(packed))
        return self._said[key] == own

    def _chains(self, submission_ids: set[int]) -> dict[int, Chain]:
        """The submissions with these ids; the same object for the same submission throughout."""
        known = {version.chain.submission_id: version.chain for version in self.versions.values()}
        for row in rows_of_ids(
            self._journal.connection,
            _CHAIN,
            [(Submission.project_id, self._journal.project_id)],
            Submission.id,
            sorted(submission_ids - known.keys()),
        ):
            known[row.id] = Chain(
                submission_id=row.id,
                first=row.instance_id,
                current=row.current_instance_id,
                versions=row.versions,
                flags=[Flag(*flag) for flag in row.flags],
                deleted_at=row.deleted_at,
                new=False,
                more_to_come=row.more_to_come,
                former=Former(row.fingerprint, row.subject, row.day),
            )
        return known


def came_before(item: Waiting, known: Version) -> bool:
    """Whether what cannot be read by its form any more is what is filed under its id."""
    return known.sha256 == sha256_of(item.raw) or known.canonical_sha256 == item.said != b""


_XML = select(SubmissionVersion.xml).where(
    SubmissionVersion.project_id == bindparam("project"),
    SubmissionVersion.form_id == bindparam("form"),
    SubmissionVersion.instance_id == bindparam("instance"),
)
_CHAIN = (
    Submission.id,
    Submission.instance_id,
    Submission.current_instance_id,
    Submission.versions,
    Submission.flags,
    Submission.deleted_at,
    Submission.more_to_come,
    Submission.fingerprint,
    Submission.subject,
    Submission.day,
)
