"""How much data tablets use: added up day by day, and forgotten when nobody asks for it any more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from sync.models import Traffic
from sync.models.database import is_sqlite


@dataclass(frozen=True, slots=True)
class Used:
    """Bytes of bodies as they went over the wire, seen from the tablet."""

    sent: int = 0
    received: int = 0


def add_traffic(session: Session, used: Mapping[tuple[int, int, dt.date], Used]) -> None:
    """Add to what is known of each project, device and day (UTC). Takes no lock but that of these rows."""
    if not used:
        return
    insert = sqlite.insert if is_sqlite(session) else postgresql.insert
    statement = insert(Traffic)
    adding = statement.on_conflict_do_update(
        index_elements=[Traffic.project_id, Traffic.actor_id, Traffic.day],
        set_={
            "sent": Traffic.sent + statement.excluded.sent,
            "received": Traffic.received + statement.excluded.received,
        },
    )
    # In one order, so that two processes never wait for each other.
    rows = [
        {"project_id": project_id, "actor_id": actor_id, "day": day, "sent": one.sent, "received": one.received}
        for (project_id, actor_id, day), one in sorted(used.items(), key=lambda item: item[0])
    ]
    session.execute(adding, rows)


def traffic_since(session: Session, project_id: int, actor_ids: Collection[int], first: dt.date) -> dict[int, Used]:
    """What each of these devices used on this day and after; those of which nothing is known are left out."""
    rows = session.execute(
        select(Traffic.actor_id, func.sum(Traffic.sent), func.sum(Traffic.received))
        .where(Traffic.project_id == project_id, Traffic.actor_id.in_(sorted(actor_ids)), Traffic.day >= first)
        .group_by(Traffic.actor_id)
    )
    return {actor_id: Used(int(sent), int(received)) for actor_id, sent, received in rows}


def forget_traffic(session: Session, before: dt.date) -> int:
    """Forget the days before this one; gives how many rows went."""
    done = session.execute(delete(Traffic).where(Traffic.day < before))
    return int(getattr(done, "rowcount", 0))
