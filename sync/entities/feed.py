"""A page of an entity list for OData, of constant cost at any depth."""

from __future__ import annotations

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from sync.entities.reading import what_may_be_asked
from sync.errors import Unexpected
from sync.exports.filters import compile_filter, compile_order, compile_search, names_in
from sync.exports.naming import DELETED
from sync.exports.pages import RowsPage, Sought, after_place, plain, sorted_by
from sync.models import Entity, EntityList


def entity_page(session: Session, known: EntityList, sought: Sought, one: str | None = None) -> RowsPage[Entity]:
    """Entities in the order of their ids unless another is wanted; deleted ones only where the filter speaks of it."""
    among = what_may_be_asked(session, known, sought.now)
    where = [
        Entity.project_id == known.project_id,
        Entity.list_name == known.name,
        Entity.withdrawn.is_(False),
    ]
    if not (sought.filter and DELETED in names_in(sought.filter)):
        where.append(Entity.deleted_at.is_(None))
    if one is not None:
        where.append(Entity.id == one)
    if sought.filter:
        where.append(compile_filter(sought.filter, among))
    if sought.search:
        where.append(compile_search(sought.search, among))
    orders = compile_order(sought.orderby, among) if sought.orderby else []
    query = select(Entity).where(*where).order_by(*sorted_by(orders), Entity.id)
    if sought.after is not None:
        last = sought.after.get("entity")
        if not isinstance(last, str):
            raise Unexpected("$skiptoken: this is no token of this feed. Begin again without it.")
        query = query.where(after_place(orders, sought.after, Entity.id > last))
    rows = list(session.scalars(query.offset(sought.skip or None).limit(sought.limit + 1)))
    count = session.scalar(select(func.count()).select_from(Entity).where(*where)) if sought.count else None
    more = len(rows) > sought.limit
    rows = rows[: sought.limit]
    if not more or not rows:
        return RowsPage(rows, None, count)
    following: dict[str, object] = {"entity": rows[-1].id}
    if orders:
        mine = and_(Entity.project_id == known.project_id, Entity.list_name == known.name, Entity.id == rows[-1].id)
        named = (order.value.sql.label(f"o{place}") for place, order in enumerate(orders))
        following["by"] = [plain(value) for value in session.execute(select(*named).where(mine)).one()]
    return RowsPage(rows, following, count)
