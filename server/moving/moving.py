"""Moving a project in: forms, submissions, lists and people, in an order in which each finds what it needs.

It may be stopped and begun again: what is here already is passed over, and nothing is here twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select

from forms.findings import Faulty
from forms.workbooks.workbook import Workbook, read_workbook, read_xform
from forms.xforms.xform import compile_form
from server import clock, current
from server.commands.common import HERE
from server.db import session
from server.moving.found import Elsewhere, FoundForm, FoundInstance, FoundList, FoundSubmission, FoundVersion
from server.plurals import counted
from sync.accounts.audit import NO_PROJECT, record_act
from sync.accounts.people import add_stand_in, add_user, find_device, find_user
from sync.accounts.roles import assign
from sync.entities.registers import add_property, make_list
from sync.entities.writing import NewEntity, create_entities, update_entity
from sync.errors import Refusal
from sync.intake.posting import Post, PostedFile, receive_post
from sync.journal import open_journal
from sync.models import Assignment, Comment, Entity, EntityList, Form, FormVersion, Submission, SubmissionVersion
from sync.models.database import begin_writing
from sync.projects.lifecycle import set_state
from sync.projects.publish import create_project, publish_form
from sync.review.decide import add_comment, set_review_state

Say = Callable[[str], None]
_AT_ONCE = 500
_FILED = ("stored", "edited", "duplicate")


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
    problems: list[str] = field(default_factory=list)


def move_in(elsewhere: Elsewhere, project_id: int | None, origin: str, say: Say) -> Moved:
    """Read everything and store it, each form version and each submission in a transaction of its own.

    Without `project_id` a project of the same name is made. `origin` is the other server's address, by which whoever
    sent a submission there is known here.
    """
    moved = Moved(project_id or _new_project(elsewhere.name()))
    forms = list(elsewhere.forms())
    for form in forms:
        say(f"{form.form_id}: {len(form.versions)} versions")
        for version in form.versions:
            _publish(moved, version)
    for form in forms:
        _move_submissions(moved, elsewhere, form, origin, say)
    for found in elsewhere.lists():
        _move_list(moved, found)
        say(f"list {found.name}: {len(found.entities)} entities")
    for form in forms:
        _set_state(moved, form.form_id, form.state)
    _move_users(moved, elsewhere)
    return moved


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
        journal = open_journal(session(), moved.project_id, None, clock.now())
        publish_form(journal, workbook, found.files)
    except (Faulty, Refusal) as problem:
        session().rollback()
        moved.problems.append(f"form {found.form_id} {found.version}: {problem}")
        return
    record_act(session(), moved.project_id, HERE, "form.published", clock.now(), f"{found.form_id} {found.version}")
    journal.close()
    session().commit()
    moved.versions += 1


def _workbook(found: FoundVersion) -> Workbook:
    """The XForm byte for byte as it was there, so that tablets need not load it anew, with our sheets if there are any.

    A spreadsheet that would not pass here is no reason to leave a form behind that has been in use.
    """
    name = f"{found.form_id}.xlsx"
    if found.workbook is not None:
        try:
            read = read_workbook(found.workbook, name)
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
        journal = open_journal(session(), moved.project_id, None, clock.now())
        set_state(journal, form_id, state)
        journal.close()
        session().commit()


# Submissions


def _move_submissions(moved: Moved, elsewhere: Elsewhere, form: FoundForm, origin: str, say: Say) -> None:
    done = 0
    for some in _portions(elsewhere.submission_ids(form.form_id)):
        here = _held(moved.project_id, form.form_id, some)
        moved.here_before += len(here)
        if here.issuperset(some):
            continue
        _set_state(moved, form.form_id, "open")
        for instance_id in some:
            if instance_id in here:
                continue
            try:
                _move_submission(moved, elsewhere.submission(form.form_id, instance_id), origin)
            except Refusal as problem:
                session().rollback()
                moved.problems.append(f"{form.form_id} {instance_id}: {problem}")
        done += len(some)
        say(f"{form.form_id}: {counted(done, 'submission')}")


def _move_submission(moved: Moved, found: FoundSubmission, origin: str) -> None:
    submission_id = None
    for instance in found.instances:
        submission_id = _move_instance(moved, instance, origin)
        if submission_id is None:
            return
    if submission_id is None:
        return
    journal = open_journal(session(), moved.project_id, _sender(moved.project_id, origin), clock.now())
    if found.review_state is not None:
        set_review_state(journal, submission_id, found.review_state)
    own = (Comment.project_id == moved.project_id, Comment.submission_id == submission_id)
    said = set(session().scalars(select(Comment.body).where(*own)))
    for comment in found.comments:
        if comment.strip() not in said:
            add_comment(journal, submission_id, comment)
    journal.close()
    session().commit()
    moved.submissions += 1


def _move_instance(moved: Moved, found: FoundInstance, origin: str) -> int | None:
    """The submission that it belongs to here; None, and a problem told, if it could not be filed."""
    now = clock.now()
    sender = _sender(moved.project_id, f"{found.sender or 'unknown'} ({origin})")
    files = tuple(
        PostedFile((name,), current.store().put(content), len(content)) for name, content in found.files.items()
    )
    post = Post(found.xml, files, found.device, first_received=found.sent_at)
    posted = receive_post(session(), moved.project_id, sender, post, now)
    session().commit()
    if posted.outcome not in _FILED:
        moved.problems.append(f"{found.instance_id}: {posted.outcome}; it waits in quarantine: {posted.refusal}")
        return None
    moved.files += len(files)
    return posted.submission


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
    """Those that are here whole. The very last one may have been interrupted after its data and before what was said
    about it, so it is looked at again."""
    rows = (
        session()
        .execute(
            select(SubmissionVersion.instance_id, SubmissionVersion.submission_id).where(
                SubmissionVersion.project_id == project_id,
                SubmissionVersion.form_id == form_id,
                SubmissionVersion.instance_id.in_(instance_ids),
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


def _move_list(moved: Moved, found: FoundList) -> None:
    """The rows as they stand there. Those that submissions have made are here already, and only corrected."""
    journal = open_journal(session(), moved.project_id, None, clock.now())
    here = session().get(EntityList, (moved.project_id, found.name)) or make_list(journal, found.name)
    for name in found.properties:
        if name not in here.properties:
            add_property(journal, found.name, name)
    session().flush()
    known = {
        entity.id: (entity.label, entity.data)
        for entity in session().scalars(
            select(Entity).where(Entity.project_id == moved.project_id, Entity.list_name == found.name)
        )
    }
    wanted = {one.entity_id.lower().removeprefix("uuid:"): one for one in found.entities}
    new = [NewEntity(one.label, one.data, entity_id) for entity_id, one in wanted.items() if entity_id not in known]
    for start in range(0, len(new), _AT_ONCE):
        create_entities(journal, found.name, new[start : start + _AT_ONCE])
    for entity_id, one in wanted.items():
        if entity_id in known and known[entity_id] != (one.label, dict(one.data)):
            update_entity(journal, found.name, entity_id, label=one.label, data=one.data, force=True)
    journal.close()
    session().commit()
    moved.entities += len(found.entities)


def _move_users(moved: Moved, elsewhere: Elsewhere) -> None:
    """Accounts without a password: whoever runs the server lets their owners in with a link."""
    for found in elsewhere.users():
        begin_writing(session())
        actor = find_user(session(), found.email)
        if actor is None:
            actor = add_user(session(), found.email, clock.now(), name=found.name)
            record_act(session(), NO_PROJECT, HERE, "user.added", clock.now(), str(actor.id))
        if session().get(Assignment, (moved.project_id, actor.id)) is None:
            assign(session(), actor.id, moved.project_id, found.role)
            record_act(
                session(), moved.project_id, HERE, "role.given", clock.now(), str(actor.id), {"role": found.role}
            )
            moved.users += 1
        session().commit()


def _portions(ids: Iterator[str]) -> Iterator[list[str]]:
    some: list[str] = []
    for one in ids:
        some.append(one)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some
