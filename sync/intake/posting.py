"""One filled form as OpenRosa clients post it: filed like an item of a batch, and what the client is to be told."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from forms.findings import Faulty
from forms.records import record
from forms.xforms.instance import read_instance
from sync.errors import (
    Busy,
    ContentDiffers,
    Deleted,
    FormClosed,
    IdTaken,
    NotFound,
    OriginalUnknown,
    Refusal,
    Superseded,
    Unparseable,
    VersionUnknown,
)
from sync.intake.attaching import Brought
from sync.intake.content import Incoming
from sync.intake.files import complete, held_files
from sync.intake.items import Item, shortened, storable
from sync.intake.looking import open_and_look_ahead
from sync.intake.prepare import Prepared, Ready, Refused, Surroundings, Waiting, sha256_of
from sync.intake.receipts import Receipt, Sender
from sync.intake.receive import file_item, prepare_xml, unstorable, within
from sync.intake.tally import TALLY, Tally, counted, tally_of
from sync.journal import Journal, When, moment_of, open_journal
from sync.models import Attachment, StoredFile, SubmissionVersion
from sync.models.database import insert_rows, sent_ahead
from sync.projects.catalogue import OutOfDate

_FEW, _AT_ONCE = 3, 8
_SUPERSEDED = "This has been corrected meanwhile. The submission is kept; the office decides."
_VERSION_UNKNOWN = "This version of the form is not published here. The submission is kept; the office sees to it."
_ORIGINAL_UNKNOWN = "It corrects a submission that has not arrived yet. It is kept, and counts once that is here."
_CONTENT_DIFFERS = "A submission with this id and other content is stored. Both are kept; the office decides."
_NO_ANSWER = frozenset({"unreadable", "malformed", "unknown_form", "not_allowed"})


@record
class PostedFile:
    """A file that came along. `names` are all by which the form may call it, likeliest first.

    Its bytes lie in the content store, or are still where they arrived.
    """

    names: tuple[str, ...]
    sha256: str
    size: int
    type: str | None = None
    content: Incoming | None = None


@record
class Post:
    """What one request brought. `incomplete` says that more files will follow in others.

    `forms` are those that the sender is bound to, if any. To an `anonymous` one nobody has signed in: of that sort only
    answers are kept. `dated` lets the instance say when another server first received it, unless `first_received` does.
    """

    xml: bytes
    files: tuple[PostedFile, ...] = ()
    device: str | None = None
    user_agent: str | None = None
    incomplete: bool = False
    forms: frozenset[str] | None = None
    anonymous: bool = False
    dated: bool = False
    first_received: dt.datetime | None = None


@record
class Posted:
    """What became of it. With a `refusal` it was not filed, but its bytes wait in quarantine all the same.

    `missing` are the names of files that are not here; `news` says whether anything came that was not here before.
    """

    outcome: str  # stored | edited | duplicate | conflict | quarantined | refused
    instance_id: str | None
    form: str | None
    version: str | None
    submission: int | None
    received_at: dt.datetime
    tally: Tally
    languages: Sequence[str]  # of the project
    refusal: Refusal | None = None
    missing: Sequence[str] = ()
    news: bool = True
    beside: bool = False  # all that is new is a file that nothing had asked for, or one of a known name
    superseded: bool = False
    deleted: bool = False


def receive_post(
    session: Session,
    project_id: int,
    actor_id: int,
    post: Post,
    now: When,
    also: Callable[[Posted], None] | None = None,
) -> Posted:
    """File it under the project's lock, with whatever files came along and what is to be done `also` in the same
    transaction, and commit: only then may the sender be answered.

    Raises NotFound for an unknown project, and Busy where a form is changed again and again.
    """
    for recalling in (True, False, False):
        try:
            around = Surroundings(session, project_id, moment_of(now), recalling=recalling)
            return _receive(around, actor_id, post, now, also)
        except OutOfDate:
            session.rollback()
    raise Busy(retry_after=10)


def _receive(
    around: Surroundings, actor_id: int, post: Post, now: When, also: Callable[[Posted], None] | None
) -> Posted:
    session, project_id = around.session, around.project_id
    item = Item(None, None, None, post.xml, None, None, None, raw={"attachments": [_said(file) for file in post.files]})
    prepared = _allowed(prepare_xml(around, item), post)
    kept = _kept(prepared, post)
    sender = Sender(actor_id, post.device, post.user_agent, post.incomplete, _first_received(post, around.now))
    plain = isinstance(kept, Ready) and kept.edits is None and sender.received_at is None
    if around.catalogue.recalled and not plain:
        raise OutOfDate  # it is confirmed on the common way alone
    settle_bytes(post.files, keep=not isinstance(kept, Refused))
    if isinstance(kept, Waiting) and kept.reason == "form_closed" and _is_stored(session, project_id, kept):
        prepared = kept = prepare_xml(around, item, even_if_closed=True)
    if isinstance(kept, Ready) and post.files:
        prepared = kept = _with_files(kept, post.files)

    def file(kept: Prepared) -> Posted:
        told = None
        if plain and isinstance(kept, Ready):
            given = counted(actor_id, around.now, around.tz)
            journal, both = open_and_look_ahead(
                session, project_id, actor_id, now, kept, around.catalogue, TALLY, given
            )
            told = Tally(*both)  # before it is filed
        else:  # filing may change more of the tally
            journal = open_journal(session, project_id, actor_id, now)
        if not isinstance(kept, Refused) and not around.catalogue.stands():
            raise OutOfDate
        with sent_ahead(journal.connection):
            new = [] if isinstance(kept, Refused) else keep_files(journal, post.files)
            receipt = file_item(journal, kept, sender, {file.sha256 for file in post.files})
            if isinstance(prepared, Waiting) and receipt.outcome != "duplicate":
                receipt.why = prepared.reason
            for sha256 in new:
                complete(journal, sha256)
            if told is None:
                tally = tally_of(session, project_id, actor_id, journal.now, around.tz)
            else:
                tally = replace(told, today=told.today + (receipt.outcome == "stored"))
            posted = _posted(journal, prepared, receipt, tally, sender.received_at or journal.now)
            journal.close()
            if also is not None:
                also(posted)
            session.commit()
        return posted

    try:
        return file(kept)
    except StatementError as error:
        session.rollback()
        return file(unstorable(kept, error))


# Reading.


def _allowed(prepared: Prepared, post: Post) -> Prepared:
    """What the sender is not bound to is for a coordinator to look at. Strangers correct nobody's answers."""
    if post.anonymous and isinstance(prepared, Ready) and prepared.edits is not None:
        return within(prepared, frozenset())
    return within(prepared, post.forms)


