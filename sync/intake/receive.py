"""Receiving a batch: each item is kept exactly once and gets a receipt that says what became of it."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session, aliased

from forms.findings import Faulty
from sync.intake.files import held_files
from sync.intake.filing import Filing, PrepareAgain
from sync.intake.items import Item, read_item, shortened, storable
from sync.intake.parking import raw_item, waits
from sync.intake.prepare import (
    Prepared,
    Ready,
    Refused,
    Surroundings,
    Waiting,
    prepare_instance,
    prepare_item,
    prepare_items,
)
from sync.intake.receipts import Receipt, Sender
from sync.journal import Journal, When, open_journal
from sync.models import Batch, Project, Quarantined, Server, Submission, SubmissionVersion
from sync.projects.catalogue import Catalogue

_TOO_LONG_FOR_AN_INDEX = "54000"
# For the batches in a process: they would take the processor from each other at every rule, and none be done sooner.
# Whoever asks for an earlier answer in their turn finds that of a batch which came twice, as from a device that was
# too impatient to wait for its first answer.
one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch that was read and checked, before anything is stored."""

    project_id: int
    batch_id: str
    sha256: bytes
    device: str | None
    sent_at: dt.datetime | None
    items: Sequence[Prepared]
    catalogue: Catalogue  # the forms by which they were read
    read: Callable[[Surroundings], Sequence[Prepared]]  # once more, as things stand now


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What the device is told once the batch is committed. `receipts` are in the order in which the items were sent."""

    batch_id: str
    epoch: str
    received_at: dt.datetime
    event: int
    receipts: Sequence[Mapping[str, Any]]
    again: bool  # the same batch had been answered before

    @property
    def counts(self) -> dict[str, int]:
        """How many items had which outcome."""
        found: dict[str, int] = {}
        for receipt in self.receipts:
            found[receipt["outcome"]] = found.get(receipt["outcome"], 0) + 1
        return found


def prepare_batch(
    session: Session,
    project_id: int,
    batch: Mapping[str, Any],
    sha256: bytes,
    now: dt.datetime,
    forms: frozenset[str] | None = None,
) -> PreparedBatch:
    """Read and check every item; writes nothing. `sha256` is that of the unpacked body; `batch` has its outer shape.

    `forms` are those that the sender is bound to, if any.
    """

    def read(around: Surroundings) -> list[Prepared]:
        return [within(item, forms) for item in prepare_items(around, batch["items"])]

    around = Surroundings(session, project_id, now)
    return PreparedBatch(
        project_id=project_id,
        batch_id=batch["batch"],
        sha256=sha256,
        device=shortened(storable(batch["device"])) if batch.get("device") else None,
        sent_at=batch.get("sent_at"),
        items=read(around),
        catalogue=around.catalogue,
        read=read,
    )


def within(item: Prepared, forms: frozenset[str] | None) -> Prepared:
    """What is for none of the forms that the sender is bound to waits until a coordinator looks at it.

    Also what would have waited anyhow: publishing the version that it lacks must not file it.
    """
    if forms is None or isinstance(item, Refused) or item.form is None or item.form in forms:
        return item
    named = (item.instance_id, item.form, item.version, item.edits)
    envelope = item.envelope() if isinstance(item, Ready) else item.envelope
    message = f"The sender may not fill in the form {item.form!r}."
    said = item.canonical_sha256 if isinstance(item, Ready) else item.said
    return Waiting(*named, "not_allowed", message, item.raw, envelope, said)


def answered_before(
    session: Session, project_id: int, actor_id: int, batch_id: str, sha256: bytes
) -> BatchAnswer | None:
    """The answer to a batch that was answered before, read without the lock: of lost answers come whole resends.

    None for any other; `store_batch` asks once more, should two copies of a batch come at the same moment.
    """
    known = session.get(Batch, (project_id, actor_id, batch_id))
    if known is None or known.sha256 != sha256:
        return None
    epoch = session.scalars(select(Server.epoch)).one()
    event = session.scalars(select(Project.last_event).where(Project.id == project_id)).one()
    receipts = _still_missing(session, project_id, known.receipts)
    return BatchAnswer(batch_id, epoch, known.received_at, event, receipts, again=True)


def store_batch(
    session: Session, prepared: PreparedBatch, actor_id: int, now: When, user_agent: str | None = None
) -> BatchAnswer:
    """File the batch under the project's lock; the caller commits, and only then may the answer leave.

    Should the database refuse one of the items, all is rolled back and each is filed on its own.
    """
    sender = Sender(actor_id, prepared.device, user_agent)
    try:
        return _store(session, prepared, sender, actor_id, now, _file_together)
    except StatementError as error:
        _require_own_fault(error)
    session.rollback()
    return _store(session, prepared, sender, actor_id, now, file_items)


def _store(
    session: Session,
    prepared: PreparedBatch,
    sender: Sender,
    actor_id: int,
    now: When,
    file: Callable[[Journal, Sequence[Prepared], Sender], list[Receipt]],
) -> BatchAnswer:
    journal = open_journal(session, prepared.project_id, actor_id, now)
    epoch = session.scalars(select(Server.epoch)).one()
    known = session.get(Batch, (prepared.project_id, actor_id, prepared.batch_id))
    if known is not None and known.sha256 == prepared.sha256:
        receipts = _still_missing(session, prepared.project_id, known.receipts)
        return BatchAnswer(prepared.batch_id, epoch, known.received_at, journal.last_event, receipts, again=True)
    items = prepared.items
    if not prepared.catalogue.stands():  # a form was published, closed or deleted while they were read
        items = prepared.read(Surroundings(session, prepared.project_id, journal.now))
    filed = file(journal, items, sender)
    receipts = [receipt.to_json() for receipt in filed]
    if known is None:
        session.add(
            Batch(
                project_id=prepared.project_id,
                actor_id=actor_id,
                batch_id=prepared.batch_id,
                sha256=prepared.sha256,
                device=prepared.device,
                sent_at=prepared.sent_at,
                received_at=journal.now,
                receipts=[receipt.to_json(again=True) for receipt in filed],
                event=journal.last_event,
            )
        )
    journal.close()
    return BatchAnswer(prepared.batch_id, epoch, journal.now, journal.last_event, receipts, again=False)


def _file_together(journal: Journal, items: Sequence[Prepared], sender: Sender) -> list[Receipt]:
    return Filing(journal, _again(journal), sender).file(items)


def file_items(journal: Journal, items: Sequence[Prepared], sender: Sender) -> list[Receipt]:
    """File each item on its own, so that none that the database refuses costs another."""

    def file(item: Prepared) -> Receipt:
        mark = journal.mark()
        try:
            with journal.session.begin_nested():
                return Filing(journal, _again(journal), sender).file([item])[0]
        except StatementError:
            journal.return_to(mark)
            raise

    receipts = []
    for item in items:
        try:
            receipts.append(file(item))
        except StatementError as error:
            receipts.append(file(unstorable(item, error)))
    return receipts


def file_item(journal: Journal, item: Prepared, sender: Sender, held: Collection[str] = ()) -> Receipt:
    """File the only item of a transaction, without a savepoint: should the database refuse it, the caller rolls back
    and files what `unstorable` makes of it. `held` is content that is surely in the project.
    """
    return Filing(journal, _again(journal), sender, held).file([item])[0]


def unstorable(item: Prepared, error: StatementError) -> Waiting:
    """What the database refused, to be kept as it came. Raises the error again where that would not help."""
    _require_own_fault(error)
    if not isinstance(item, Ready):
        raise error
    return waits(item, "unstorable", f"The database could not hold it ({type(error).__name__}).")


def _require_own_fault(error: StatementError) -> None:
    """Raises the error again if it is no item's fault: of a full disk or a lost connection the device has to hear."""
    if not isinstance(error, DBAPIError) or isinstance(error, DataError | IntegrityError):
        return
    if getattr(error.orig, "sqlstate", None) != _TOO_LONG_FOR_AN_INDEX:
        raise error


