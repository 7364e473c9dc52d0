"""The columns of a form's data: the schemas of all its versions merged by the identity of their questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from forms.form import Field
from forms.indicators.sheets import Sheets
from forms.xforms.persons import asks_who
from forms.xforms.repeated import repeat_around
from forms.xforms.xform import Form
from sync.errors import NotFound
from sync.models import EntityList, FormDraft
from sync.models.probing import look_up
from sync.projects.catalogue import Shelf, compiled_draft, form_versions

SUBMISSIONS = "Submissions"
Path = tuple[str, ...]
# What a matching sheet says of a property that tells who somebody is.
IDENTIFYING_ROLES = frozenset({"first_name", "last_name", "full_name", "birth_date", "phone", "id_number", "address"})
_IDENTIFYING_KINDS = frozenset({"geopoint", "geotrace", "geoshape", "binary"})
_IDENTIFYING_PROPERTIES = frozenset(
    {"username", "email", "phonenumber", "phone number", "simserial", "subscriberid", "deviceid"}
)
_INSTANCE_NAME = "/data/meta/instanceName"  # made of names, as a rule
_TYPED = frozenset({"string", "int", "decimal"})
_KINDS = {"select1": "select_one", "barcode": "string"}


@dataclass(frozen=True, slots=True)
class Column:
    """One question in a table, over all versions that ask it.

    `path` leads from the table's row to the answer, by the newest names: `("visit", "age")`. `kind` is int, decimal,
    boolean, date, dateTime, time, geopoint, geotrace, geoshape, select_one, select, rank, binary or string; select and
    rank hold lists, a geopoint `[lat, lon, alt, accuracy]`. Where versions disagree it is what holds both. `versions`
    has, of each version that asks it, the path that it has there. `labels` and those of `choices` are by language.
    """

    path: Path
    identity: str
    name: str
    kind: str
    labels: Mapping[str, str]
    choices: Sequence[tuple[str, Mapping[str, str]]]
    identifying: bool
    versions: Mapping[str, Path]
    calculated: bool = False
    metadata: bool = False
    readonly: bool = False
    external: bool = False  # its choices lie outside the form: an entity list or an attached file
    deleted: bool = False  # the newest version does not ask it


@dataclass(frozen=True, slots=True)
class Table:
    """The submissions of a form, or the rows of one of its repeats.

    `path` leads there from the top: `("visit", "people")`; `within` from a row of its `parent`, and `versions` has that
    path in each version. `identity` is how `RepeatRow.path` names it, `/data` for the submissions.
    """

    name: str  # Submissions, Submissions.visit.people
    path: Path
    identity: str
    columns: Sequence[Column]
    parent: Table | None = None
    within: Path = ()
    versions: Mapping[str, Path] = field(default_factory=dict)


def tables_of(
    session: Session, project_id: int, form_id: str, *, version: str | None = None, deleted_fields: bool = True
) -> list[Table]:
    """The submissions first, then the repeats in the form's order, each after the one around it.

    Columns stand as in the newest form, those of older versions after them; `deleted_fields=False` leaves the latter
    out, `version` keeps to one version alone. Raises NotFound for an unknown form or version.
    """
    versions = form_versions(session, project_id, form_id)
    if version is not None:
        versions = [one for one in versions if one.version == version]
    elif not deleted_fields:
        versions = versions[:1]
    if not versions:
        raise NotFound
    roles = _roles(session, project_id)
    key = (tuple(one.sha256 for one in versions), tuple(sorted(roles)))
    return _tables.get(key, lambda: merged([(one.version, one.form(), one.sheets()) for one in versions], roles))


def identifying(session: Session, project_id: int, form_id: str) -> set[str]:
    """The identities of the questions whose answers tell who somebody is; none of an unknown form."""
    tables = tables_of(session, project_id, form_id) if form_versions(session, project_id, form_id) else []
    return {column.identity for table in tables for column in table.columns if column.identifying}


def tables_of_draft(session: Session, project_id: int, form_id: str) -> list[Table]:
    """The same for a form's draft alone. Raises NotFound without one."""
    draft = session.get(FormDraft, (project_id, form_id))
    if draft is None:
        raise NotFound
    roles = _roles(session, project_id)
    form, sheets = compiled_draft(draft)
    return merged([(draft.version, form, sheets)], roles)


def repeats_in(tables: Sequence[Table], table: Table) -> list[Table]:
    """The tables of the repeats directly in a row of this one."""
    return [other for other in tables if other.parent is not None and other.parent.identity == table.identity]


