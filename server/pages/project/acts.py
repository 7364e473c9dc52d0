"""The acts of the audit trail and the roles, in the words of those who read the pages."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from sync.models import Audit

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
    "quarantine.viewed": _("looked into the quarantine"),
    "entity.viewed": _("looked at a row of a list"),
    "match.viewed": _("looked at a possible duplicate"),
    "people.viewed": _("looked at a person"),
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
}
_ABOUT_ACTORS = ("role", "device", "form.given", "form.taken")


def sentence(act: Audit, names: Mapping[int, str]) -> str:
    """What was done and to what: its act, and what it was done to as far as that has a name."""
    did = str(ACTS.get(act.action, act.action))
    details = act.details or {}
    about = act.subject or ""
    if about.isdecimal() and act.action.startswith(_ABOUT_ACTORS):
        about = names.get(int(about), about)
    if (role := details.get("role")) in ROLES:
        about = f"{about} ({ROLES[role]})" if about else str(ROLES[role])
    return gettext("%(did)s: %(about)s", did=did, about=about) if about else did
