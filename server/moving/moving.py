"""Moving a project in: forms, submissions, lists and people, in an order in which each finds what it needs.

It may be stopped and begun again: what is here already is passed over, and nothing is here twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy import func, or_, select

from forms.findings import Faulty
from forms.workbooks.workbook import Workbook, read_workbook, read_xform, unfit_id
from forms.xforms.instance import read_instance
from forms.xforms.rewriting import submission_address, with_version
from forms.xforms.xform import compile_form
from server import clock, current
from server.commands.common import HERE
from server.db import session
from server.language.plurals import counted
from server.moving.continuing import continuing
from server.moving.fetching import Stopped
from server.moving.found import (
    Elsewhere,
    FoundComment,
    FoundForm,
    FoundId,
    FoundInstance,
    FoundList,
    FoundRules,
    FoundSubmission,
    FoundUser,
    FoundVersion,
)
from sync.accounts.audit import NO_PROJECT, record_act
from sync.accounts.people import add_stand_in, add_user, find_device, find_user
from sync.accounts.roles import assign
from sync.entities.registers import add_property, change_list, make_list
from sync.entities.writing import NewEntity, create_entities, delete_entities, update_entity
from sync.errors import Refusal, Unexpected
from sync.intake.items import shortened, storable
from sync.intake.posting import Post, Posted, PostedFile, receive_post
from sync.journal import open_journal
from sync.models import (
    Actor,
    Assignment,
    Audit,
    Comment,
    Entity,
    EntityList,
    Form,
    FormVersion,
    Submission,
    SubmissionVersion,
)
from sync.models.database import begin_writing
from sync.projects.keys import open_forms
from sync.projects.lifecycle import set_state
from sync.projects.publish import create_project, publish_beside, publish_form
from sync.review.decide import add_comment, set_review_state

Say = Callable[[str], None]
_AT_ONCE = 500
_FILED = ("stored", "edited", "duplicate")
_WHOLE = "project.moved_in"
_EVER = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(slots=True)
class Moved:
    """What came over, and what did not."""

    project_id: int
    versions: int = 0
    submissions: int = 0
    here_before: int = 0
    files: int = 0
    entities: int = 0
    users: int = 0
    stand_ins: list[str] = field(default_factory=list)  # "form version", for versions that nobody has any more
    problems: list[str] = field(default_factory=list)
    sent_elsewhere: dict[str, str | None] = field(default_factory=dict)  # by form: to where its newest version sends
    without_role: list[str] = field(default_factory=list)  # people who were given no role
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)  # submissions by form: there, here


def move_in(elsewhere: Elsewhere, project_id: int | None, origin: str, say: Say) -> Moved:
    """Read everything and store it, each form version and each submission in a transaction of its own.

    Without `project_id` a project of the same name is made. `origin` is the other server's address, by which whoever
    sent a submission there is known here.
    """
    moved = Moved(project_id or _new_project(elsewhere.name()))
    try:
        _move_all(moved, elsewhere, origin, say)
    except Stopped as problem:
        raise Stopped(f"{problem} Begun again with --project {moved.project_id}, this goes on from here.") from problem
    return moved


def _move_all(moved: Moved, elsewhere: Elsewhere, origin: str, say: Say) -> None:
    say(f"project {moved.project_id}")
    began = clock.now() if _was_whole(moved.project_id, origin) else _EVER
    forms = list(elsewhere.forms())
    for form in forms:
        say(f"{form.form_id}: {counted(len(form.versions), 'version')}")
        for version in form.versions:
            _publish(moved, version)
    _encrypt(moved)
    for rules in elsewhere.rules():
        with _told(moved, f"list {rules.name}"):
            _set_rules(moved, rules)
    whole = True
    for form in forms:
        try:
            _move_submissions(moved, elsewhere, form, origin, say)
        except Refusal as problem:
            whole = False
            session().rollback()
            moved.problems.append(f"submissions of {form.form_id}: {problem}")
    for found in elsewhere.lists():
        with _told(moved, f"list {found.name}"):
            _move_list(moved, found, began)
            say(f"list {found.name}: {counted(len(found.entities), 'entity', 'entities')}")
    for form in forms:
        _set_state(moved, form.form_id, form.state)
    _move_users(moved, elsewhere, [form.form_id for form in forms])
    if whole:
        begin_writing(session())
        record_act(session(), moved.project_id, HERE, _WHOLE, clock.now(), origin)
        session().commit()


@contextmanager
def _told(moved: Moved, about: str) -> Iterator[None]:
    """What is refused here is told, and all else goes on."""
    try:
        yield
    except Refusal as problem:
        session().rollback()
        if (told := f"{about}: {problem}") not in moved.problems:
            moved.problems.append(told)


def _was_whole(project_id: int, origin: str) -> bool:
    """Whether everything of there has been here once, so that what differs since may be newer here."""
    ended = select(Audit.number).where(Audit.project_id == project_id, Audit.action == _WHOLE, Audit.subject == origin)
    found = session().scalar(ended.limit(1)) is not None
    session().rollback()
    return found


def _new_project(name: str) -> int:
    journal = create_project(session(), {"name": name}, None, clock.now())
    record_act(session(), journal.project_id, HERE, "project.created", clock.now())
    journal.close()
    session().commit()
    return journal.project_id


# Forms


def _publish(moved: Moved, found: FoundVersion) -> None:
    known = session().get(FormVersion, (moved.project_id, found.form_id, found.version))
    session().rollback()
    if known is not None:
        return
    try:
        workbook = _workbook(found)
        if unfit := unfit_id(workbook.form.form_id):
            raise Unexpected(unfit)
        journal = open_journal(session(), moved.project_id, None, clock.now)
        publish_form(journal, workbook, found.files, as_it_is=True)
    except (Faulty, Refusal) as problem:
        session().rollback()
        moved.problems.append(f"form {found.form_id} {found.version}: {problem}")
        return
    record_act(session(), moved.project_id, HERE, "form.published", clock.now(), f"{found.form_id} {found.version}")
    journal.close()
    session().commit()
    moved.versions += 1
    moved.sent_elsewhere[found.form_id] = submission_address(workbook.xform)


def _encrypt(moved: Moved) -> None:
    """In a project with a key no form that came is left open for what is filled in from now on."""
    journal = open_journal(session(), moved.project_id, None, clock.now)
    workbooks = open_forms(journal) if journal.project.key_id is not None else []
    if not workbooks:
        session().rollback()
        return
    for workbook in workbooks:
        publish_form(journal, workbook)
        record_act(session(), moved.project_id, HERE, "form.published", clock.now(), workbook.form.form_id)
    journal.close()
    session().commit()


def _publish_lacking(moved: Moved, elsewhere: Elsewhere, form: FoundForm, xml: bytes) -> None:
    """The version that a submission was filled in with, if only the last one is here: it could not be filed without.

    Where the other server has it no more, or only as a workbook that makes no form here, the last one is published once
    more in its place.
    """
    try:
        version = read_instance(xml).version
    except Faulty:
        return
    known = session().get(FormVersion, (moved.project_id, form.form_id, version))
    last = session().get(FormVersion, (moved.project_id, form.form_id, form.versions[-1].version))
    session().rollback()
    if known is not None or last is None:
        return
    workbook = _lacking(elsewhere, form.form_id, xml, version)
    about = f"{form.form_id} {version}"
    journal = open_journal(session(), moved.project_id, None, clock.now)
    publish_beside(journal, workbook or read_xform(with_version(last.xform, version), f"{form.form_id}.xml"))
    detail = None if workbook else {"as": last.version}
    record_act(session(), moved.project_id, HERE, "form.published", clock.now(), about, detail)
    journal.close()
    session().commit()
    if workbook:
        moved.versions += 1
    else:
        moved.stand_ins.append(about)


def _lacking(elsewhere: Elsewhere, form_id: str, xml: bytes, version: str) -> Workbook | None:
    found = elsewhere.workbook_of(form_id, xml, version)
    try:
        return read_workbook(found, f"{form_id}.xlsx", fallback=form_id) if found else None
    except Faulty:
        return None


def _workbook(found: FoundVersion) -> Workbook:
    """The XForm byte for byte as it was there, so that tablets need not load it anew, with our sheets if there are any.

    A spreadsheet that would not pass here is no reason to leave a form behind that has been in use.
    """
    name = f"{found.form_id}.xlsx"
    if found.xform is None:
        return read_workbook(found.workbook or b"", name, fallback=found.form_id)
    if found.workbook is not None:
        try:
            read = read_workbook(found.workbook, name, fallback=found.form_id)
            return replace(read, xform=found.xform, form=compile_form(found.xform, read.sheets.renames))
        except Faulty:
            pass
    return replace(read_xform(found.xform, name), source=found.workbook)


def _set_state(moved: Moved, form_id: str, state: str) -> None:
    """A form that is closed there is closed here too, but only once everything that was sent to it is in."""
    row = session().get(Form, (moved.project_id, form_id))
    differs = row is not None and row.state != state
    session().rollback()
    if differs:
        journal = open_journal(session(), moved.project_id, None, clock.now)
        set_state(journal, form_id, state)
        journal.close()
        session().commit()


# Submissions


def _move_submissions(moved: Moved, elsewhere: Elsewhere, form: FoundForm, origin: str, say: Say) -> None:
    if unfit_id(form.form_id):
        left = sum(1 for _ in elsewhere.submission_ids(form.form_id))
        moved.counted[form.form_id] = left, 0
        if left:
            told = f"{counted(left, 'submission')}, not fetched, as a form with this id cannot be here"
            moved.problems.append(f"submissions of {form.form_id}: {told}")
        return
    done = 0
    for some in _portions(elsewhere.submission_ids(form.form_id)):
        here = _held(moved.project_id, form.form_id, [one.current for one in some])
        moved.here_before += len(here)
        lacking = [one.first for one in some if one.current not in here]
        if lacking:
            _set_state(moved, form.form_id, "open")
        for instance_id in lacking:
            try:
                submission = elsewhere.submission(form.form_id, instance_id)
                if form.last_alone:
                    _publish_lacking(moved, elsewhere, form, submission.instances[0].xml)
                _move_submission(moved, submission, origin)
            except Refusal as problem:
                session().rollback()
                moved.problems.append(f"{form.form_id} {instance_id}: {problem}")
        done += len(some)
        say(f"{form.form_id}: {counted(done, 'submission')}")
    of_form = (Submission.project_id == moved.project_id, Submission.form_id == form.form_id)
    here_now = session().scalar(select(func.count()).select_from(Submission).where(*of_form))
    session().rollback()
    moved.counted[form.form_id] = done, here_now or 0


def _move_submission(moved: Moved, found: FoundSubmission, origin: str) -> None:
    posted = None
    for instance in found.instances:
        posted = _move_instance(moved, instance, origin)
        if posted is None:
            return
    if posted is None or posted.submission is None or posted.deleted:
        return
    submission_id = posted.submission
    if found.review_state is not None and not _decided_since(moved.project_id, submission_id, posted):
        journal = open_journal(session(), moved.project_id, _sender(moved.project_id, origin), clock.now)
        set_review_state(journal, submission_id, found.review_state)
        journal.close()
        session().commit()
    _move_comments(moved, submission_id, found.comments, origin)
    moved.submissions += 1


def _decided_since(project_id: int, submission_id: int, posted: Posted) -> bool:
    """Whether it was here already, as it stands there, and is corrected or decided on: that may have been done here."""
    state = session().get_one(Submission, (project_id, submission_id)).review_state
    session().rollback()
    decided = posted.superseded or state in ("approved", "rejected", "hasIssues")
    return posted.outcome == "duplicate" and decided


def _move_comments(moved: Moved, submission_id: int, comments: Sequence[FoundComment], origin: str) -> None:
    """Each as it was said there, by whom and when, unless it is here already."""
    if not comments:
        return
    own = (Comment.project_id == moved.project_id, Comment.submission_id == submission_id)
    said = {(row.body, row.at) for row in session().execute(select(Comment.body, Comment.at).where(*own))}
    session().rollback()
    for comment in comments:
        if (comment.body.strip(), comment.at) not in said:
            speaker = _sender(moved.project_id, f"{comment.by or 'unknown'} ({origin})")
            journal = open_journal(session(), moved.project_id, speaker, clock.now)
            add_comment(journal, submission_id, comment.body, comment.at)
            journal.close()
            session().commit()


def _move_instance(moved: Moved, found: FoundInstance, origin: str) -> Posted | None:
    """What became of it here; None, and a problem told, if it could not be filed."""
    sender = _sender(moved.project_id, f"{found.sender or 'unknown'} ({origin})")
    files = tuple(
        PostedFile((name,), current.store().put(content), len(content)) for name, content in found.files.items()
    )
    xml, sent_at = (found.xml, found.sent_at) if found.root is None else continuing(moved.project_id, found, origin)
    device = shortened(storable(found.device)) if found.device else None
    post = Post(xml, files, device, first_received=sent_at)
    posted = receive_post(session(), moved.project_id, sender, post, clock.now)
    if posted.outcome not in _FILED:
        moved.problems.append(f"{found.instance_id}: {posted.outcome}; it waits in quarantine: {posted.refusal}")
        return None
    moved.files += len(files)
    moved.problems.extend(f"{found.instance_id}: its file {name}, which is gone there" for name in found.lacking)
    return posted


def _sender(project_id: int, name: str) -> int:
    name = name[:200]
    known = find_device(session(), project_id, name)
    if known is None:
        begin_writing(session())
        known = add_stand_in(session(), project_id, name, clock.now())
        record_act(session(), project_id, HERE, "device.added", clock.now(), str(known.id))
        session().commit()
    return known.id


def _held(project_id: int, form_id: str, instance_ids: Sequence[str]) -> set[str]:
    """Those that are here whole, or were deleted here: the files of others may have arrived there since. The very last
    one may have been interrupted after its data and before what was said about it, so it is looked at again."""
    rows = (
        session()
        .execute(
            select(SubmissionVersion.instance_id, SubmissionVersion.submission_id)
            .join(
                Submission,
                (Submission.project_id == SubmissionVersion.project_id)
                & (Submission.id == SubmissionVersion.submission_id),
            )
            .where(
                SubmissionVersion.project_id == project_id,
                SubmissionVersion.form_id == form_id,
                SubmissionVersion.instance_id.in_(instance_ids),
                or_(Submission.missing == 0, Submission.deleted_at.is_not(None)),
            )
        )
        .all()
    )
    last = session().scalar(
        select(Submission.id).where(Submission.project_id == project_id).order_by(Submission.id.desc()).limit(1)
    )
    session().rollback()
    return {row.instance_id for row in rows if row.submission_id != last}


# Lists and people


def _set_rules(moved: Moved, found: FoundRules) -> None:
    """What a list asks of submissions, before the first of them comes: those that wait for approval there wait here."""
    of_list = (Entity.project_id == moved.project_id, Entity.list_name == found.name)
    begun = session().scalar(select(Entity.id).where(*of_list).limit(1)) is not None
    here = session().get(EntityList, (moved.project_id, found.name))
    as_here = here is not None and (here.approval_required, here.owner_only)
    session().rollback()
    if begun:
        return
    if found.filtered:
        moved.problems.append(f"list {found.name}: the rule which rows reach which tablets; every tablet gets all")
    if as_here == (found.approval_required, found.owner_only):
        return
    journal = open_journal(session(), moved.project_id, None, clock.now)
    if here is None:
        make_list(journal, found.name)
    wanted = {"approvalRequired": found.approval_required, "ownerOnly": found.owner_only}
    change_list(journal, found.name, wanted)
    journal.close()
    session().commit()


def _move_list(moved: Moved, found: FoundList, began: dt.datetime) -> None:
    """The rows as they stand there. Those that submissions have made are here already, and only corrected.

    A row that was here before `began` may have been changed here: it is left alone, unless it was changed there later.
    """
    journal = open_journal(session(), moved.project_id, None, clock.now)
    here = session().get(EntityList, (moved.project_id, found.name)) or make_list(journal, found.name)
    for name in found.properties:
        if name not in here.properties:
            add_property(journal, found.name, name)
    session().flush()
    of_list = (Entity.project_id == moved.project_id, Entity.list_name == found.name)
    known = {entity.id: entity for entity in session().scalars(select(Entity).where(*of_list))}
    wanted = {_plain(one.entity_id): one for one in found.entities}
    new = [NewEntity(one.label, one.data, entity_id) for entity_id, one in wanted.items() if entity_id not in known]
    changed = {
        entity_id: (one.label, {name: one.data.get(name, "") for name in found.properties})
        for entity_id, one in wanted.items()
        if (entity := known.get(entity_id)) is not None
        and _living(entity)
        and _is_older(entity, one.at, began)
        and (entity.label, {name: value for name, value in entity.data.items() if value}) != (one.label, one.data)
    }
    gone = [
        entity_id
        for uuid, at in found.deleted.items()
        if (entity := known.get(entity_id := _plain(uuid))) is not None
        and _living(entity)
        and _is_older(entity, at, began)
    ]
    for start in range(0, len(new), _AT_ONCE):
        create_entities(journal, found.name, new[start : start + _AT_ONCE])
    for entity_id, (label, data) in changed.items():
        update_entity(journal, found.name, entity_id, label=label, data=data, force=True)
    if gone:
        delete_entities(journal, found.name, gone)
    journal.close()
    session().commit()
    moved.entities += len(found.entities)


def _living(entity: Entity) -> bool:
    return entity.deleted_at is None and not entity.withdrawn


def _is_older(entity: Entity, there: dt.datetime, began: dt.datetime) -> bool:
    return entity.created_at >= began or (entity.updated_at or entity.created_at) < there


def _plain(uuid: str) -> str:
    return uuid.lower().removeprefix("uuid:")


def _move_users(moved: Moved, elsewhere: Elsewhere, form_ids: Sequence[str]) -> None:
    """Accounts without a password: whoever runs the server lets their owners in with a link.

    Where the project has other forms too, people are only named: a role here would open those to them.
    """
    others = select(Form.form_id).where(Form.project_id == moved.project_id, Form.form_id.not_in(form_ids))
    shared = session().scalar(others.limit(1)) is not None
    session().rollback()
    for found in elsewhere.users():
        if found.email is None:
            moved.without_role.append(f"{found.name} ({found.role})")
            continue
        with _told(moved, f"{found.name}, {found.email}"):
            _move_user(moved, found, found.email, shared)


def _move_user(moved: Moved, found: FoundUser, email: str, shared: bool) -> None:
    begin_writing(session())
    actor = find_user(session(), email)
    if actor is None or session().get(Assignment, (moved.project_id, actor.id)) is None:
        if shared:
            moved.without_role.append(f"{email} ({found.role})")
        else:
            _give_role(moved, found, actor or _new_user(found, email))
    session().commit()


def _new_user(found: FoundUser, email: str) -> Actor:
    actor = add_user(session(), email, clock.now(), name=found.name)
    record_act(session(), NO_PROJECT, HERE, "user.added", clock.now(), str(actor.id))
    return actor


def _give_role(moved: Moved, found: FoundUser, actor: Actor) -> None:
    assign(session(), actor.id, moved.project_id, found.role)
    record_act(session(), moved.project_id, HERE, "role.given", clock.now(), str(actor.id), {"role": found.role})
    moved.users += 1


def _portions(ids: Iterator[FoundId]) -> Iterator[list[FoundId]]:
    some: list[FoundId] = []
    for one in ids:
        some.append(one)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some
