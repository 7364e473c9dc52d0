"""Reading a backup back into an empty installation, all of it or nothing, on either kind of database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, func, inspect, or_, select, update

from sync.accounts.installation import new_epoch
from sync.errors import Exists
from sync.intake.content import ContentStore
from sync.keeping.archive import Archive, File, Origin, Part, Tally
from sync.models import Base, Server, Webhook

_CHUNK = 1 << 20


def require_empty(connection: Connection) -> None:
    """Raises Exists if the database has rows: a restore never mixes two installations."""
    there = set(inspect(connection).get_table_names())
    for table in Base.metadata.sorted_tables:
        if table.name in there and connection.scalar(select(func.count()).select_from(table)):
            raise Exists(
                f"There is data already (in the table {table.name}). Restore into an empty installation: another "
                "folder, another database, and before siby init."
            )


def load_part(connection: Connection, part: Part) -> None:
    """Insert rows as they were saved; the tables have to be as they were when the backup was made."""
    columns = ", ".join(f'"{name}"' for name in part.columns)
    if connection.dialect.name == "postgresql":
        cursor = connection.connection.cursor()
        with cursor.copy(f'COPY "{part.table}" ({columns}) FROM STDIN') as copy:
            for row in part.rows:
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(part.columns))
    rows = [tuple(map(_for_sqlite, row)) for row in part.rows]
    statement = f'INSERT INTO "{part.table}" ({columns}) VALUES ({marks})'  # noqa: S608 — the names are plain
    connection.exec_driver_sql(statement, rows)


def load_rest(
    connection: Connection, archive: Archive, members: Iterable[Origin | Part | File], store: ContentStore
) -> Tally:
    """Load what follows the origin: the tables, then the files. Raises Unparseable at whatever is not whole."""
    for member in members:
        if isinstance(member, Part):
            _require_plain([member.table, *member.columns])
            load_part(connection, member)
        elif isinstance(member, File):
            _keep(member, store)
    return archive.tally


def begin_new_epoch(connection: Connection) -> str:
    """From now on devices learn that this is not the server that they knew, and offer what they still hold."""
    epoch = new_epoch()
    connection.execute(update(Server).values(epoch=epoch))
    return epoch


def hold_webhooks(connection: Connection) -> int:
    """Pause all of them, for a copy is not to speak to those who listen to the true server; gives how many wait for
    somebody to let them go on."""
    if not inspect(connection).has_table(Webhook.__tablename__):
        return 0
    held = {"state": "paused", "next_at": None, "last_status": None, "last_error": Webhook.RESTORED}
    # One that an earlier restore has paused waits on; one that a person has paused is theirs.
    waiting = or_(Webhook.state != "paused", Webhook.last_error == Webhook.RESTORED)
    return connection.execute(update(Webhook).where(waiting).values(held)).rowcount


def _keep(file: File, store: ContentStore) -> None:
    incoming = store.incoming()
    while piece := file.bytes.read(_CHUNK):
        incoming.write(piece)
    # Its name is compared with its bytes before the next member comes; what is kept is kept under its true name.
    incoming.keep()


def _require_plain(names: Sequence[str]) -> None:
    """Names go into statements, and a backup is something that one was given."""
    known = {table.name for table in Base.metadata.sorted_tables}
    if names[0] not in known or not all(name.isidentifier() and name.isascii() for name in names):
        raise Exists(f"The backup has a table that this program does not know: {names[0][:100]!r}.")


def _for_sqlite(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value
