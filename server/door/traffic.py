"""What each tablet sends and receives, counted on the wire and written down now and then.

A request of a tablet must not wait for that, and one that only reads must lock nothing: the counts are kept in the
process and written in small batches. Of a process that is killed a minute's counts are lost.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from server import clock
from sync.accounts.traffic import Used

# Says in a request's environment whose it is: the project and the device.
WHOSE = "siby.whose"


class Tally:
    """What was counted and not yet written down."""

    def __init__(self) -> None:
        self._used: dict[tuple[int, int, dt.date], Used] = {}
        self._lock = threading.Lock()

    def add(self, project_id: int, actor_id: int, day: dt.date, used: Used) -> None:
        key = (project_id, actor_id, day)
        with self._lock:
            known = self._used.get(key, Used())
            self._used[key] = Used(known.sent + used.sent, known.received + used.received)

    def put_back(self, taken: dict[tuple[int, int, dt.date], Used]) -> None:
        """What could not be written down is counted on."""
        for key, used in taken.items():
            self.add(*key, used)

    def take(self) -> dict[tuple[int, int, dt.date], Used]:
        """All of it; it counts from nothing again."""
        with self._lock:
            taken, self._used = self._used, {}
        return taken


class Counted:
    """Wraps the app, and counts the bodies of those requests of which the app said whose they are."""

    def __init__(self, app: Any, tally: Tally) -> None:
        self._app = app
        self._tally = tally

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ.get("wsgi.input")
        read = _Read(body) if body is not None else None
        if read is not None:
            environ["wsgi.input"] = read
        answer: Iterable[bytes] = self._app(environ, start_response)
        if WHOSE not in environ:
            return answer
        return _Sent(answer, environ[WHOSE], read, self._tally)


class _Read:
    """A body that counts how much of it was read. Of one that breaks off, that is what came over the wire.

    It has what PEP 3333 says that a body has, and nothing past which something could be read uncounted.
    """

    def __init__(self, body: Any) -> None:
        self._body = body
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._body:
            self.count += len(line)
            yield line

    def read(self, *size: int) -> bytes:
        return self._counted(self._body.read(*size))

    def readline(self, *size: int) -> bytes:
        return self._counted(self._body.readline(*size))

    def readlines(self, *size: int) -> list[bytes]:
        return [self._counted(line) for line in self._body.readlines(*size)]

    def _counted(self, piece: bytes) -> bytes:
        self.count += len(piece)
        return piece


class _Sent:
    """An answer that is counted as it goes out, also if it breaks off."""

    def __init__(self, answer: Iterable[bytes], whose: tuple[int, int], read: _Read | None, tally: Tally) -> None:
        self._answer = answer
        self._pieces = iter(answer)
        self._whose = whose
        self._read = read
        self._tally = tally
        self._count = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._note()
            raise
        self._count += len(piece)
        return piece

    def close(self) -> None:
        self._note()
        close = getattr(self._answer, "close", None)
        if close is not None:
            close()

    def _note(self) -> None:
        used = Used(self._read.count if self._read is not None else 0, self._count)
        self._read, self._count = None, 0
        if used.sent or used.received:
            self._tally.add(*self._whose, clock.now().date(), used)
