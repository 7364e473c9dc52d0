"""The acts of the audit trail and the roles, in the words of those who read the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import url_for
from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _

from server.db import session
from server.language.words import words
from server.pages.frame import called
from server.pages.people.people_words import DECISIONS
from server.pages.said import STATES
from server.queries.submissions import submissions_called, titles_of_forms
from server.queries.team import names_of
from sync.models import Audit, Project
from sync.review.match_view import names_of_pairs
from sync.review.one_person import labels_of

ROLES = {
    "administrator": _("administrator"),
    "coordinator": _("coordinator"),
    "viewer": _("reader"),
    "collector": _("collector"),
}
ACTS = {
    "project.moved_in": _("moved in from another server"),
    "role.given": _("gave a role"),
    "role.taken": _("took a role away"),
    "invitation.made": _("invited somebody"),
    "invitation.revoked": _("withdrew an invitation"),
    "invitation.accepted": _("accepted an invitation"),
    "device.added": _("added a device"),
    "device.changed": _("changed a device"),
    "device.places": _("changed the places of devices"),
    "device.revoked": _("shut a device out"),
    "form.published": _("published a form"),
    "form.changed": _("changed a form"),
    "form.deleted": _("deleted a form"),
    "form.restored": _("brought a form back"),
    "form.given": _("gave a form to somebody"),
    "form.taken": _("took a form from somebody"),
    "project.created": _("made the project"),
    "project.changed": _("changed the settings"),
    "programme.loaded": _("loaded a programme"),
    "data.exported": _("exported data"),
    "submission.viewed": _("looked at a submission"),
    "submission.reviewed": _("decided on a submission"),
    "submission.commented": _("commented on a submission"),
    "submission.edited": _("edited a submission"),
    "submission.deleted": _("deleted a submission"),
    "submission.restored": _("brought a submission back"),
    "submission.shown": _("a photo was opened by a link"),
    "submission.file_added": _("added a file to a submission"),
    "submission.file_removed": _("took a file out of a submission"),
    "review.decided": _("decided on many submissions at once"),
    "review.undone": _("took back a decision on many submissions"),
    "view.saved": _("kept a view of submissions"),
    "view.deleted": _("threw a view of submissions away"),
    "quarantine.viewed": _("looked into the quarantine"),
    "entity.viewed": _("looked at a row of a list"),
    "match.viewed": _("looked at a possible duplicate"),
    "people.viewed": _("looked at a person"),
    "match.decided": _("decided about a possible duplicate"),
    "match.confirmed": _("confirmed the surest duplicates at once"),
    "match.reopened": _("took back duplicates that were confirmed at once"),
    "people.trained": _("let the machine learn who is the same person"),
    "word_template.kept": _("kept a Word template"),
    "word_template.removed": _("took a Word template away"),
    "webhook.added": _("added a webhook"),
    "webhook.changed": _("changed a webhook"),
    "webhook.removed": _("removed a webhook"),
    "webhook.replayed": _("told a webhook again"),
    "webhook.tested": _("tried a webhook out"),
    "quarantine.decided": _("decided about an entry in quarantine"),
    "quarantine.purged": _("erased discarded entries"),
    "submission.purged": _("erased deleted submissions"),
    "project.deleted": _("deleted the project"),
    "project.encrypted": _("had new forms encrypted"),
    "key.brought": _("brought the private half of a key along"),
    "form.drafted": _("began a draft of a form"),
    "form.draft_discarded": _("threw a draft away"),
    "form.file_given": _("gave a form a file"),
    "form.file_linked": _("had a form read a list"),
    "form.file_taken": _("took a file from a form"),
    "public_link.added": _("opened a form to everybody by a link"),
    "public_link.closed": _("closed a public link"),
    "device_property.added": _("added a property of devices"),
    "statement.issued": _("issued a statement"),
    "odata.read": _("read data from another program"),
    "list.made": _("made a list"),
    "list.changed": _("changed a list"),
    "list.deleted": _("deleted a list"),
    "rows.assigned": _("gave a device rows of a list"),
    "rows.unassigned": _("took rows of a list from a device"),
    "entity.create": _("added a row to a list"),
    "entity.bulk.create": _("added rows to a list"),
    "entity.update.version": _("changed a row of a list"),
    "entity.update.resolve": _("settled a row that was changed in two places"),
    "entity.delete": _("deleted a row of a list"),
    "entity.bulk.delete": _("deleted rows of a list"),
    "entity.restore": _("brought a row of a list back"),
    "entity.bulk.restore": _("brought rows of a list back"),
}
_AT_ONCE = ("match.confirmed", "match.reopened")
_ABOUT_ACTORS = ("role", "device", "form.given", "form.taken", "invitation.accepted")
_ABOUT_ROWS = ("people.", "entity.")
# What changed nothing: there is much of it.
LOOKS = frozenset(code for code in ACTS if code.endswith(".viewed")) | {"submission.shown"}


@dataclass(frozen=True, slots=True)
class Called:
    """What all that is called to which acts were done: actors, forms, pairs and submissions by number, rows of lists by
    list and id."""

    project: Project
    actors: Mapping[int, str]
    forms: Mapping[str, str]
    pairs: Mapping[int, str]
    visits: Mapping[int, str]
    rows: Mapping[str, str]


def called_in(project: Project, acts: Sequence[Audit]) -> Called:
    """The names that sentences on these acts take."""
    pid, forms = project.id, titles_of_forms(session(), project.id)
    numbers = [act.actor_id for act in acts if act.actor_id is not None]
    about_actors = [act.subject for act in acts if act.subject and act.action.startswith(_ABOUT_ACTORS)]
    numbers += [int(subject) for subject in about_actors if subject.isdecimal()]
    pairs = names_of_pairs(session(), pid, [number for act in acts if (number := pair_in(act)) is not None])
    found = submissions_called(session(), pid, [number for act in acts if (number := _visit_in(act)) is not None])
    visits = {number: f"{forms.get(form, form)} {name or number}" for number, (form, name) in found.items()}
    return Called(project, names_of(session(), numbers), forms, pairs, visits, _rows_in(pid, acts))


def one_line_each(acts: Sequence[Audit]) -> list[list[Audit]]:
    """The acts one by one; but the files of a submission, which somebody looked at one after the other, together."""
    lines: list[list[Audit]] = []
    for act in acts:
        if lines and _is_file(act) and _is_file(lines[-1][0]) and _by_and_about(act) == _by_and_about(lines[-1][0]):
            lines[-1].append(act)
        else:
            lines.append([act])
    return lines


def sentence(line: Sequence[Audit], known: Called) -> str:
    """What was done and to what: its act, and what it was done to as far as that has a name."""
    act = line[0]
    did, about = _did(act), _about(act, known)
    if len(line) > 1:
        files = ngettext("%(number)s file", "%(number)s files", len(line), number=words().number(len(line)))
        about = f"{known.visits.get(_visit_in(act) or 0, '')} ({files})"
    return gettext("%(did)s: %(about)s", did=did, about=about) if about else did


def _did(act: Audit) -> str:
    details = act.details or {}
    if act.action == "match.decided" and details.get("decision") == "open":
        return str(gettext("took back a decision about a possible duplicate"))
    if act.action == "submission.reviewed" and details.get("state", "") is None:
        return str(gettext("took back a decision on a submission"))
    if act.action == "match.viewed" and pair_in(act) is None:
        return str(gettext("looked through possible duplicates"))
    if act.action == "people.viewed" and "/" not in (act.subject or ""):
        return str(gettext("looked through a list"))
    return str(ACTS.get(act.action, act.action))


def _about(act: Audit, known: Called) -> str:
    details, about = act.details or {}, act.subject or ""
    if act.action in _AT_ONCE:
        number = details.get("pairs", 0)
        about = ngettext("%(number)s pair", "%(number)s pairs", number, number=words().number(number))
    elif pair := pair_in(act):
        about = known.pairs.get(pair, about)
    elif visit := _visit_in(act):
        _number, _slash, file = about.partition("/")
        about = " / ".join(filter(None, (known.visits.get(visit, str(visit)), file)))
    elif about.isdecimal() and act.action.startswith(_ABOUT_ACTORS):
        about = known.actors.get(int(about), about)
    elif act.action.startswith(_ABOUT_ROWS):
        # The id of a row that is gone tells nobody anything.
        about = known.rows.get(about) or about.partition("/")[0]
    about = known.forms.get(about) or called(known.project, "lists", about)
    decided = details.get("decision", "")
    said = ROLES.get(details.get("role", "")) or (DECISIONS.get(decided) if decided != "open" else None)
    if said is None and act.action == "submission.reviewed" and details.get("state"):
        said = STATES.get(details["state"])
    return (f"{about} ({said})" if about else str(said)) if said is not None else about


def _rows_in(pid: int, acts: Sequence[Audit]) -> dict[str, str]:
    wanted: dict[str, set[str]] = {}
    for act in acts:
        name, slash, uuid = (act.subject or "").partition("/")
        if slash and act.action.startswith(_ABOUT_ROWS):
            wanted.setdefault(name, set()).add(uuid)
    return {
        f"{name}/{uuid}": label
        for name, ids in wanted.items()
        for uuid, label in labels_of(session(), pid, name, ids).items()
    }


def _visit_in(act: Audit) -> int | None:
    number = (act.subject or "").partition("/")[0]
    about_one = act.action.startswith("submission.") and act.action != "submission.purged"
    return int(number) if about_one and number.isdecimal() else None


def _is_file(act: Audit) -> bool:
    return act.action == "submission.viewed" and "/" in (act.subject or "")


def _by_and_about(act: Audit) -> tuple[int | None, int | None]:
    return act.actor_id, _visit_in(act)


def pair_in(act: Audit) -> int | None:
    """The number of the one pair that an act was about."""
    subject = act.subject or ""
    about_one = act.action.startswith("match.") and act.action not in _AT_ONCE
    return int(subject) if about_one and subject.isdecimal() else None


def address_of(act: Audit) -> str | None:
    """Where what was done can be looked at, and taken back if it can be; None where there is nothing to see."""
    subject, details, pid = act.subject or "", act.details or {}, act.project_id
    name, _slash, rest = subject.partition("/")
    if act.action.startswith("match.") and subject.isdecimal():
        if act.action == "match.confirmed":
            return url_for("match_pages.queue", pid=pid, list=details.get("list"), bulk=subject)
        return url_for("match_pages.pair", pid=pid, number=subject) if act.action != "match.reopened" else None
    if act.action == "review.decided" and subject.isdecimal():
        return url_for("review_pages.many", pid=pid, done=subject)
    if act.action.startswith("submission.") and act.action != "submission.purged" and name.isdecimal():
        return url_for("submission_pages.submission", pid=pid, number=name)
    if act.action in ("quarantine.viewed", "quarantine.decided"):
        return url_for("quarantine_pages.parked", pid=pid, item=subject)
    if act.action == "people.viewed" and rest:
        return url_for("people_pages.person", pid=pid, name=name, uuid=rest)
    if act.action.startswith("entity.") and rest:
        return url_for("list_pages.row", pid=pid, name=name, uuid=rest)
    return None