def merged(
    versions: Sequence[tuple[str, Form, Sheets]], roles: frozenset[tuple[str, str]] = frozenset()
) -> list[Table]:
    """The tables of these versions, the newest first. `roles` are (list, property) that tell who somebody is."""
    return _Merge(versions, roles).tables()


_tables: Shelf[list[Table]] = Shelf(200)


_MATCHED = select(EntityList.name, EntityList.matching).where(
    EntityList.project_id == bindparam("project_id"), EntityList.matching.is_not(None)
)


def _roles(session: Session, project_id: int) -> frozenset[tuple[str, str]]:
    rows = look_up(session, _MATCHED, {"project_id": project_id})
    return frozenset(
        (name, prop) for name, matching in rows for prop, role in (matching or {}).items() if role in IDENTIFYING_ROLES
    )


@dataclass(slots=True)
class _Asked:
    """A question, or a repeat, gathered over versions; the newest first."""

    identity: str
    fields: list[tuple[str, Field, Form]] = field(default_factory=list)
    versions: dict[str, Path] = field(default_factory=dict)
    newest: Path = ()  # from the row, by the names of the newest version that has it


class _Merge:
    def __init__(self, versions: Sequence[tuple[str, Form, Sheets]], roles: frozenset[tuple[str, str]]) -> None:
        self.versions = versions
        self.roles = roles
        self.called: dict[str, str] = {"/data": "/data"}  # identity of a group or repeat → its newest path
        self.asked: dict[str, dict[str, _Asked]] = {"/data": {}}  # by repeat, then by question
        self.repeats: dict[str, _Asked] = {}
        self.around: dict[str, str] = {}  # identity of a repeat → that of the one around it
        self.said: dict[str, bool] = {}  # what workbooks say of a question: identifying or not
        self.told: set[str] = set()  # identities of questions that are identifying by themselves
        for version, form, sheets in versions:
            self.gather(version, form, sheets)

    def tables(self) -> list[Table]:
        taken = _Names()
        made: dict[str, Table] = {}
        places = {"/data": Path()}
        for identity in self.in_order():
            repeat = self.repeats[identity]
            parent = self.around[identity]
            within = taken.take(parent, repeat.newest, leaf=True)
            places[identity] = places[parent] + within
        for identity in ["/data", *self.in_order()]:
            columns = [self.column(asked, identity, taken) for asked in self.asked[identity].values()]
            made[identity] = self.table(identity, places, columns, made)
        return list(made.values())

    def table(
        self, identity: str, places: Mapping[str, Path], columns: list[Column], made: Mapping[str, Table]
    ) -> Table:
        path = places[identity]
        if identity == "/data":
            return Table(SUBMISSIONS, (), identity, columns, versions={version: () for version, _, _ in self.versions})
        parent = made[self.around[identity]]
        return Table(
            name=".".join((SUBMISSIONS, *path)),
            path=path,
            identity=identity,
            columns=columns,
            parent=parent,
            within=path[len(parent.path) :],
            versions=self.repeats[identity].versions,
        )

    # --- gathering ------------------------------------------------------------------------------------------------

    def gather(self, version: str, form: Form, sheets: Sheets) -> None:
        renames = sheets.renames
        for path in _containers(form):
            self.called.setdefault(renames.get(path, path), path)
        for path in form.repeats:
            identity, outer = renames.get(path, path), repeat_around(form, path)
            repeat = self.repeats.setdefault(identity, _Asked(identity))
            repeat.versions[version] = _inside(path, outer)
            repeat.newest = repeat.newest or self.renamed(path, outer, renames)
            self.around.setdefault(identity, renames.get(outer, outer))
            self.asked.setdefault(identity, {})
        for path, question in form.fields.items():
            outer = question.repeat or "/data"
            asked = self.asked[renames.get(outer, outer)].setdefault(question.identity, _Asked(question.identity))
            asked.fields.append((version, question, form))
            asked.versions[version] = _inside(path, outer)
            asked.newest = asked.newest or self.renamed(path, outer, renames)
        for path, answer in sheets.identifying.items():
            self.said.setdefault(renames.get(path, path), answer)
        self.told |= self.telling(form, sheets)

    def renamed(self, path: str, outer: str, renames: Mapping[str, str]) -> Path:
        """The path from the row, with the groups on the way called as they are now."""
        around = path.rpartition("/")[0]
        now = self.called.get(renames.get(around, around), around)
        row = self.called.get(renames.get(outer, outer), outer)
        moved = f"{now}/{path.rpartition('/')[2]}"
        return _inside(moved, row) if moved.startswith(f"{row}/") else _inside(path, outer)

    def telling(self, form: Form, sheets: Sheets) -> set[str]:
        """Questions whose answer tells who somebody is, and calculations that read them."""
        said = {path for path, answer in sheets.identifying.items() if answer}
        denied = {path for path, answer in sheets.identifying.items() if not answer}
        saved = {
            path
            for entity in form.entities
            for prop, path in entity.saves.items()
            if (entity.list_name, prop) in self.roles
        }
        found = {path for path, asked in form.fields.items() if path in said | saved or _tells(form, asked)} - denied
        for bind in form.calculations:  # each after the ones that it reads
            if bind.calculate and bind.calculate.depends_on & found and bind.path not in denied:
                found.add(bind.path)
        return {form.fields[path].identity for path in found if path in form.fields}

    # --- putting together -----------------------------------------------------------------------------------------

    def in_order(self) -> list[str]:
        """Repeats in the order of the newest form, each after the one around it."""
        found: list[str] = []

        def visit(outer: str) -> None:
            for identity, around in self.around.items():
                if around == outer and identity not in found:
                    found.append(identity)
                    visit(identity)

        visit("/data")
        return found

    def column(self, asked: _Asked, table: str, taken: _Names) -> Column:
        version, newest, _ = asked.fields[0]
        path = taken.take(table, asked.newest, leaf=True)
        choices: dict[str, Mapping[str, str]] = {}
        for _, question, its_form in asked.fields:
            listed = its_form.choices.get(question.itemset, {}) if question.itemset and not question.external else {}
            for choice in listed.values():
                choices.setdefault(choice.value, choice.labels)
        return Column(
            path=path,
            identity=asked.identity,
            name=path[-1],
            kind=common_kind([question.type for _, question, _ in asked.fields]),
            labels=next((question.labels for _, question, _ in asked.fields if question.labels), {}),
            choices=tuple(choices.items()),
            identifying=self.said.get(asked.identity, asked.identity in self.told),
            versions=asked.versions,
            calculated=newest.calculated,
            metadata=newest.metadata,
            readonly=newest.readonly,
            external=newest.external,
            deleted=version != self.versions[0][0],
        )


