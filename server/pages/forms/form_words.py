"""What the codes of forms are called on pages: states, kinds of questions, kinds of changes."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

FORM_STATES = {
    "open": _("open"),
    "closing": _("closing"),
    "closed": _("closed"),
}
WHAT_STATES_DO = {
    "open": _("Devices get the form and may send it."),
    "closing": _("Devices get it no more; what was begun may still be sent."),
    "closed": _("Nothing is taken any more; what still arrives waits in quarantine."),
}
KINDS = {
    "string": _("text"),
    "int": _("whole number"),
    "decimal": _("number"),
    "boolean": _("yes or no"),
    "date": _("date"),
    "time": _("time"),
    "dateTime": _("date and time"),
    "geopoint": _("position"),
    "geotrace": _("line on the map"),
    "geoshape": _("area on the map"),
    "binary": _("photo, sound or file"),
    "select1": _("one choice"),
    "select": _("several choices"),
    "rank": _("order of choices"),
    "barcode": _("barcode"),
    "note": _("note"),
    "calculation": _("calculated"),
    "group": _("group"),
    "repeat": _("asked several times"),
}
CHANGES = {
    "added": _("added"),
    "removed": _("removed"),
    "renamed": _("renamed"),
    "changed": _("changed"),
}
THINGS = {
    "title": _("title"),
    "language": _("language"),
    "subject": _("whom a visit is about"),
    "expected": _("of whom a visit is expected"),
    "question": _("question"),
    "group": _("group"),
    "type": _("type"),
    "label": _("label"),
    "hint": _("hint"),
    "message": _("message"),
    "required": _("required"),
    "relevant": _("asked if"),
    "constraint": _("accepted if"),
    "calculate": _("calculation"),
    "list": _("list of choices"),
    "choice": _("choice"),
    "indicator": _("indicator"),
    "target": _("target"),
}
GROUPS = {
    "form": _("The form"),
    "questions": _("Questions"),
    "rules": _("Rules"),
    "texts": _("Texts"),
    "choices": _("Choices"),
    "figures": _("Indicators and targets"),
}
FILE_KINDS = {
    "image": _("picture"),
    "audio": _("sound"),
    "video": _("video"),
    "file": _("list or file"),
}
