"""What the pages of people and of lists call roles, levels of likelihood, decisions and what becomes of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _

from sync.dedup.yardsticks import compared_simply
from sync.models import EntityList

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
# How pages speak of two records: of people, and of anything else that is compared.
PEOPLE = {
    "question": _("%(pair)s: one person or two?"),
    "same": _("The same person"),
    "different": _("Two people"),
    "one": _("“%(one)s” and “%(other)s” are one person."),
    "two": _("“%(one)s” and “%(other)s” are two people."),
    "whole": _("The person as a whole"),
    "decisions": DECISIONS,
}
ORGANISATIONS = {
    "question": _("%(pair)s: one organisation or two?"),
    "same": _("The same organisation"),
    "different": _("Two organisations"),
    "one": _("“%(one)s” and “%(other)s” are one organisation."),
    "two": _("“%(one)s” and “%(other)s” are two organisations."),
    "whole": _("The organisation as a whole"),
    "decisions": DECISIONS | {"same": _("the same organisation"), "different": _("two organisations")},
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


def kind_of(known: EntityList) -> Mapping[str, Any]:
    """How pages speak of two records of the list."""
    return ORGANISATIONS if compared_simply(known.matching) else PEOPLE
