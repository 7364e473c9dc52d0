"""What the pages of people and of lists call roles, levels of likelihood, decisions and what becomes of rows."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

ROLES = {
    "first_name": _("first name"),
    "last_name": _("last name"),
    "full_name": _("full name"),
    "name": _("name"),
    "sex": _("sex"),
    "birth_year": _("year of birth"),
    "birth_date": _("date of birth"),
    "age": _("age"),
    "phone": _("telephone"),
    "village": _("village"),
    "commune": _("commune"),
    "group": _("group"),
    "id_number": _("number on a paper"),
    "address": _("address"),
}
DECISIONS = {
    "same": _("the same"),
    "different": _("different"),
    "open": _("to be decided"),
}
# From which probability on, and up to which.
BANDS = {
    "": (0.0, 1.0, _("however likely")),
    "sure": (0.9, 1.0, _("nearly sure (90 % and more)")),
    "likely": (0.5, 0.9, _("likely (50 to 90 %)")),
    "maybe": (0.05, 0.5, _("perhaps (5 to 50 %)")),
    "hardly": (0.0, 0.05, _("hardly (below 5 %)")),
}
OUTCOMES = {
    "new": _("somebody new"),
    "same": _("looks like one who is there"),
    "maybe": _("may be somebody who is there"),
    "changes": _("changes who is there"),
    "unchanged": _("is there already, as it is"),
    "faulty": _("is to be mended"),
}
CONFLICTS = {
    "soft": _("changed in two places at once"),
    "hard": _("two changes contradict each other"),
}