def _again(journal: Journal) -> PrepareAgain:
    """How an item that waited in quarantine is prepared anew, under the lock."""

    def prepare(raw: Mapping[str, Any], first_id: str, arrived: dt.datetime) -> Prepared:
        around = Surroundings(journal.session, journal.project_id, journal.now)
        return _prepare_again(around.of_what_arrived(arrived), raw, first_id)

    return prepare


def _prepare_again(around: Surroundings, raw: Mapping[str, Any], first_id: str | None = None) -> Prepared:
    xml = raw.get("xml")
    if isinstance(xml, bytes):
        return prepare_xml(around, replace(read_item({**raw, "xml": ""}), xml=xml))
    return prepare_item(around, raw, first_id) if first_id else prepare_items(around, [raw])[0]


def prepare_xml(around: Surroundings, item: Item, *, even_if_closed: bool = False) -> Prepared:
    """An item that came as XML in whatever encoding; what cannot be read waits for a coordinator."""
    xml = item.xml or b""
    try:
        return prepare_instance(around, xml, item, even_if_closed=even_if_closed)
    except Faulty as faulty:
        return Waiting(None, None, None, None, "unreadable", str(storable(str(faulty)))[:2000], xml, item.envelope())


def _still_missing(session: Session, project_id: int, receipts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The receipts of a batch as they were, but for the files that have arrived since."""
    asked = {sha256 for receipt in receipts for sha256 in receipt["missing"]}
    if not asked:
        return list(receipts)
    held = held_files(session, project_id, asked)
    return [
        {**receipt, "missing": [sha256 for sha256 in receipt["missing"] if sha256 not in held]} for receipt in receipts
    ]


def receive_again(journal: Journal, parked: Quarantined, as_edit: bool = False) -> Receipt:
    """File what waited in quarantine, for whoever sent it; it may have to go on waiting.

    With `as_edit` it becomes the next version of the submission that it conflicts with. An instance whose id another
    content has gets one made from its own.
    """
    item = _parked(Surroundings(journal.session, journal.project_id, journal.now), parked)
    if as_edit and isinstance(item, Ready):
        item = _as_edit(journal.session, journal.project_id, item)
    sender = Sender(parked.actor_id, parked.device)
    with journal.session.begin_nested():
        return Filing(journal, _again(journal), sender).file([item])[0]


def parked_anew(journal: Journal, parked: Quarantined) -> bool:
    """Whether it waits under another reason now, as an item of its own: then this one is done with."""
    later = select(Quarantined.id).where(
        Quarantined.project_id == journal.project_id,
        Quarantined.instance_id == parked.instance_id,
        Quarantined.sha256 == parked.sha256,
        Quarantined.id > journal.found.last_id,
        Quarantined.id != parked.id,
    )
    return journal.session.scalars(later.limit(1)).first() is not None


def read_again(around: Surroundings, parked: Quarantined) -> Ready | None:
    """What would be filed of it now, without filing it; None for what cannot be read, or waits for something else."""
    item = _parked(around, parked)
    return item if isinstance(item, Ready) else None


def _parked(around: Surroundings, parked: Quarantined) -> Prepared:
    return _prepare_again(around.of_what_arrived(parked.received_at), raw_item(parked))


def _as_edit(session: Session, project_id: int, item: Ready) -> Ready:
    known = aliased(SubmissionVersion)
    row = session.execute(
        select(Submission.current_instance_id, known.instance_id)
        .join(known, (known.project_id == Submission.project_id) & (known.submission_id == Submission.id))
        .where(
            known.project_id == project_id,
            known.form_id == item.form,
            known.instance_id.in_([item.instance_id, item.edits or ""]),
        )
        .order_by(known.instance_id == item.instance_id)
    ).all()
    if not row:
        return item
    taken = any(instance_id == item.instance_id for _, instance_id in row)
    return replace(item, instance_id=item.other_id if taken else item.instance_id, edits=row[-1].current_instance_id)
