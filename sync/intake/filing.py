"""Filing prepared items under the project's lock: recognise, chain edits, release what waited, write in bulk."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from operator import itemgetter
from typing import Any

from sqlalchemy import bindparam, select, tuple_, update

from forms.form import Flag
from forms.records import record
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
from sync.intake.files import flag_rivals
from sync.intake.prepare import Prepared, Ready, Refused, Waiting, canonical_hash, clock_flags, pack, sha256_of, unpack
from sync.intake.receipts import Receipt, Sender
from sync.journal import Journal
from sync.models import Form, Quarantined, Submission, SubmissionVersion
from sync.models.database import insert_rows
from sync.models.probing import rows_of_ids, rows_of_keys
from sync.projects.catalogue import Unpublished, published
from sync.projects.places import PlaceTree
from sync.review.counting import counts
from sync.review.flags import LEFT_OUT, PLACE
from sync.review.placed import place_flags

Key = tuple[str, str]  # form id, instance id
# How an item is prepared anew: as it came, the instance with which its chain began, and when it arrived.
PrepareAgain = Callable[[Mapping[str, Any], str, dt.datetime], Prepared]
# Why something waits that may have been filed while it did not have to.
_OF_THE_FORM = frozenset({"form_closed", "unknown_form", "not_allowed"})
# What makes a row of its own in quarantine: instance id, form id, what it corrects, hash of the bytes, reason.
Put = tuple[str | None, str | None, str | None, bytes, str]


@dataclass(slots=True)
class Chain:
    """A submission as far as filing needs it: which of its versions is the current one."""

    submission_id: int
    form_id: str
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


_XML = select(SubmissionVersion.xml).where(
    SubmissionVersion.project_id == bindparam("project"),
    SubmissionVersion.form_id == bindparam("form"),
    SubmissionVersion.instance_id == bindparam("instance"),
)
_saved = itemgetter(*(each.name for each in fields(Saved)))
_PUT = (
    Quarantined.instance_id,
    Quarantined.form_id,
    Quarantined.edits,
    Quarantined.sha256,
    Quarantined.reason,
    Quarantined.state,
)
_NAMELESS = Quarantined.instance_id.is_(None)
_CHAIN = (
    Submission.id,
    Submission.form_id,
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
        self._versions: dict[Key, Version] = {}
        self._waiting: dict[Key, list[Quarantined]] = defaultdict(list)
        self._came: list[tuple[Key, Chain]] = []  # for which something may have waited
        self._parked: set[Put] = set()
        self._looked_for: set[tuple[str | None, bytes]] = set()
        self._awaited: set[str] = set()
        self._said: dict[tuple[str, str], bytes] = {}  # canonical hashes of what is stored
        self._new: list[dict[str, Any]] = []
        self._edited: dict[int, dict[str, Any]] = {}
        self._version_rows: list[dict[str, Any]] = []
        self._files = Attaching(journal, held)
        self._no_more: set[int] = set()  # submissions whose sender has said that nothing is to come
        self._park_rows: list[dict[str, Any]] = []
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
                self._release(*self._came.pop())
        self._write()
        self._tell_flags([receipt for receipt in self._latest.values() if receipt.submission in self._comparable])
        if self._alike:
            self._tell_alike()
        return [receipts[index] for index in range(len(items))]

    # What is known already.

    def _fetch(self, items: Sequence[Prepared]) -> None:
        ready = [item for item in items if isinstance(item, Ready)]
        self._fetch_versions(
            {(item.form, item.instance_id) for item in ready}
            | {(item.form, item.edits) for item in ready if item.edits}
            | {_key_of(item) for item in items if isinstance(item, Waiting) and item.reason in _OF_THE_FORM}
        )
        self._files.look_for(sha256["sha256"] for item in ready for sha256 in item.attachments)
        self._fetch_waiting([item.instance_id for item in ready])
        self._fetch_parked([(item.instance_id, sha256_of(item.raw)) for item in items if isinstance(item, Waiting)])

    def _fetch_versions(self, keys: set[Key]) -> None:
        by_form: dict[str, list[str]] = defaultdict(list)
        for form_id, instance_id in keys:
            if (SubmissionVersion, form_id, instance_id) not in self._journal.seen.absent:
                by_form[form_id].append(instance_id)
        version, project_id = SubmissionVersion, self._journal.project_id
        for form_id, instance_ids in by_form.items():
            found = rows_of_ids(
                self._connection,
                [version.instance_id, version.sha256, version.canonical_sha256, version.submission_id],
                [(version.project_id, project_id), (version.form_id, form_id)],
                version.instance_id,
                instance_ids,
            )
            chains = self._chains({row.submission_id for row in found})
            for row in found:
                chain = chains[row.submission_id]
                self._versions[(form_id, row.instance_id)] = Version(chain, row.sha256, row.canonical_sha256)

    def _chains(self, submission_ids: set[int]) -> dict[int, Chain]:
        """The submissions with these ids; the same object for the same submission throughout."""
        known = {version.chain.submission_id: version.chain for version in self._versions.values()}
        for row in rows_of_ids(
            self._connection,
            _CHAIN,
            [(Submission.project_id, self._journal.project_id)],
            Submission.id,
            sorted(submission_ids - known.keys()),
        ):
            known[row.id] = Chain(
                submission_id=row.id,
                form_id=row.form_id,
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

    def _fetch_waiting(self, instance_ids: Sequence[str]) -> None:
        """The edits in quarantine that wait for one of these instances."""
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

    def _fetch_parked(self, wanted: Iterable[tuple[str | None, bytes]]) -> None:
        """What waits, or has waited, with one of these instance ids and hashes. Of the hash alone there may be
        thousands: all records that a power cut emptied have the same."""
        unasked = set(wanted) - self._looked_for
        self._looked_for |= unasked
        named = sorted({instance_id for instance_id, _ in unasked if instance_id is not None})
        nameless = sorted({sha256 for instance_id, sha256 in unasked if instance_id is None})
        here = (Quarantined.project_id, self._journal.project_id)
        found = rows_of_keys(self._connection, _PUT, [Quarantined.instance_id], [(id_,) for id_ in named], here)
        found += rows_of_keys(
            self._connection,
            _PUT,
            [Quarantined.sha256],
            [(sha256,) for sha256 in nameless],
            here,
            _NAMELESS,
        )
        self._parked |= {tuple(row[:-1]) for row in found if row.state != "discarded"}

    # What becomes of each item.

    def _decide(self, item: Prepared) -> Receipt:
        if isinstance(item, Refused):
            return Receipt(item.instance_id, "refused", reason=item.reason)
        if isinstance(item, Waiting):
            return self._filed_before(item) or self._park(item)
        known = self._versions.get((item.form, item.instance_id))
        parent = self._versions.get((item.form, item.edits)) if item.edits else None
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
            return self._park(self._without_original(item))
        if parent.chain.current != item.edits:
            message = f"{item.edits} has been corrected by another edit already; a coordinator decides."
            return self._park(_waits(item, "conflict", message), outcome="conflict", why="superseded")
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
        first = self._versions.get(_key_of(item)) if item.reason in _OF_THE_FORM else None
        if first is None:
            return None
        if _says(item, first):
            return self._filed_as(item, first.chain)
        renamed = replace(item, instance_id=item.other_id)
        accepted = self._accepted(_key_of(renamed), first.chain)
        receipt = self._filed_as(renamed, first.chain) if accepted and _says(item, accepted) else None
        return self._by_own_id(receipt, item) if receipt else None

    def _filed_as(self, item: Waiting, chain: Chain) -> Receipt | None:
        if not self._files.are_known(item, (chain.submission_id, item.instance_id or "")):
            return None
        self._files.look_for(said["sha256"] for said in item.attachments)
        return self._known(item, chain)

    def _recognise(self, item: Ready, known: Version) -> Receipt:
        if self._is_same(item, known):
            return self._duplicate(item, known.chain)
        renamed = replace(item, instance_id=item.other_id)
        accepted = self._accepted((item.form, renamed.instance_id), known.chain)
        if accepted and self._is_same(renamed, accepted):
            return self._by_own_id(self._duplicate(renamed, known.chain), item)
        message = "An instance with this id and other content is stored; the first one stays."
        why = "deleted" if known.chain.deleted_at else "other_content"
        return self._park(_waits(item, "conflict", message), outcome="conflict", why=why)

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

    def _accepted(self, key: Key, chain: Chain) -> Version | None:
        """The version that a coordinator made of what waited because another content has its id, if it is of these."""
        self._fetch_versions({key} - self._versions.keys())
        found = self._versions.get(key)
        return found if found is not None and found.chain is chain else None

    def _by_own_id(self, receipt: Receipt, item: Ready | Waiting) -> Receipt:
        receipt.instance_id, receipt.filed_as = item.instance_id, receipt.instance_id
        return receipt

    def _is_same(self, item: Ready, known: Version) -> bool:
        return known.sha256 == item.sha256 or self._says_the_same(item, known)

    def _says_the_same(self, item: Ready, known: Version) -> bool:
        """Whether it is what is filed under its id, written otherwise. Few ask, so nothing is hashed before."""
        own = canonical_hash(item.xml)
        if known.canonical_sha256:
            return known.canonical_sha256 in (own, item.canonical_sha256)
        key = item.form, item.instance_id
        if key not in self._said:
            at = {"project": self._journal.project_id, "form": item.form, "instance": item.instance_id}
            self._said[key] = canonical_hash(unpack(known.packed or self._connection.scalars(_XML, at).one()))
        return self._said[key] == own

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
        chain = Chain(
            submission_id, item.form, item.instance_id, item.instance_id, 1, item.flags, None, new=True, row=row
        )
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
        self._versions[(item.form, item.instance_id)] = filed
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

    # Quarantine.

    def _without_original(self, item: Ready) -> Waiting:
        if item.edits == item.instance_id:
            return _waits(item, "malformed", "It says that it corrects itself; nothing can be filed as that.")
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
        return _waits(item, "edits_unknown", message)

    def _park(self, item: Waiting, outcome: str = "quarantined", why: str | None = None) -> Receipt:
        journal = self._journal
        sha256 = sha256_of(item.raw)
        put = (item.instance_id, item.form, item.edits, sha256, item.reason)
        self._fetch_parked([(item.instance_id, sha256)])
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
                "actor_id": self._sender.actor_id,
                "device": self._sender.device,
                "reason": item.reason,
                "message": item.message,
                "raw": pack(item.raw),
                "envelope": dict(item.envelope),
                "sha256": sha256,
                "received_at": journal.now,
                "state": "open",
                "resolution": None,
            }
            self._park_rows.append(row)
            self._parked.add(put)
            if item.reason == "edits_unknown":
                self._waiting[(item.form or "", item.edits or "")].append(Quarantined(**row))
        elif item.attachments:
            self._bring_along(put, item)
        self._files.look_for(said["sha256"] for said in item.attachments)
        missing = self._files.missing(item)
        return Receipt(item.instance_id, outcome, missing=missing, reason=item.message, why=why or item.reason)

    def _bring_along(self, put: Put, item: Waiting) -> None:
        """What waits already and comes again with other files is filed with all of them."""
        pending = next((row for row in self._park_rows if tuple(row[each.key] for each in _PUT[:-1]) == put), None)
        if pending is not None:
            pending["envelope"].update(_with_files_of(item, pending["envelope"]))
            return
        instance_id, form_id, edits, sha256, reason = put
        parked = self._journal.session.scalars(
            select(Quarantined).where(
                Quarantined.project_id == self._journal.project_id,
                Quarantined.instance_id == instance_id,
                Quarantined.form_id == form_id,
                Quarantined.edits == edits,
                Quarantined.sha256 == sha256,
                Quarantined.reason == reason,
                Quarantined.state == "open",
            )
        ).first()
        if parked is not None:
            parked.envelope = _with_files_of(item, parked.envelope)

    def _release(self, key: Key, chain: Chain) -> None:
        """File the edits that waited for this instance, in the order in which they came."""
        for parked in self._waiting.pop(key, ()):
            item = self._prepare_again(raw_item(parked), chain.first, parked.received_at)
            if not isinstance(item, Ready):
                continue
            self._fetch_versions({(item.form, item.instance_id)} - self._versions.keys())
            self._files.look_for(attachment["sha256"] for attachment in item.attachments)
            self._fetch_waiting([item.instance_id])
            sender, self._sender = self._sender, Sender(parked.actor_id, parked.device)
            receipt = self._decide(item)
            self._sender = sender
            self._resolve(parked, receipt)

    def _resolve(self, parked: Quarantined, receipt: Receipt) -> None:
        resolution = {"action": "released", "outcome": receipt.outcome, "at": self._journal.now.isoformat()}
        pending = next((row for row in self._park_rows if row["id"] == parked.id), None)
        if pending is not None:
            pending["state"], pending["resolution"] = "resolved", resolution
        else:
            parked.state, parked.resolution = "resolved", resolution

    # Writing it all down, one statement per kind of row.

    def _write(self) -> None:
        journal, connection = self._journal, self._connection
        for submission_id, row in [*((row["id"], row) for row in self._new), *self._edited.items()]:
            outstanding = self._files.outstanding(submission_id, row["current_instance_id"])
            row["missing"] = outstanding + row["more_to_come"]
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
        insert_rows(connection, Quarantined.__table__, self._park_rows)  # type: ignore[arg-type]
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
            changed = settle_doubles(journal, self._comparable.keys(), journal.last_event, former, self._saved)
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


def _originals_first(items: Sequence[Prepared]) -> list[int]:
    """The order of filing: as sent, but an edit comes after the instance that it corrects."""
    waiting = [index for index, item in enumerate(items) if isinstance(item, Ready) and item.edits]
    order = sorted(set(range(len(items))) - set(waiting))
    while waiting:
        to_come = {(_ready(items[index]).form, _ready(items[index]).instance_id) for index in waiting}
        now = [
            index for index in waiting if (_ready(items[index]).form, _ready(items[index]).edits) not in to_come
        ] or waiting
        order += now
        waiting = [index for index in waiting if index not in set(now)]
    return order


def _key_of(item: Waiting) -> Key:
    return item.form or "", item.instance_id or ""


def _says(item: Waiting, known: Version) -> bool:
    return known.sha256 == sha256_of(item.raw) or known.canonical_sha256 == item.said != b""


def _ready(item: Prepared) -> Ready:
    assert isinstance(item, Ready)
    return item


def _waits(item: Ready, reason: str, message: str) -> Waiting:
    return Waiting(item.instance_id, item.form, item.version, item.edits, reason, message, item.raw, item.envelope())


def _with_files_of(item: Waiting, envelope: Mapping[str, Any]) -> dict[str, Any]:
    said = envelope.get("attachments")
    known = said if isinstance(said, list) else []
    return {**envelope, "attachments": [*known, *(file for file in item.attachments if file not in known)]}


def _update_submission(change: Mapping[str, Any]) -> Any:
    table = Submission.__table__
    return (
        update(Submission)
        .where(Submission.project_id == bindparam("b_project_id"), Submission.id == bindparam("b_id"))
        .values({name: bindparam(name, type_=table.c[name].type) for name in change})
    )