class _Names:
    """The names given so far in each table, so that no two columns, groups or repeats have one."""

    def __init__(self) -> None:
        self._leaves: set[tuple[str, Path]] = set()
        self._groups: set[tuple[str, Path]] = set()

    def take(self, table: str, path: Path, *, leaf: bool) -> Path:
        """The path, or where it is taken one like it with a number."""
        found: Path = ()
        for name in path[:-1]:
            found = self._free(table, found, name, self._leaves)
            self._groups.add((table, found))
        found = self._free(table, found, path[-1], self._leaves | self._groups)
        self._leaves.add((table, found))
        return found

    def _free(self, table: str, around: Path, name: str, taken: set[tuple[str, Path]]) -> Path:
        candidate, number = name, 1
        while (table, (*around, candidate)) in taken:
            number += 1
            candidate = f"{name}_{number}"
        return (*around, candidate)


def _containers(form: Form) -> Iterator[str]:
    """The paths of groups and repeats."""
    pending: list[tuple[str, Any]] = [("/data", form.root)]
    while pending:
        path, element = pending.pop()
        for child in element:
            below = f"{path}/{child.tag}"
            if below not in form.fields:
                yield below
                pending.append((below, child))


def _inside(path: str, outer: str) -> Path:
    return tuple(path[len(outer) + 1 :].split("/"))


def _tells(form: Form, asked: Field) -> bool:
    if asked.path == _INSTANCE_NAME:
        return True
    bind = form.binds.get(asked.path)
    if bind is not None and bind.preload == "property":
        return (bind.preload_params or "").removeprefix("uri:") in _IDENTIFYING_PROPERTIES
    if asked.type in _TYPED and not asked.metadata and (asked.calculated or not asked.readonly):
        return asks_who(asked.name, asked.labels.values())
    return asked.type in _IDENTIFYING_KINDS


def common_kind(types: Sequence[str]) -> str:
    kinds = {_KINDS.get(one, one) for one in types}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds == {"int", "decimal"}:
        return "decimal"
    return "select" if kinds == {"select_one", "select"} else "string"
