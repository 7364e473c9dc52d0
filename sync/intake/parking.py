"""What of a batch cannot be filed and waits in quarantine, and what waited there for something that came now."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from sync.intake.attaching import Attaching
from sync.intake.chains import Key
from sync.intake.prepare import Ready, Waiting, pack, sha256_of, unpack
from sync.intake.receipts import Receipt, Sender
from sync.journal import Journal
from sync.models import Form, Quarantined, SubmissionVersion
from sync.models.database import insert_rows
from sync.models.probing import rows_of_keys

# What makes a row of its own in quarantine: instance id, form id, what it corrects, hash of the bytes, reason.
Put = tuple[str | None, str | None, str | None, bytes, str]

_PUT = (Quarantined.instance_id, Quarantined.form_id, Quarantined.edits, Quarantined.sha256, Quarantined.reason)
_NAMELESS = Quarantined.instance_id.is_(None)


class Parking:
    """Gathers what a batch puts into quarantine in memory and writes it together; the same bytes wait there once."""

    def __init__(self, journal: Journal, files: Attaching) -> None:
        self._journal = journal
        self._connection = journal.connection
        self._files = files
        self._waiting: dict[Key, list[Quarantined]] = defaultdict(list)
        self._awaited: set[str] = set()
        self._parked: set[Put] = set()
        self._looked_for: set[tuple[str | None, bytes]] = set()
        self._rows: list[dict[str, Any]] = []

    def look_for_corrections(self, instance_ids: Sequence[str]) -> None:
        """Find out what waits for one of these instances."""
        unasked = sorted(set(instance_ids) - self._awaited)
        self._awaited |= set(unasked)
        found = rows_of_keys(
            self._connection,
            [Quarantined.id],
            [Quarantined.edits],
            [(id_,) for id_ in unasked if (Quarantined, id_) not in self._journal.seen.absent],
            (Quarantined.project_id, self._journal.project_id),
            (Quarantined.state, "open"),
            (Quarantined.reason, "edits_unknown"),
        )
        for parked_id in sorted(row.id for row in found):
            parked = self._journal.session.get_one(Quarantined, (self._journal.project_id, parked_id))
            self._waiting[(parked.form_id or "", parked.edits or "")].append(parked)

    def look_for_same(self, wanted: Iterable[tuple[str | None, bytes]]) -> None:
        """Find out what waits, or has waited, with one of these instance ids and hashes. Of the hash alone there may be
        thousands: all records that a power cut emptied have the same."""
        unasked = set(wanted) - self._looked_for
        self._looked_for |= unasked
        named = sorted({instance_id for instance_id, _ in unasked if instance_id is not None})
        nameless = sorted({sha256 for instance_id, sha256 in unasked if instance_id is None})
        here, columns = (Quarantined.project_id, self._journal.project_id), (*_PUT, Quarantined.state)
        by_id, by_hash = [Quarantined.instance_id], [Quarantined.sha256]
        found = rows_of_keys(self._connection, columns, by_id, [(id_,) for id_ in named], here)
        found += rows_of_keys(self._connection, columns, by_hash, [(hash_,) for hash_ in nameless], here, _NAMELESS)
        self._parked |= {tuple(row[:-1]) for row in found if row.state != "discarded"}

    def corrections_of(self, key: Key) -> Sequence[Quarantined]:
        """What waited for this instance, in the order in which it came; nothing, when it is asked for again."""
        return self._waiting.pop(key, ())

    def without_original(self, item: Ready) -> Waiting:
        """A correction of what is not filed."""
        if item.edits == item.instance_id:
            return waits(item, "malformed", "It says that it corrects itself; nothing can be filed as that.")
        forms = self._connection.scalars(select(Form.form_id).where(Form.project_id == self._journal.project_id)).all()
        version = SubmissionVersion
        elsewhere = rows_of_keys(
            self._connection,
            [version.form_id],
            [version.form_id, version.instance_id],
            [(form_id, item.edits) for form_id in forms],
            (version.project_id, self._journal.project_id),
        )
        message = f"It corrects {item.edits}, which has not arrived yet."
        if elsewhere:
            message = f"It corrects {item.edits}, which is of the form {elsewhere[0].form_id!r}; a coordinator decides."
        return waits(item, "edits_unknown", message)

    def park(self, item: Waiting, sender: Sender, why: str | None = None) -> Receipt:
        """Have it wait, unless it does already. `why` is told instead of the reason for which it waits."""
        journal = self._journal
        sha256 = sha256_of(item.raw)
        put = (item.instance_id, item.form, item.edits, sha256, item.reason)
        self.look_for_same([(item.instance_id, sha256)])
        if put not in self._parked:
            parked_id = journal.new_id()
            journal.record("quarantined", None, {"quarantine": str(parked_id), "reason": item.reason})
            row = {
                "project_id": journal.project_id,
                "id": parked_id,
                "instance_id": item.instance_id,
                "form_id": item.form,
                "form_version": item.version,
                "edits": item.edits,
                "actor_id": sender.actor_id,
                "device": sender.device,
                "reason": item.reason,
                "message": item.message,
                "raw": pack(item.raw),
                "envelope": dict(item.envelope),
                "sha256": sha256,
                "received_at": journal.now,
                "state": "open",
                "resolution": None,
            }
            self._rows.append(row)
            self._parked.add(put)
            if item.reason == "edits_unknown":
                self._waiting[(item.form or "", item.edits or "")].append(Quarantined(**row))
        elif item.attachments:
            self._bring_along(put, item)
        self._files.look_for(said["sha256"] for said in item.attachments)
        missing = self._files.missing(item)
        outcome = "conflict" if item.reason == "conflict" else "quarantined"
        return Receipt(item.instance_id, outcome, missing=missing, reason=item.message, why=why or item.reason)

    def resolve(self, parked: Quarantined, receipt: Receipt) -> None:
        """It waits no more: what it waited for came, and the receipt says what became of it."""
        resolution = {"action": "released", "outcome": receipt.outcome, "at": self._journal.now.isoformat()}
        pending = next((row for row in self._rows if row["id"] == parked.id), None)
        if pending is not None:
            pending["state"], pending["resolution"] = "resolved", resolution
        else:
            parked.state, parked.resolution = "resolved", resolution

    def write(self) -> None:
        """Write down what waits anew."""
        insert_rows(self._connection, Quarantined.__table__, self._rows)  # type: ignore[arg-type]

    def _bring_along(self, put: Put, item: Waiting) -> None:
        """What waits already and comes again with other files is filed with all of them."""
        pending = next((row for row in self._rows if tuple(row[each.key] for each in _PUT) == put), None)
        if pending is not None:
            pending["envelope"].update(_with_files_of(item, pending["envelope"]))
            return
        parked = self._journal.session.scalars(
            select(Quarantined).where(
                Quarantined.project_id == self._journal.project_id,
                *(column == value for column, value in zip(_PUT, put, strict=True)),
                Quarantined.state == "open",
            )
        ).first()
        if parked is not None:
            parked.envelope = _with_files_of(item, parked.envelope)


def waits(item: Ready, reason: str, message: str) -> Waiting:
    """What could be read and cannot be filed."""
    return Waiting(item.instance_id, item.form, item.version, item.edits, reason, message, item.raw, item.envelope())


def raw_item(parked: Quarantined) -> dict[str, Any]:
    """The item as it was sent, from what the quarantine kept of it."""
    raw = unpack(parked.raw)
    if raw.lstrip()[:1] == b"{":
        found = json.loads(raw)
        return found if isinstance(found, dict) else {}
    try:
        return {**parked.envelope, "xml": raw.decode("utf-8", "surrogatepass")}
    except UnicodeDecodeError:  # in another encoding, as it was posted
        return {**parked.envelope, "xml": raw}


def _with_files_of(item: Waiting, envelope: Mapping[str, Any]) -> dict[str, Any]:
    said = envelope.get("attachments")
    known = said if isinstance(said, list) else []
    return {**envelope, "attachments": [*known, *(file for file in item.attachments if file not in known)]}
