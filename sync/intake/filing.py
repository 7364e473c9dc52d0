"""Filing prepared items under the project's lock: recognise, chain edits, release what waited, write in bulk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from operator import itemgetter
from typing import Any

from sqlalchemy import bindparam, select, tuple_, update

from forms.form import Flag
from forms.xforms.corrections import left_out
from forms.xforms.instance import read_instance
from sync.dedup.doubles import Former, Saved, causing_events, settle_doubles
from sync.dedup.telling import Alike, flags_about
from sync.entities.reach import tree_of
from sync.entities.steps import Applied, Arrived, apply_actions
from sync.exports.repeats import Repeated, replace_repeat_rows
from sync.indicators.contributions import Wanted, replace_contributions
from sync.indicators.recount import recount
from sync.intake.attaching import Attaching, Brought
from sync.intake.chains import Chain, Chains, Key, Version, came_before
from sync.intake.files import flag_rivals
from sync.intake.parking import Parking, raw_item, waits
from sync.intake.prepare import Prepared, Ready, Refused, Waiting, clock_flags, sha256_of, unpack
from sync.intake.receipts import Receipt, Sender
from sync.journal import Journal
from sync.models import Quarantined, Submission, SubmissionVersion
from sync.models.database import insert_rows
from sync.models.probing import rows_of_ids
from sync.projects.catalogue import Unpublished, published
from sync.projects.places import PlaceTree
from sync.review.counting import counts
from sync.review.flags import LEFT_OUT, PLACE
from sync.review.placed import place_flags

# How an item is prepared anew: as it came, the instance with which its chain began, and when it arrived.
PrepareAgain = Callable[[Mapping[str, Any], str, dt.datetime], Prepared]
# Why something waits that may have been filed while it did not have to.
_OF_THE_FORM = frozenset({"form_closed", "unknown_form", "not_allowed"})
_saved = itemgetter(*(each.name for each in fields(Saved)))


class Filing:
    """The filing of one batch. Decisions are made in memory against what was fetched, then written kind by kind."""

    def __init__(
        self,
        journal: Journal,
        prepare_again: PrepareAgain,
        sender: Sender,
        held: Iterable[str] = (),
    ) -> None:
        self._journal = journal
        self._connection = journal.connection
        self._sender = sender
        self._prepare_again = prepare_again
        self._chains = Chains(journal)
        self._files = Attaching(journal, held)
        self._parking = Parking(journal, self._files)
        self._came: list[tuple[Key, Chain]] = []  # for which something may have waited
        self._new: list[dict[str, Any]] = []
        self._edited: dict[int, dict[str, Any]] = {}
        self._version_rows: list[dict[str, Any]] = []
        self._more_to_come: set[int] = set()  # the events of versions that came in part, as their senders said
        self._no_more: set[int] = set()  # submissions whose sender has said that nothing is to come
        self._repeated: dict[int, Repeated] = {}
        self._wanted: dict[int, Wanted] = {}
        self._arrived: dict[int, Arrived] = {}
        self._comparable: dict[int, Former | None] = {}
        self._saved: dict[int, Saved] = {}  # new submissions, as they are stored
        self._latest: dict[int, Receipt] = {}  # by submission: of the version that is its current one
        self._alike: Alike = {}

    def file(self, items: Sequence[Prepared]) -> list[Receipt]:
        """One receipt per item, in order. Items that correct another of the same batch are filed after it."""
        self._fetch(items)
        receipts: dict[int, Receipt] = {}
        for index in _originals_first(items):
            receipts[index] = self._decide(items[index])
            while self._came:
                key, chain = self._came.pop()
                for parked in self._parking.corrections_of(key):
                    self._release(parked, chain)
        self._write()
        self._tell_flags([receipt for receipt in self._latest.values() if receipt.submission in self._comparable])
        if self._alike:
            self._tell_alike()
        return [receipts[index] for index in range(len(items))]

    # What is known already.

    def _fetch(self, items: Sequence[Prepared]) -> None:
        ready = [item for item in items if isinstance(item, Ready)]
        self._chains.look_for(
            {(item.form, item.instance_id) for item in ready}
            | {(item.form, item.edits) for item in ready if item.edits}
            | {_key_of(item) for item in items if isinstance(item, Waiting) and item.reason in _OF_THE_FORM}
        )
        self._files.look_for(sha256["sha256"] for item in ready for sha256 in item.attachments)
        self._parking.look_for_corrections([item.instance_id for item in ready])
        self._parking.look_for_same(
            (item.instance_id, sha256_of(item.raw)) for item in items if isinstance(item, Waiting)
        )

    # What becomes of each item.

    def _decide(self, item: Prepared) -> Receipt:
        if isinstance(item, Refused):
            return Receipt(item.instance_id, "refused", reason=item.reason)
        if isinstance(item, Waiting):
            return self._filed_before(item) or self._parking.park(item, self._sender)
        known = self._chains.versions.get((item.form, item.instance_id))
        parent = self._chains.versions.get((item.form, item.edits)) if item.edits else None
        filed = known or parent
        if item.answered and item.first_id and filed and item.first_id != filed.chain.first:
            # The chain's beginning was not known when it was prepared; its entities are named by it.
            renamed = self._prepare_again(item.answered, filed.chain.first, item.recorded_at)
            item = renamed if isinstance(renamed, Ready) else item
        item = self._placed_in_time(item)
        if known is not None:
            return self._recognise(item, known)
        if item.edits is None:
            return self._add(item)
        if parent is None:
            return self._parking.park(self._parking.without_original(item), self._sender)
        if parent.chain.current != item.edits:
            message = f"{item.edits} has been corrected by another edit already; a coordinator decides."
            return self._parking.park(waits(item, "conflict", message), self._sender, why="superseded")
        return self._edit(item, parent.chain)

    def _placed_in_time(self, item: Ready) -> Ready:
        """With its tablet's clock judged by the moment that is written down and its place by those that there are, as a
        rebuild does."""
        flags = clock_flags(item.recorded_at, item.day, self._sender.received_at or self._journal.now)
        if item.place is not None:
            flags += place_flags(item.place, self._places)
        others = [flag for flag in item.flags if flag.code not in ("clock", PLACE)]
        return item if [*others, *flags] == item.flags else replace(item, flags=[*others, *flags])

    @cached_property
    def _places(self) -> PlaceTree:
        journal = self._journal
        return tree_of(journal.session, journal.project_id, journal.found.last_event, journal.seen.places)

    def _filed_before(self, item: Waiting) -> Receipt | None:
        """What comes again that was filed before its form was closed, deleted or taken from its sender has nothing to
        wait for, unless it brings files that its version does not have."""
        first = self._chains.versions.get(_key_of(item)) if item.reason in _OF_THE_FORM else None
        if first is None:
            return None
        if came_before(item, first):
            return self._filed_as(item, first.chain)
        renamed = replace(item, instance_id=item.other_id)
        accepted = self._chains.accepted(_key_of(renamed), first.chain)
        receipt = self._filed_as(renamed, first.chain) if accepted and came_before(item, accepted) else None
        return self._by_own_id(receipt, item) if receipt else None

    def _filed_as(self, item: Waiting, chain: Chain) -> Receipt | None:
        if not self._files.are_known(item, (chain.submission_id, item.instance_id or "")):
            return None
        self._files.look_for(said["sha256"] for said in item.attachments)
        return self._known(item, chain)

    def _recognise(self, item: Ready, known: Version) -> Receipt:
        if self._chains.are_same(item, known):
            return self._duplicate(item, known.chain)
        renamed = replace(item, instance_id=item.other_id)
        accepted = self._chains.accepted((item.form, renamed.instance_id), known.chain)
        if accepted and self._chains.are_same(renamed, accepted):
            return self._by_own_id(self._duplicate(renamed, known.chain), item)
        message = "An instance with this id and other content is stored; the first one stays."
        why = "deleted" if known.chain.deleted_at else "other_content"
        return self._parking.park(waits(item, "conflict", message), self._sender, why=why)

    def _known(self, item: Ready | Waiting, chain: Chain) -> Receipt:
        receipt = Receipt(item.instance_id, "duplicate", chain.submission_id, self._files.missing(item), chain.flags)
        receipt.superseded, receipt.deleted = chain.current != item.instance_id, chain.deleted_at is not None
        return receipt

    def _duplicate(self, item: Ready, chain: Chain) -> Receipt:
        receipt = self._known(item, chain)
        if chain.new:
            self._files.attach(item, chain.submission_id)
            return receipt
        receipt.news = self._files.attach_again(item, chain.submission_id)
        if chain.more_to_come and not self._sender.more_to_come and not receipt.superseded:
            self._no_more.add(chain.submission_id)
            receipt.news = Brought.MISSING
        return receipt

    def _by_own_id(self, receipt: Receipt, item: Ready | Waiting) -> Receipt:
        receipt.instance_id, receipt.filed_as = item.instance_id, receipt.instance_id
        return receipt

    def _add(self, item: Ready) -> Receipt:
        journal = self._journal
        submission_id = journal.new_id()
        event = journal.record("submitted", submission_id)
        row = {
            "project_id": journal.project_id,
            "id": submission_id,
            "form_id": item.form,
            "instance_id": item.instance_id,
            "versions": 1,
            "review_state": None,
            "actor_id": self._sender.actor_id,
            "device": self._sender.device,
            "user_agent": self._sender.user_agent,
            "received_at": self._sender.received_at or journal.now,
            "deleted_at": None,
            "double_of": None,
            "counts": counts(journal.counts, None, None, None),
            **self._current(item, event),
        }
        self._new.append(row)
        chain = Chain(submission_id, item.instance_id, item.instance_id, 1, item.flags, None, new=True, row=row)
        self._file_version(item, chain, event, number=1)
        receipt = Receipt(item.instance_id, "stored", submission_id, self._files.missing(item), item.flags)
        self._latest[submission_id] = receipt
        self._came.append(((item.form, item.instance_id), chain))
        return receipt

    def _edit(self, item: Ready, chain: Chain) -> Receipt:
        journal = self._journal
        event = journal.record("edited", chain.submission_id)
        parent = chain.current
        if item.by_row:
            item = self._told_what_is_left_out(item, parent)
        chain.current, chain.flags = item.instance_id, item.flags
        chain.versions += 1
        change = {
            "versions": chain.versions,
            "review_state": "edited",
            "counts": counts(journal.counts, "edited", None, chain.deleted_at),
            **self._current(item, event),
        }
        self._file_version(item, chain, event, number=chain.versions)
        self._files.carry_over(item, chain.submission_id, parent)
        if chain.new:
            chain.row.update(change)
        else:
            self._edited[chain.submission_id] = change
        receipt = Receipt(item.instance_id, "edited", chain.submission_id, self._files.missing(item), item.flags)
        receipt.deleted = chain.deleted_at is not None
        self._latest[chain.submission_id] = receipt
        self._came.append(((item.form, item.instance_id), chain))
        return receipt

    def _told_what_is_left_out(self, item: Ready, parent: str) -> Ready:
        """A row of the list brings neither files nor rows of repeats along: whoever looks at the correction is told of
        those that the version before has."""
        session, project_id = self._journal.session, self._journal.project_id
        version, packed = self._said_by_version(item.form, parent)
        now, then = (published(session, project_id, item.form, each) for each in (item.version, version))
        if isinstance(now, Unpublished) or isinstance(then, Unpublished):
            return item
        names = left_out(now.form, read_instance(item.xml), then.form, read_instance(unpack(packed)))
        if not names:
            return item
        message = f"This correction came without what the version before has: {', '.join(names)}."
        return replace(item, flags=[*item.flags, Flag(LEFT_OUT, "/data", message)])

    def _said_by_version(self, form_id: str, instance_id: str) -> tuple[str, bytes]:
        for row in self._version_rows:
            if (row["form_id"], row["instance_id"]) == (form_id, instance_id):
                return row["form_version"], row["xml"]
        query = select(SubmissionVersion.form_version, SubmissionVersion.xml).where(
            SubmissionVersion.project_id == self._journal.project_id,
            SubmissionVersion.form_id == form_id,
            SubmissionVersion.instance_id == instance_id,
        )
        version, packed = self._connection.execute(query).one()
        return version, packed

    def _current(self, item: Ready, event: int) -> dict[str, Any]:
        """The columns of a submission that its current version decides."""
        return {
            "current_instance_id": item.instance_id,
            "form_version": item.version,
            "instance_name": item.instance_name,
            "more_to_come": self._sender.more_to_come,
            "recorded_at": item.recorded_at,
            "updated_at": self._journal.now,
            "flags": [[flag.code, flag.place, flag.message] for flag in item.flags],
            "fingerprint": item.fingerprint,
            "subject": item.subject,
            "day": item.day,
            "place": item.place,
            "event": event,
        }

    def _file_version(self, item: Ready, chain: Chain, event: int, number: int) -> None:
        journal = self._journal
        filed = Version(chain, item.sha256, item.canonical_sha256, item.packed)
        self._chains.versions[(item.form, item.instance_id)] = filed
        self._version_rows.append(
            {
                "project_id": journal.project_id,
                "form_id": item.form,
                "instance_id": item.instance_id,
                "submission_id": chain.submission_id,
                "number": number,
                "parent": item.edits,
                "form_version": item.version,
                "xml": item.packed,
                "sha256": item.sha256,
                "canonical_sha256": item.canonical_sha256,
                "answers": item.answers,
                "encrypted_key": item.encrypted_key,
                "actor_id": self._sender.actor_id,
                "device": self._sender.device,
                "user_agent": self._sender.user_agent,
                "instance_name": item.instance_name,
                "received_at": self._sender.received_at or journal.now,
                "recorded_at": item.recorded_at,
                "dated": item.dated,
                "event": event,
            }
        )
        if self._sender.more_to_come:
            self._more_to_come.add(event)
        self._files.attach(item, chain.submission_id)
        if item.iterations or not chain.new or chain.submission_id in self._repeated:
            self._repeated[chain.submission_id] = Repeated(chain.submission_id, item.form, item.iterations, chain.new)
        self._wanted[chain.submission_id] = Wanted(
            chain.submission_id, event, item.recorded_at, item.contributions, chain.new
        )
        if item.actions or not chain.new or chain.submission_id in self._arrived:
            actions = item.actions if chain.deleted_at is None else ()
            self._arrived[chain.submission_id] = Arrived(
                chain.submission_id, event, actions, self._sender.actor_id, new=chain.new and number == 1
            )
        if item.fingerprint is not None or item.subject is not None or not chain.new:
            self._comparable[chain.submission_id] = chain.former

    def _release(self, parked: Quarantined, chain: Chain) -> None:
        """File a correction that waited for what has come now."""
        item = self._prepare_again(raw_item(parked), chain.first, parked.received_at)
        if not isinstance(item, Ready):
            return
        self._chains.look_for({(item.form, item.instance_id)})
        self._files.look_for(attachment["sha256"] for attachment in item.attachments)
        self._parking.look_for_corrections([item.instance_id])
        sender, self._sender = self._sender, Sender(parked.actor_id, parked.device)
        receipt = self._decide(item)
        self._sender = sender
        self._parking.resolve(parked, receipt)

    # Writing it all down, one statement per kind of row.

    def _write(self) -> None:
        journal, connection = self._journal, self._connection
        for submission_id, row in [*((row["id"], row) for row in self._new), *self._edited.items()]:
            outstanding = self._files.outstanding(submission_id, row["current_instance_id"])
            row["missing"] = outstanding + row["more_to_come"]
        for version in self._version_rows:
            event, instance = version["event"], (version["submission_id"], version["instance_id"])
            if event in self._more_to_come or self._files.outstanding(*instance):
                journal.say_of(event, {"incomplete": True})
        insert_rows(connection, Submission.__table__, self._new)  # type: ignore[arg-type]
        if self._edited:
            connection.execute(
                _update_submission(next(iter(self._edited.values()))),
                [
                    {"b_project_id": journal.project_id, "b_id": submission_id, **change}
                    for submission_id, change in self._edited.items()
                ],
            )
        insert_rows(connection, SubmissionVersion.__table__, self._version_rows)  # type: ignore[arg-type]
        self._end_waiting()
        replace_repeat_rows(journal, self._repeated.values())
        self._files.write()
        self._parking.write()
        applied = apply_actions(journal, list(self._arrived.values())) if self._arrived else Applied(set(), {})
        self._alike = applied.alike
        self._saved = {row["id"]: Saved(*_saved(row)) for row in self._new if row["id"] not in applied.flagged}
        self._settle()
        for submission_id in self._files.rivalled():
            flags = flag_rivals(journal, submission_id)
            if submission_id in self._saved:
                self._saved[submission_id].flags = flags

    def _end_waiting(self) -> None:
        """Nothing more is to come for these submissions: they are complete once they have what they name."""
        if self._no_more:
            self._connection.execute(
                update(Submission)
                .where(
                    tuple_(Submission.project_id, Submission.id).in_(
                        [(self._journal.project_id, submission_id) for submission_id in self._no_more]
                    )
                )
                .values(more_to_come=False)
            )
        for submission_id in self._no_more:
            self._files.count_again(submission_id)

    def _settle(self) -> None:
        journal = self._journal
        uncounted = {row["id"] for row in self._new if not row["counts"]}
        uncounted |= {submission_id for submission_id, change in self._edited.items() if not change["counts"]}
        changed: dict[int, int | None] = {}
        if self._comparable:
            former = [before for before in self._comparable.values() if before is not None]
            changed, _ = settle_doubles(journal, self._comparable.keys(), journal.last_event, former, self._saved)
        if changed:
            uncounted |= set(
                self._connection.scalars(
                    select(Submission.id).where(
                        tuple_(Submission.project_id, Submission.id).in_(
                            [(journal.project_id, submission_id) for submission_id in changed]
                        ),
                        Submission.counts.is_(False),
                    )
                )
            )
        replace_contributions(
            journal,
            [
                Wanted(wanted.submission_id, wanted.event, wanted.recorded_at, (), wanted.new)
                if submission_id in uncounted
                else wanted
                for submission_id, wanted in self._wanted.items()
            ],
        )
        others = changed.keys() - self._wanted.keys()
        if others:
            events = {wanted.submission_id: wanted.event for wanted in self._wanted.values()}
            recount(journal, others, journal.last_event, causing_events(changed, events))

    def _tell_flags(self, receipts: Sequence[Receipt]) -> None:
        """Filing a submission may have shown more about it than its own check did, such as a second copy."""
        rows = rows_of_ids(
            self._connection,
            [Submission.id, Submission.flags],
            [(Submission.project_id, self._journal.project_id)],
            Submission.id,
            sorted({receipt.submission for receipt in receipts if receipt.submission is not None} - self._saved.keys()),
        )
        found = {id_: one.flags for id_, one in self._saved.items()} | dict(map(tuple, rows))
        flags = {submission_id: [Flag(*flag) for flag in stored] for submission_id, stored in found.items() if stored}
        for receipt in receipts:
            receipt.flags = flags.get(receipt.submission or 0, ())

    def _tell_alike(self) -> None:
        actions = {submission_id: arrived.actions for submission_id, arrived in self._arrived.items()}
        about = flags_about(self._journal, self._sender.actor_id, actions, self._alike)
        for submission_id, flags in about.items():
            if submission_id in self._latest:
                self._latest[submission_id].alike = flags


def _originals_first(items: Sequence[Prepared]) -> list[int]:
    """The order of filing: as sent, but an edit comes after the instance that it corrects."""
    waiting = {index: item for index, item in enumerate(items) if isinstance(item, Ready) and item.edits}
    order = [index for index in range(len(items)) if index not in waiting]
    while waiting:
        to_come = {(item.form, item.instance_id) for item in waiting.values()}
        now = [index for index, item in waiting.items() if (item.form, item.edits) not in to_come] or list(waiting)
        order += now
        for index in now:
            del waiting[index]
    return order


def _key_of(item: Waiting) -> Key:
    return item.form or "", item.instance_id or ""


def _update_submission(change: Mapping[str, Any]) -> Any:
    table = Submission.__table__
    return (
        update(Submission)
        .where(Submission.project_id == bindparam("b_project_id"), Submission.id == bindparam("b_id"))
        .values({name: bindparam(name, type_=table.c[name].type) for name in change})
    )
