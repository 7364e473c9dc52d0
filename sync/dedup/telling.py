"""Whoever sends a person hears at once of one that looks the same; of whom, only if that row is within reach."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session

from forms.form import Flag
from forms.xforms.entities import EntityAction
from sync.accounts.roles import role_in
from sync.entities.reach import covered, reach_of, tree_of
from sync.journal import Journal
from sync.models import Actor, EntityList
from sync.review.flags import MATCH

Alike = Mapping[tuple[str, str], str]  # list and entity → the one that it looks like
_LONGEST = 100
_WORDS = {
    "en": (
        "This looks like {who}, who is registered already. Both records are kept; a coordinator decides.",
        "This looks like somebody who is registered already. Both records are kept; a coordinator decides.",
    ),
    "fr": (
        "Cela ressemble à {who}, déjà dans le registre. Les deux fiches sont gardées ; un coordinateur décide.",
        "Cela ressemble à une fiche déjà dans le registre. Les deux sont gardées ; un coordinateur décide.",
    ),
}


def flags_about(
    journal: Journal, actor_id: int | None, actions: Mapping[int, Iterable[EntityAction]], alike: Alike
) -> dict[int, list[Flag]]:
    """For each of these submissions the flags about its entities, as its sender may read them. They are for the
    receipt alone: what is open today may be decided tomorrow. Whoever fills in a public link hears nothing."""
    session = journal.session
    actor = session.get(Actor, actor_id) if actor_id is not None else None
    if actor is None or not _belongs(session, actor, journal.project_id):
        return {}
    named = _within_reach(session, journal.project_id, actor, alike)
    named_one, somebody = _WORDS[next((name for name in journal.languages if name in _WORDS), "en")]
    found: dict[int, list[Flag]] = defaultdict(list)
    for submission_id, some in actions.items():
        for action in some:
            other = alike.get((action.list_name, action.entity_id))
            if other is not None:
                who = named.get((action.list_name, other))
                message = named_one.format(who=who) if who else somebody
                found[submission_id].append(Flag(MATCH, action.path, message))
    return found


def _within_reach(session: Session, project_id: int, actor: Actor, alike: Alike) -> dict[tuple[str, str], str]:
    """By list and entity: name and place of those whose rows the actor gets."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for (list_name, _), other in alike.items():
        wanted[list_name].add(other)
    tree = tree_of(session, project_id)
    found: dict[tuple[str, str], str] = {}
    for list_name, others in wanted.items():
        known = session.get(EntityList, (project_id, list_name))
        if known is None:
            continue
        for entity_id, row in covered(session, project_id, list_name, reach_of(session, actor, known), others).items():
            place = tree.places.get(row.place or "")
            where = f" ({place.name})" if place is not None else ""
            found[list_name, entity_id] = f"{row.label[:_LONGEST]}{where}"
    return found


def _belongs(session: Session, actor: Actor, project_id: int) -> bool:
    if actor.kind == "user":
        return role_in(session, actor, project_id) is not None
    return actor.kind == "device" and actor.project_id == project_id
