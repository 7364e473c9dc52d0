"""Writers of an SQLite file line up: each is woken when the one before it is done.

By itself SQLite has them look again after a hundredth of a second, then after a tenth, whoever comes in between goes
first, and a tablet that was unlucky waits for all the others while the processor has nothing to do.
"""

from __future__ import annotations

import fcntl
import os
import stat
import threading
import time
from collections import defaultdict
from contextlib import suppress
from typing import Any

from pysqlite3 import dbapi2 as sqlite

WAITS = 30.0  # seconds
_LOOKS_AGAIN_AFTER = 0.001  # the first of each process, while another process writes
# By file: who goes before the others of this process. Those of other processes line up at a lock of the system, which
# is let go of even when its holder is killed.
_OF_THIS_PROCESS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
os.register_at_fork(after_in_child=_OF_THIS_PROCESS.clear)


class InTurn(sqlite.Connection):  # type: ignore[misc]
    """A connection whose writing transactions wait for their turn. SQLite's own locks hold as ever, also against
    whoever does not line up."""

    def __init__(self, database: str, *given: Any, **named: Any) -> None:
        super().__init__(database, *given, **named)
        self.waits = WAITS
        self._file = "" if database == ":memory:" or database.startswith("file:") else os.path.realpath(database)
        self._turn: tuple[threading.Lock, int | None] | None = None

    def begin_writing(self) -> None:
        """Raises OperationalError if others hold the file for longer than `waits` seconds."""
        if self._file:
            self._wait_for_turn()
        try:
            self.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._let_go()
            raise

    def commit(self) -> None:
        """Where it fails the transaction goes on, and with it the turn."""
        super().commit()
        self._let_go()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self._let_go()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._let_go()

    def __del__(self) -> None:
        self._let_go()

    def _wait_for_turn(self) -> None:
        first = _OF_THIS_PROCESS[self._file]
        until = time.monotonic() + self.waits
        if not first.acquire(timeout=self.waits):
            raise sqlite.OperationalError("database is locked")
        try:
            self._turn = first, _locked(self._file, until)
        except BaseException:
            first.release()
            raise

    def _let_go(self) -> None:
        if self._turn is not None:
            (first, descriptor), self._turn = self._turn, None
            if descriptor is not None:
                fcntl.flock(descriptor, fcntl.LOCK_UN)  # also for a process that was forked meanwhile
                os.close(descriptor)
            first.release()


def _locked(database: str, until: float) -> int | None:
    """The descriptor of the file that others wait for; None where it cannot be opened: then SQLite's own locks have to
    do. Raises OperationalError when somebody still has it at that time of `time.monotonic`."""
    try:
        descriptor = _opened(database)
    except OSError:
        return None
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise sqlite.OperationalError("database is locked") from None
                time.sleep(_LOOKS_AGAIN_AFTER)
    except BaseException:
        os.close(descriptor)
        raise


def _opened(database: str) -> int:
    """Whoever may open the database may open this too, also when an administrator made it."""
    path = f"{database}-turn"
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        like = os.stat(database)
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
        with suppress(OSError):  # another process has just made it, for another account
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
            os.fchown(descriptor, like.st_uid, like.st_gid)
        return descriptor
