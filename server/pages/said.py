"""What codes are called on pages: states, flags, reasons to wait, settings of a tablet."""

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
    "left_out": _("less than before the correction"),
    "clock": _("dated wrongly, or clock of the tablet"),
    "place": _("unknown place"),
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
# What an event of a project's journal was, where it is about no single visit and no pair.
EVENTS = {
    "published": _("a version of a form was published"),
    "form": _("a form was changed or closed"),
    "definition": _("an indicator was defined"),
    "settings": _("the project's settings were changed"),
    "places": _("places were changed"),
    "list": _("a list was changed"),
    "entities": _("rows of a list were changed"),
    "trained": _("what makes two records alike was learned anew"),
    "rebuilt": _("all figures were worked out anew"),
    "purged": _("what was deleted was erased"),
}
# A decision as forms and addresses have it → the state that it gives.
DECISIONS = {state or "received": state for state in STATES}
# Sentences to send a submission back with, each a key of its own; with the last one it is flagged.
TEMPLATES = {
    "photo": _("The photo is missing or cannot be made out. Please take it again."),
    "number": _("A number looks wrong. Please check it and correct it."),
    "place": _("The village or the position is not right. Please correct it."),
    "twice": _("This visit seems to have been recorded twice. Please say which one stands."),
    "date": _("A date or an hour looks wrong. Please check the day of the visit and the clock of the tablet."),
    "empty": _("Answers are missing. Please complete them."),
    "again": _("Something looks odd. Please look at it again."),
}
# What the settings of ODK Collect are called on its own screens.
NETWORKS_SAID = {
    "off": _("never"),
    "wifi_only": _("over Wi-Fi only"),
    "cellular_only": _("over the mobile network only"),
    "wifi_and_cellular": _("over Wi-Fi and the mobile network"),
}
SIZES_SAID = {
    "original": _("as the camera makes them"),
    "very_small": _("very small"),
    "small": _("small"),
    "medium": _("medium"),
    "large": _("large"),
}
