"""What the codes of submissions are called on pages: states, flags, reasons to wait."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

STATES = {
    None: _("received"),
    "edited": _("edited"),
    "hasIssues": _("has issues"),
    "rejected": _("rejected"),
    "approved": _("approved"),
}
FLAGS = {
    "required": _("answer missing"),
    "constraint": _("constraint not met"),
    "relevant": _("should not have been asked"),
    "choice": _("not on its list"),
    "type": _("not of its type"),
    "calculation": _("calculation differs"),
    "double_save": _("saved twice"),
    "same_day": _("same subject on the same day"),
    "rival_file": _("two files of one name"),
    "clock": _("clock of the tablet"),
    "match": _("perhaps registered already"),
}
REASONS = {
    "malformed": _("not an item as it should be"),
    "unreadable": _("unreadable"),
    "answers": _("answers that do not fit the form"),
    "unknown_form": _("unknown form"),
    "unknown_version": _("unknown version of the form"),
    "edits_unknown": _("corrects a visit that has not arrived"),
    "differs": _("says two things about itself"),
    "form_closed": _("the form is closed"),
    "not_allowed": _("form not given to the sender"),
    "unstorable": _("could not be stored"),
    "conflict": _("conflict with what is stored"),
}
