"""By what the entities of a list are compared: people by the model in force, organisations and households simply."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, Text, bindparam, cast, select

from sync.dedup.pairs import Likeness, likeness_of
from sync.dedup.scoring import organisations
from sync.dedup.scoring.blocking import CAP, keys_of
from sync.dedup.scoring.comparing import compare, stratum_of
from sync.dedup.scoring.model import DEFAULT, FLOOR, Model, Term, score_compared, terms_wanted, weigh
from sync.dedup.scoring.organisations import Organisation, organisation_of
from sync.dedup.scoring.profiles import Profile, profile_of
from sync.models import MatchModel, MatchTerm
from sync.models.probing import rows_of, rows_of_keys

NAME = "name"  # the role that makes a list one of organisations or households
_TERM = (MatchTerm.scope, MatchTerm.part, MatchTerm.term)


class Yardstick(Protocol):
    """One way to compare: what is known of an entity, by which keys it is found, and how alike two are.

    `cap` is how many may have a key until it finds nobody any more. Before likenesses are asked for, `prepare` gets one
    profile of each pair. No likeness is one too small to be kept.
    """

    version: int

    def profile(self, entity_id: str, data: Mapping[str, Any], created_at: dt.datetime) -> Any: ...
    def keys(self, profile: Any) -> Sequence[int]: ...
    def cap(self, key: int) -> int: ...
    def prepare(self, profiles: Collection[Any]) -> None: ...
    def likeness(self, a: Any, b: Any) -> Likeness | None: ...


def yardstick_of(connection: Connection, project_id: int, list_name: str, roles: Mapping[str, str]) -> Yardstick:
    """The one in force for a list whose properties play these roles."""
    return Simple(roles) if compared_simply(roles) else Modelled(connection, project_id, list_name, roles)


def compared_simply(roles: Mapping[str, str] | None) -> bool:
    """Whether what is probable of a list's entities is nothing that a figure may rest on."""
    return NAME in (roles or {}).values()


_IN_FORCE = (
    select(MatchModel.version, MatchModel.terms, cast(MatchModel.model, Text).label("model"))
    .where(MatchModel.project_id == bindparam("project"), MatchModel.list_name == bindparam("list"))
    .order_by(MatchModel.version.desc())
    .limit(1)
)


@lru_cache(maxsize=32)
def _model(stored: str) -> Model:
    """Made once for all that read the same text: every record that arrives asks for it."""
    return Model.from_json(orjson.loads(stored))


class Modelled:
    """People, by a model. `terms` are as many of the counted names as were needed so far."""

    def __init__(self, connection: Connection, project_id: int, list_name: str, roles: Mapping[str, str]) -> None:
        self._connection, self._project_id, self._list = connection, project_id, list_name
        self._roles = _Roles(roles)
        [row] = rows_of(connection, _IN_FORCE, {"project": project_id, "list": list_name}) or [None]
        self.version: int = row.version if row is not None else 0
        self.terms_version: int = row.terms if row is not None else 0
        self.model = _model(row.model) if row is not None else DEFAULT
        self.terms: dict[Term, int] = {}

    def profile(self, entity_id: str, data: Mapping[str, Any], created_at: dt.datetime) -> Profile:
        return profile_of(entity_id, self._roles.players, self._roles.read(data), created_at.date())

    def keys(self, profile: Profile) -> Sequence[int]:
        return keys_of(profile)

    def cap(self, key: int) -> int:
        return CAP

    def prepare(self, profiles: Collection[Profile]) -> None:
        if self.terms_version == 0:
            return
        wanted = {term for profile in profiles for term in terms_wanted(profile)} - self.terms.keys()
        rows = rows_of_keys(
            self._connection,
            [*_TERM, MatchTerm.count],
            _TERM,
            sorted(wanted),
            (MatchTerm.project_id, self._project_id),
            (MatchTerm.list_name, self._list),
            (MatchTerm.version, self.terms_version),
        )
        self.terms |= dict.fromkeys(wanted, 0) | {(scope, part, term): count for scope, part, term, count in rows}

    def likeness(self, a: Profile, b: Profile) -> Likeness | None:
        compared = self.model, self.terms, a, b, stratum_of(a, b), compare(a, b)
        return likeness_of(score_compared(*compared), self.version) if weigh(*compared) >= FLOOR else None


class Simple:
    """Organisations or households, by words, acronyms and numbers; all with all while the list is short."""

    version = 0

    def __init__(self, roles: Mapping[str, str]) -> None:
        self._roles = _Roles(roles)

    def profile(self, entity_id: str, data: Mapping[str, Any], created_at: dt.datetime) -> Organisation:
        return organisation_of(entity_id, self._roles.players, self._roles.read(data))

    def keys(self, profile: Organisation) -> Sequence[int]:
        return organisations.keys_of(profile)

    def cap(self, key: int) -> int:
        return organisations.cap_of(key)

    def prepare(self, profiles: Collection[Organisation]) -> None:
        """Nothing has to be known beside them."""

    def likeness(self, a: Organisation, b: Organisation) -> Likeness | None:
        found = organisations.score(a, b)
        return likeness_of(found, self.version) if found.weight >= FLOOR else None


class _Roles:
    """The properties of a list that play a role, one for each. Of several the first by name that says anything does."""

    def __init__(self, roles: Mapping[str, str]) -> None:
        players: dict[str, list[str]] = {}
        for name, role in sorted(roles.items()):
            players.setdefault(role, []).append(name)
        self.players = {names[0]: role for role, names in players.items()}
        self._several = [names for names in players.values() if len(names) > 1]

    def read(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the players say."""
        if not self._several:
            return data
        said = {names[0]: next((data[name] for name in names if data.get(name)), None) for names in self._several}
        return {**data, **said}
