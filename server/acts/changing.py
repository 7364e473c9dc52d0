"""How a route changes a project: a journal in the visitor's name, then the act in the audit trail and the commit."""

from __future__ import annotations

from typing import Any

from server import current
from server.db import session
from sync.accounts.audit import record_act
from sync.journal import Journal, open_journal


def begin(pid: int) -> Journal:
    """The right to change the project, in the visitor's name. Raises NotFound."""
    return open_journal(session(), pid, current.visitor().actor_id, current.writing_now)


def finish(journal: Journal, action: str, subject: str | None = None, details: dict[str, Any] | None = None) -> None:
    """Write the act down, close the journal and commit."""
    record_act(session(), journal.project_id, current.origin(), action, current.now(), subject, details)
    journal.close()
    session().commit()
