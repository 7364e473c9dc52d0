"""The files that items name: which of them are here, what each version still lacks, and two that have one name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

from sqlalchemy import select, update

from sync.intake.files import held_files, recount_missing
from sync.intake.items import shortened
from sync.intake.prepare import Ready, Waiting
from sync.journal import Journal
from sync.models import Attachment, SubmissionVersion
from sync.models.database import insert_rows

Instance = tuple[int, str]  # submission, instance id
Row = dict[str, Any]


class Brought(IntEnum):
    """What a resent item brought: nothing new, only what nothing asked for or is kept beside, or what was missing."""

    NOTHING = 0
    BESIDE = 1
    MISSING = 2


_SAYS = ("sha256", "size", "type", "present")


class Attaching:
    """Gathers the attachments of a batch in memory and writes them together. `held` is content that is surely here.

    What is known by a name stays: other content that comes under it is kept beside, as its rival.
    """

    def __init__(self, journal: Journal, held: Iterable[str] = ()) -> None:
        self._journal = journal
        self._connection = journal.connection
        self._held = set(held)
        self._rows: dict[Instance, dict[str, Row]] = defaultdict(dict)
        self._again: set[int] = set()

    def look_for(self, hashes: Iterable[str]) -> None:
        """Find out which of this content the project has."""
        self._held |= held_files(self._journal.session, self._journal.project_id, set(hashes) - self._held)

    def missing(self, item: Ready | Waiting) -> list[str]:
        """The content that the item announced and that has to be sent."""
        asked = dict.fromkeys(attachment["sha256"] for attachment in item.attachments)
        return [sha256 for sha256 in asked if sha256 not in self._held]

    def are_known(self, item: Waiting, instance: Instance) -> bool:
        """Whether the version that is stored has every file that the item announces."""
        asked = {said["sha256"] for said in item.attachments}
        return not asked or asked <= {row["sha256"] for row in self._stored(instance).values()}

    def attach(self, item: Ready, submission_id: int) -> None:
        """The files of a version that is filed now: those that it announces, and those that its answers name."""
        if item.attachments or item.named:
            self._add(item, submission_id, {})

    def attach_again(self, item: Ready, submission_id: int) -> Brought:
        """What a resent item brings or announces beyond what its version has."""
        if not item.attachments:
            return Brought.NOTHING
        brought = self._add(item, submission_id, self._stored((submission_id, item.instance_id)))
        if brought:
            self._again.add(submission_id)
        return brought

    def carry_over(self, item: Ready, submission_id: int, parent: str) -> None:
        """A file that an edit names as the version before did, without announcing it anew, is the same file."""
        rows = self._rows.get((submission_id, item.instance_id), {})
        lacking = {name: row for name, row in rows.items() if row["sha256"] is None}
        if not lacking:
            return
        before = {**self._stored((submission_id, parent)), **self._rows.get((submission_id, parent), {})}
        for name in lacking.keys() & before.keys():
            lacking[name].update({key: before[name][key] for key in _SAYS})

    def count_again(self, submission_id: int) -> None:
        """Have what the submission lacks counted anew."""
        self._again.add(submission_id)

    def outstanding(self, submission_id: int, instance_id: str) -> int:
        """How many files of a version that is filed now are not here."""
        return sum(not row["present"] for row in self._rows.get((submission_id, instance_id), {}).values())

    def rivalled(self) -> list[int]:
        """The submissions to which a file came under the name of another."""
        return sorted({key[0] for key, rows in self._rows.items() if any(row["rival_of"] for row in rows.values())})

    def write(self) -> None:
        """Write the attachments down, once their submissions are."""
        rows = [row for named in self._rows.values() for row in named.values()]
        insert_rows(self._connection, Attachment.__table__, rows)  # type: ignore[arg-type]
        for submission_id in sorted(self._again):
            recount_missing(self._journal, submission_id)

    def _add(self, item: Ready, submission_id: int, known: dict[str, Row]) -> Brought:
        rows = self._rows[(submission_id, item.instance_id)]
        brought = [self._place(item, submission_id, said, known) for said in item.attachments]
        for name in item.named:
            if name not in known and name not in rows:
                rows[name] = self._row(item, submission_id, name, {})
        return max(brought, default=Brought.NOTHING)

    def _place(self, item: Ready, submission_id: int, said: Mapping[str, Any], known: dict[str, Row]) -> Brought:
        """Give what came or was announced its name; whether that is news."""
        rows, name, sha256 = self._rows[(submission_id, item.instance_id)], said["name"], said["sha256"]
        place = known.get(name) or rows.get(name)
        if place is None:
            rows[name] = self._row(item, submission_id, name, said)
            return Brought.MISSING if name in item.named else Brought.BESIDE
        if place["sha256"] is None:
            place.update(self._saying(said))
            if name in known:
                self._tell(item, submission_id, name, self._saying(said))
            return Brought.MISSING
        if place["sha256"] == sha256:
            return self._arrives(place, sha256)
        rival = _rival_name(name, sha256)
        if place := known.get(rival) or rows.get(rival):
            return self._arrives(place, sha256)
        rows[rival] = {**self._row(item, submission_id, rival, said), "rival_of": name}
        self._journal.record("rival_file", submission_id, {"name": name, "kept_as": rival})
        return Brought.BESIDE

    def _arrives(self, place: Row, sha256: str) -> Brought:
        """Whether what was announced before is here now."""
        return Brought.MISSING if not place["present"] and sha256 in self._held else Brought.NOTHING

    def _row(self, item: Ready, submission_id: int, name: str, said: Mapping[str, Any]) -> Row:
        return {
            "project_id": self._journal.project_id,
            "submission_id": submission_id,
            "instance_id": item.instance_id,
            "name": name,
            **self._saying(said),
            "extra": name not in item.named,
            "rival_of": None,
        }

    def _saying(self, said: Mapping[str, Any]) -> Row:
        sha256 = said.get("sha256")
        return {
            "sha256": sha256,
            "size": said.get("size"),
            "type": said.get("type"),
            "present": sha256 in self._held,
        }

    def _stored(self, instance: Instance) -> dict[str, Row]:
        columns = [getattr(Attachment, key) for key in ("name", *_SAYS)]
        rows = self._connection.execute(
            select(*columns).where(
                Attachment.project_id == self._journal.project_id,
                Attachment.submission_id == instance[0],
                Attachment.instance_id == instance[1],
            )
        )
        return {row["name"]: dict(row) for row in rows.mappings()}

    def _tell(self, item: Ready, submission_id: int, name: str, saying: Mapping[str, Any]) -> None:
        """Say what a file is that was named only: of this version, and of later ones that name it and have no other."""
        project_id = self._journal.project_id
        number = (
            select(SubmissionVersion.number)
            .where(
                SubmissionVersion.project_id == project_id,
                SubmissionVersion.form_id == item.form,
                SubmissionVersion.instance_id == item.instance_id,
            )
            .scalar_subquery()
        )
        since = select(SubmissionVersion.instance_id).where(
            SubmissionVersion.project_id == project_id,
            SubmissionVersion.submission_id == submission_id,
            SubmissionVersion.number >= number,
        )
        self._connection.execute(
            update(Attachment)
            .where(
                Attachment.project_id == project_id,
                Attachment.submission_id == submission_id,
                Attachment.instance_id.in_(since),
                Attachment.name == name,
                Attachment.sha256.is_(None),
            )
            .values(saying)
        )


def _rival_name(name: str, sha256: str) -> str:
    """`photo.jpg` becomes `photo~1a2b3c4d.jpg`: the same content gets the same name, however often it comes."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > 10:
        stem, dot, suffix = name, "", ""
    return f"{shortened(stem)[:200]}~{sha256[:8]}{dot}{suffix}"