def _kept(prepared: Prepared, post: Post) -> Prepared:
    """Of strangers nothing is kept but answers."""
    if post.anonymous and isinstance(prepared, Waiting) and prepared.reason in _NO_ANSWER:
        return Refused(prepared.instance_id, prepared.message)
    return prepared


def _first_received(post: Post, now: dt.datetime) -> dt.datetime | None:
    """What another server wrote into the root: it is kept when submissions move from there to here."""
    if post.first_received is not None:
        return min(post.first_received, now)
    if not post.dated or b"submissionDate" not in post.xml:
        return None
    try:
        moment = dt.datetime.fromisoformat(read_instance(post.xml).root.get("submissionDate", ""))
    except (Faulty, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment if moment.year >= 2000 and moment <= now else None


def _is_stored(session: Session, project_id: int, waiting: Waiting) -> bool:
    """Whether it is a resend of what came before the form was closed."""
    stored = select(SubmissionVersion.submission_id).where(
        SubmissionVersion.project_id == project_id,
        SubmissionVersion.form_id == waiting.form,
        SubmissionVersion.instance_id.in_([waiting.instance_id, waiting.other_id]),
        SubmissionVersion.sha256 == sha256_of(waiting.raw),
    )
    return session.scalar(stored.limit(1)) is not None


# Files.


def _said(file: PostedFile, name: str | None = None) -> dict[str, Any]:
    """A file as the items of a batch announce theirs."""
    said = {"name": name or _written(file.names), "sha256": file.sha256, "size": file.size}
    return said | ({"type": storable(file.type)[:200]} if file.type else {})


def named_files(named: Sequence[str], files: Sequence[PostedFile]) -> list[dict[str, Any]]:
    """Each file, as items announce theirs, by the one of its names that the instance names, if it names any."""
    known = {_alike(name): name for name in named}
    found = []
    for file in files:
        called = next((known[alike] for name in file.names if (alike := _alike(name)) in known), None)
        found.append(_said(file, called))
    return found


def _with_files(item: Ready, files: Sequence[PostedFile]) -> Ready:
    attachments = named_files(item.named, files)
    return replace(item, attachments=attachments, envelope=lambda: {"attachments": attachments})


def _alike(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _written(names: Sequence[str]) -> str:
    """What a file is called that the instance does not name: by a name with an ending, if it has one."""
    usable = [storable(name) for name in names if name.strip()]
    return shortened(next((name for name in usable if "." in name), usable[0] if usable else "file"))[:1000]


def settle_bytes(files: Sequence[PostedFile], *, keep: bool) -> None:
    """Flush to the disk what is to be kept, and forget the rest; to be done before others are kept waiting."""
    contents = [file.content for file in files if file.content is not None]
    if keep and len(contents) > _FEW:  # the disk flushes several for little more than one
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(Incoming.keep, contents))
        return
    for content in contents:
        if keep:
            content.keep()
        else:
            content.drop()


def keep_files(journal: Journal, files: Sequence[PostedFile]) -> list[str]:
    """Note that the project has this content; gives what it had not before."""
    by_hash = {file.sha256: file for file in files}
    asked = [sha256 for sha256 in by_hash if (StoredFile, sha256) not in journal.seen.absent]
    new = sorted(by_hash.keys() - held_files(journal.session, journal.project_id, asked))
    rows = [
        {
            "project_id": journal.project_id,
            "sha256": sha256,
            "size": by_hash[sha256].size,
            "type": by_hash[sha256].type,
            "stored_at": journal.now,
        }
        for sha256 in new
    ]
    insert_rows(journal.connection, StoredFile.__table__, rows)  # type: ignore[arg-type]
    return new


# Telling.


def _missing(journal: Journal, prepared: Prepared, receipt: Receipt) -> Sequence[str]:
    """The names of the files that this version of the submission lacks."""
    if receipt.submission is None or not isinstance(prepared, Ready) or not (prepared.named or prepared.attachments):
        return ()
    if receipt.outcome == "stored":
        came = {file["name"] for file in prepared.attachments}
        return [name for name in prepared.named if name not in came]
    lacking = select(Attachment.name).where(
        Attachment.project_id == journal.project_id,
        Attachment.submission_id == receipt.submission,
        Attachment.instance_id == (receipt.filed_as or receipt.instance_id),
        Attachment.present.is_(False),
    )
    return journal.session.scalars(lacking.order_by(Attachment.name)).all()


def _posted(journal: Journal, prepared: Prepared, receipt: Receipt, tally: Tally, received_at: dt.datetime) -> Posted:
    return Posted(
        outcome=receipt.outcome,
        instance_id=receipt.instance_id,
        form=None if isinstance(prepared, Refused) else prepared.form,
        version=None if isinstance(prepared, Refused) else prepared.version,
        submission=receipt.submission,
        received_at=received_at,
        tally=tally,
        languages=journal.languages,
        refusal=_refusal(prepared, receipt),
        missing=_missing(journal, prepared, receipt),
        news=receipt.outcome != "duplicate" or receipt.news > Brought.NOTHING,
        beside=receipt.news == Brought.BESIDE,
        superseded=receipt.superseded,
        deleted=receipt.deleted,
    )


def _refusal(prepared: Prepared, receipt: Receipt) -> Refusal | None:
    """The decision table of OpenRosa (docs/decisions/0004): what it says no to, though nothing is thrown away."""
    edit = isinstance(prepared, Ready | Waiting) and prepared.edits is not None
    if receipt.superseded and receipt.news and edit:
        return Superseded(_SUPERSEDED)
    match receipt.why:
        case None if isinstance(prepared, Refused):
            return Unparseable(prepared.reason)
        case None:
            return None
        case "unknown_form" | "not_allowed":
            if receipt.outcome == "quarantined":
                return NotFound("There is no such form here, or not for you. It is kept for the office.")
            return NotFound("There is no such form here, or not for you.")
        case "unknown_version":
            return VersionUnknown(_VERSION_UNKNOWN)
        case "form_closed":
            return FormClosed("The form takes no submissions now. This one is kept; the office may still accept it.")
        case "edits_unknown":
            return OriginalUnknown(_ORIGINAL_UNKNOWN)
        case "superseded":
            return Superseded(_SUPERSEDED)
        case "deleted":
            return Deleted("The submission with this id has been deleted. This one is kept; the office decides.")
        case "other_content" if edit:
            return IdTaken("The id of this correction belongs to another submission. It is kept; the office decides.")
        case "other_content":
            return ContentDiffers(_CONTENT_DIFFERS)
    return Unparseable(receipt.reason)
