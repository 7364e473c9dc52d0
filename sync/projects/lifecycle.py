"""What becomes of a published form: open, closing, closed; into the bin, and out of it again."""

from __future__ import annotations

from sqlalchemy import select

from forms.indicators.sheets import Sheets
from forms.xforms.xform import compile_form
from sync.errors import NotFound, Unexpected
from sync.indicators.contributions import Wanted, replace_contributions
from sync.indicators.definitions import publish_indicators
from sync.indicators.recount import recount_form
from sync.journal import Journal
from sync.models import Form, FormVersion, Submission
from sync.projects.drafts import drop_draft
from sync.projects.publish import next_number, release_waiting

STATES = ("open", "closing", "closed")
_AT_ONCE = 500


def form_named(journal: Journal, form_id: str) -> Form:
    """The published form. Raises NotFound, also for one in the bin."""
    form = journal.session.get(Form, (journal.project_id, form_id))
    if form is None or form.deleted_at is not None:
        raise NotFound
    return form


def set_state(journal: Journal, form_id: str, state: str) -> bool:
    """`closing` takes what was begun and gives the form out no more, `closed` takes nothing. False if it was so."""
    if state not in STATES:
        raise Unexpected(f"A form is {', '.join(STATES[:-1])} or {STATES[-1]}.")
    form = form_named(journal, form_id)
    if form.state == state:
        return False
    form.state = state
    form.event = journal.record("form", None, {"form": form_id, "state": state})
    form.updated_at = journal.now
    return True


def delete_form(journal: Journal, form_id: str) -> None:
    """Put the form into the bin: no device gets it, its submissions count nowhere and are not shown. Nothing is lost.

    What arrives for it meanwhile waits in quarantine. A form that was never published is thrown away with its draft.
    """
    session = journal.session
    form = session.get(Form, (journal.project_id, form_id))
    drop_draft(journal, form_id)
    if form is None:
        return
    form = form_named(journal, form_id)
    if form.number is None:
        next_number(journal)
    event = journal.record("form", None, {"form": form_id, "deleted": True})
    form.deleted_at, form.updated_at, form.event = journal.now, journal.now, event
    session.flush()
    publish_indicators(journal, form_id, Sheets(form_id), compile_form(_version(journal, form).xform), event)
    _close_contributions(journal, form_id, event)


def restore_form(journal: Journal, number: int) -> Form:
    """Take the form with this number out of the bin, with everything that it had. Raises NotFound."""
    form = journal.session.scalar(
        select(Form).where(Form.project_id == journal.project_id, Form.number == number, Form.deleted_at.is_not(None))
    )
    if form is None:
        raise NotFound
    event = journal.record("form", None, {"form": form.form_id, "deleted": False})
    form.deleted_at, form.updated_at, form.event = None, journal.now, event
    journal.session.flush()
    version = _version(journal, form)
    sheets = Sheets.from_json(version.sheets)
    publish_indicators(journal, form.form_id, sheets, compile_form(version.xform, sheets.renames), event)
    recount_form(journal, form.form_id, event)
    release_waiting(journal, form.form_id)
    return form


def _version(journal: Journal, form: Form) -> FormVersion:
    return journal.session.get_one(FormVersion, (journal.project_id, form.form_id, form.version))


def _close_contributions(journal: Journal, form_id: str, event: int) -> None:
    rows = journal.session.execute(
        select(Submission.id, Submission.recorded_at)
        .where(Submission.project_id == journal.project_id, Submission.form_id == form_id)
        .order_by(Submission.id)
    ).all()
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        replace_contributions(journal, [Wanted(id_, event, recorded_at, (), new=False) for id_, recorded_at in some])
