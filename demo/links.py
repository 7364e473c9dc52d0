"""The link between a tablet and the server, as bad as in the field: it breaks before, during and after a request."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

_PIECES = 6
_PIECE_SECONDS = 0.01
_KEPT_SECONDS = 5.0  # servers hang up on whoever is silent for longer


class NoAnswer(Exception):
    """The link broke. The server may have done what was asked, `arrived` times, or not at all: nobody here knows.

    `arrived` is how often the whole request was sent. It is for the count at the end; no tablet may look at it.
    """

    def __init__(self, arrived: int = 0) -> None:
        self.arrived = arrived
        super().__init__("There was no answer.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    arrived: int = 1


@dataclass(frozen=True, slots=True)
class Weather:
    """The share of requests to which each mishap happens."""

    cut_before: float = 0.06  # before the request was whole
    cut_after: float = 0.05  # after the server had answered, and before the answer was read
    unheard: float = 0.03  # after the request was whole, without waiting for any answer
    twice: float = 0.04  # a repeater sends the request a second time, at the same moment
    slow: float = 0.04  # it trickles
    most_in_a_row: int = 3  # then one request passes


CLEAR = Weather(0, 0, 0, 0, 0)


@dataclass(slots=True)
class Traffic:
    """What went over all links; safe to count in from several threads."""

    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, **found: int) -> None:
        with self._lock:
            self.counts.update(found)


class Link:
    """One tablet's way to the server. The same seed gives the same mishaps in the same order."""

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        *,
        weather: Weather = CLEAR,
        seed: str = "",
        traffic: Traffic | None = None,
        timeout: float = 60.0,
    ) -> None:
        self._host, self._port, self._timeout = host, port, timeout
        self._token = token
        self._weather = weather
        self._rng = random.Random(seed)
        self._traffic = traffic or Traffic()
        self._in_a_row = 0
        self._kept: http.client.HTTPConnection | None = None
        self._kept_since = 0.0

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Send one request. Raises NoAnswer, whatever it was that went wrong on the way."""
        mishap = self._mishap()
        self._traffic.count(requests=1, bytes_sent=len(body), **({mishap: 1} if mishap else {}))
        whole = {"Authorization": f"Bearer {self._token}", **headers}
        arrived = 0
        try:
            match mishap:
                case "cut_before":
                    self._cut(method, path, whole, body)
                    raise NoAnswer
                case "unheard":
                    self._sent(method, path, whole, body)
                    arrived = 1
                    raise NoAnswer(arrived)
                case "twice":
                    answer = self._twice(method, path, whole, body)
                case _:
                    connection = self._sent(method, path, whole, body, slowly=mishap == "slow")
                    arrived = 1
                    answer = _read(connection)
                    self._keep(connection)
            if mishap == "cut_after":
                raise NoAnswer(answer.arrived)
        except (OSError, http.client.HTTPException):
            self.close()
            self._traffic.count(broken=1)
            raise NoAnswer(arrived) from None
        except NoAnswer:
            self.close()
            raise
        self._traffic.count(bytes_received=len(answer.body))
        return answer

    def close(self) -> None:
        """Hang up; the next request dials again."""
        if self._kept is not None:
            self._kept.close()
        self._kept = None

    def _mishap(self) -> str | None:
        drawn = self._rng.random()
        for name in ("cut_before", "cut_after", "unheard", "twice", "slow"):
            drawn -= getattr(self._weather, name)
            if drawn < 0:
                self._in_a_row += 1
                if self._in_a_row > self._weather.most_in_a_row:
                    break
                return name
        self._in_a_row = 0
        return None

    def _dialled(self) -> http.client.HTTPConnection:
        if time.monotonic() - self._kept_since > _KEPT_SECONDS:
            self.close()
        connection, self._kept = self._kept, None
        return connection or http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        self.close()
        self._kept, self._kept_since = connection, time.monotonic()

    def _sent(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, slowly: bool = False
    ) -> http.client.HTTPConnection:
        connection = self._dialled()
        try:
            _put_head(connection, method, path, headers, body)
            for piece in _pieces(body, _PIECES if slowly else 1):
                connection.send(piece)
                if slowly:
                    time.sleep(_PIECE_SECONDS)
        except BaseException:
            connection.close()
            raise
        self._kept = connection  # so that hanging up reaches it
        return connection

    def _cut(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        connection = self._dialled()
        try:
            if body:
                _put_head(connection, method, path, headers, body)
                connection.send(body[: self._rng.randrange(len(body))])
            else:
                connection.connect()
        finally:
            connection.close()

    def _twice(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Both requests are on their way before either is answered; the tablet hears the second answer."""
        first = self._sent(method, path, headers, body)
        self._kept = None
        second = self._sent(method, path, headers, body)
        try:
            _read(first)
        finally:
            first.close()
        answer = _read(second)
        return Answer(answer.status, answer.headers, answer.body, arrived=2)


def _put_head(
    connection: http.client.HTTPConnection, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> None:
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    if body or method in ("POST", "PATCH", "PUT"):
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()


def _pieces(body: bytes, count: int) -> list[bytes]:
    size = max(1, -(-len(body) // count))
    return [body[start : start + size] for start in range(0, len(body), size)]


def _read(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    body = response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
