"""What the pages of the quarantine say of each reason: what happened, in plain words, and what to do next."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

STATES = {
    "open": _("waiting"),
    "resolved": _("filed"),
    "discarded": _("discarded"),
}
ACTIONS = {
    "retry": _("tried again"),
    "released": _("taken up again by itself"),
    "accept_as_edit": _("accepted as a correction"),
    "discard": _("discarded"),
}
OUTCOMES = {
    "stored": _("stored"),
    "duplicate": _("was there already"),
    "edited": _("became a new version"),
    "conflict": _("waits for another reason now"),
    "quarantined": _("waits for another reason now"),
}
FILED = ("stored", "duplicate", "edited")
# What can be filed once something else was mended here; to try the others again changes nothing by itself.
MENDED_HERE = frozenset({"answers", "unknown_form", "unknown_version", "edits_unknown", "form_closed", "not_allowed"})
WHAT_TO_DO = {
    "malformed": _(
        "The program that sent it did not build it as it should. Ask who runs that program; look at what was sent "
        "and discard it if nothing of it is of use."
    ),
    "unreadable": _(
        "What arrived is not whole, as when a tablet ran out of power while it saved. Ask the collector to fill the "
        "form in once more from paper or memory, then discard this."
    ),
    "answers": _(
        "The answers do not fit the version of the form that they name. Look at what was sent; mend and publish the "
        "form, then try again, or ask the collector to send the visit anew."
    ),
    "unknown_form": _(
        "This project has no such form. It may belong to another project, or was deleted: publish or restore it, then "
        "try again."
    ),
    "unknown_version": _(
        "It was filled in with a version of the form that was never published here. Publish that version, and it is "
        "filed by itself; or try again."
    ),
    "edits_unknown": _(
        "It corrects a visit that has not arrived yet. As soon as that one comes it is filed by itself: have all "
        "tablets of the team send."
    ),
    "differs": _(
        "What it says of itself does not agree: its form, its version or its id stand in two places with two values. "
        "Ask who made the program or the form."
    ),
    "form_closed": _("The form takes no submissions now. Open it, then try again; or discard this with a reason."),
    "not_allowed": _("The form was not given to the device that sent it. Give it to the device, then try again."),
    "unstorable": _(
        "It holds signs that no database can keep. Look at what was sent; ask the collector to send the visit anew."
    ),
    "conflict": _(
        "Something else is stored in its place: a visit with the same number, or another correction of the same visit, "
        "came first. Compare both: accept this as a correction if it is the better one, else discard it."
    ),
}
