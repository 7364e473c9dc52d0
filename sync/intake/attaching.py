"""The files that the items of a batch name: which of them are here, and what each version still lacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select, update

from sync.intake.files import held_files, recount_missing
from sync.intake.prepare import Ready
from sync.journal import Journal
from sync.models import Attachment
from sync.models.database import insert_rows

Instance = tuple[int, str]  # submission, instance id
_SAYS = ("sha256", "size", "type", "present")


class Attaching:
    """Gathers the attachments of a batch in memory and writes them together."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._connection = journal.session.connection()
        self._held: set[str] = set()
        self._rows: dict[Instance, dict[str, dict[str, Any]]] = defaultdict(dict)
        self._again: set[int] = set()

    def look_for(self, hashes: Iterable[str]) -> None:
        """Find out which of this content the project has."""
        self._held |= held_files(self._journal.session, self._journal.project_id, set(hashes) - self._held)

    def missing(self, item: Ready) -> list[str]:
        """The content that the item announced and that has to be sent."""
        asked = dict.fromkeys(attachment["sha256"] for attachment in item.attachments)
        return [sha256 for sha256 in asked if sha256 not in self._held]

    def attach(self, item: Ready, submission_id: int) -> None:
        """The files of a version that is filed now: those that it announces, and those that its answers name."""
        if item.attachments or item.named:
            self._add(item, submission_id, {})

    def attach_again(self, item: Ready, submission_id: int) -> None:
        """What a resent item announces beyond what its version has; nothing that is known is replaced."""
        if not item.attachments:
            return
        known = {name: row["sha256"] for name, row in self._stored((submission_id, item.instance_id)).items()}
        self._add(item, submission_id, known)
        self._again.add(submission_id)

    def carry_over(self, item: Ready, submission_id: int, parent: str) -> None:
        """A file that an edit names as the version before did, without announcing it anew, is the same file."""
        rows = self._rows.get((submission_id, item.instance_id), {})
        lacking = {name: row for name, row in rows.items() if row["sha256"] is None}
        if not lacking:
            return
        before = {**self._stored((submission_id, parent)), **self._rows.get((submission_id, parent), {})}
        for name in lacking.keys() & before.keys():
            lacking[name].update({key: before[name][key] for key in _SAYS})

    def outstanding(self, submission_id: int, instance_id: str) -> int:
        """How many files of a version that is filed now are not here."""
        return sum(not row["present"] for row in self._rows.get((submission_id, instance_id), {}).values())

    def write(self) -> None:
        """Write the attachments down, once their submissions are."""
        rows = [row for named in self._rows.values() for row in named.values()]
        insert_rows(self._connection, Attachment.__table__, rows)  # type: ignore[arg-type]
        for submission_id in sorted(self._again):
            recount_missing(self._journal, submission_id)

    def _add(self, item: Ready, submission_id: int, known: Mapping[str, str | None]) -> None:
        rows = self._rows[(submission_id, item.instance_id)]
        announced = {attachment["name"]: attachment for attachment in item.attachments}
        for name in dict.fromkeys([*announced, *item.named]):
            said = announced.get(name, {})
            if name in known:
                if known[name] is None and said:
                    self._tell(submission_id, item.instance_id, name, self._saying(said))
            elif name not in rows or rows[name]["sha256"] is None:
                rows[name] = {
                    "project_id": self._journal.project_id,
                    "submission_id": submission_id,
                    "instance_id": item.instance_id,
                    "name": name,
                    **self._saying(said),
                }

    def _saying(self, said: Mapping[str, Any]) -> dict[str, Any]:
        sha256 = said.get("sha256")
        return {
            "sha256": sha256,
            "size": said.get("size"),
            "type": said.get("type"),
            "present": sha256 in self._held,
        }

    def _stored(self, instance: Instance) -> dict[str, dict[str, Any]]:
        columns = [getattr(Attachment, key) for key in ("name", *_SAYS)]
        rows = self._connection.execute(select(*columns).where(*self._of(*instance)))
        return {row["name"]: dict(row) for row in rows.mappings()}

    def _tell(self, submission_id: int, instance_id: str, name: str, saying: Mapping[str, Any]) -> None:
        self._connection.execute(
            update(Attachment).where(*self._of(submission_id, instance_id), Attachment.name == name).values(saying)
        )

    def _of(self, submission_id: int, instance_id: str) -> tuple[Any, ...]:
        return (
            Attachment.project_id == self._journal.project_id,
            Attachment.submission_id == submission_id,
            Attachment.instance_id == instance_id,
        )
