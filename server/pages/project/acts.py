"""The acts of the audit trail and the roles, in the words of those who read the pages."""

from __future__ import annotations

from collections.abc import Mapping

from flask import url_for
from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _

from server.pages.frame import called
from server.pages.people.people_words import DECISIONS
from server.words import words
from sync.models import Audit, Project

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
_ABOUT_ACTORS = ("role", "device", "form.given", "form.taken")


def sentence(
    act: Audit, names: Mapping[int, str], project: Project, titles: Mapping[str, str], pairs: Mapping[int, str]
) -> str:
    """What was done and to what: its act, and what it was done to as far as that has a name. `titles` are those of
    forms, `pairs` what the two of a pair are called."""
    did = str(ACTS.get(act.action, act.action))
    details = act.details or {}
    about = act.subject or ""
    if act.action in _AT_ONCE:
        number = details.get("pairs", 0)
        about = ngettext("%(number)s pair", "%(number)s pairs", number, number=words().number(number))
    elif pair := pair_in(act):
        about = pairs.get(pair, about)
    if about.isdecimal() and act.action.startswith(_ABOUT_ACTORS):
        about = names.get(int(about), about)
    if act.action.startswith(("people.", "entity.")):
        about = about.partition("/")[0]  # the list; the row's id tells nobody anything
    about = titles.get(about) or called(project, "lists", about)
    said = ROLES.get(details.get("role", "")) or DECISIONS.get(details.get("decision", ""))
    if said is not None:
        about = f"{about} ({said})" if about else str(said)
    return gettext("%(did)s: %(about)s", did=did, about=about) if about else did


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
    if act.action == "people.viewed" and rest:
        return url_for("people_pages.person", pid=pid, name=name, uuid=rest)
    if act.action.startswith("entity.") and rest:
        return url_for("list_pages.row", pid=pid, name=name, uuid=rest)
    return None
