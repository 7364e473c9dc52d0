"""Acts of the audit trail have words: whatever the code writes down about a project."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from server.pages.project.acts import ACTS

ROOT = Path(__file__).parents[3]
WRITING = {"record_act", "finish", "note_people", "_close", "_finish_file"}
OF_THE_SERVER = ("user.", "token.", "session.", "link.made", "backup.")


def test_each_act_that_is_written_down_is_called_by_words() -> None:
    written = {act for folder in ("server", "sync") for path in (ROOT / folder).rglob("*.py") for act in _acts(path)}

    assert {"match.decided", "submission.reviewed", "form.file_given", "entity.bulk.create"} <= written
    assert {act for act in written if not act.startswith(OF_THE_SERVER)} - set(ACTS) == set()


def _acts(path: Path) -> Iterator[str]:
    """The acts that stand in calls of what writes them down."""
    for call in ast.walk(ast.parse(path.read_text())):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in WRITING:
            for part in (part for given in call.args for part in ast.walk(given)):
                if isinstance(part, ast.Constant) and re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", str(part.value)):
                    yield part.value
