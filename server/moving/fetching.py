"""Reading from another server, politely: one request at a time, repeated where a repetition may help."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson
import urllib3
from urllib3.util import Retry, Timeout

from sync.errors import Unexpected

_MOST = 500 * 1024 * 1024
_PIECE = 1 << 20
_TIMES = 3  # that a body is asked for which broke off
_BUSY = (429, 502, 503, 504)


class Stopped(Exception):
    """The other server answers nothing more for now, or knows this account no longer. What has come is stored."""


class Fetcher:
    """GETs from one server, always with the same credentials. Where it keeps its files on another, that one is asked
    without them."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        if not url.startswith(("https://", "http://")):
            raise Unexpected("The server's address begins with https://.")
        self.url = url.rstrip("/")
        retry = Retry(total=5, backoff_factor=1, status_forcelist=(500, *_BUSY), redirect=3, raise_on_status=False)
        timeout = Timeout(connect=20, read=120)
        self._pool = urllib3.connection_from_url(self.url, retries=retry, timeout=timeout)
        self._others = urllib3.PoolManager(retries=retry, timeout=timeout)
        self._headers = dict(headers)

    def get(self, path: str, **headers: str) -> bytes:
        """What is there. Raises Unexpected with what the server said when it is not."""
        found = self.get_or_none(path, **headers)
        if found is None:
            raise Unexpected(f"{self.url}{path} is not there.")
        return found

    def get_or_none(self, path: str, **headers: str) -> bytes | None:
        """None for 404. Raises Stopped where asking for the next thing is of no use either."""
        sent = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        for left in reversed(range(_TIMES)):
            try:
                return self._got(path, sent)
            except urllib3.exceptions.ProtocolError as error:
                if not left:
                    raise Stopped(f"{self.url}{path} breaks off: {error}") from error
            except urllib3.exceptions.HTTPError as error:
                raise Stopped(f"{self.url}{path} does not answer: {error}") from error
        return None

    def get_json(self, path: str, **headers: str) -> Any:
        """The JSON that is there."""
        body = self.get(path, **headers)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Unexpected(f"{self.url}{path} does not answer with JSON.") from error

    def post_json(self, path: str, given: Mapping[str, str]) -> Any:
        """What a POST of JSON is answered with. Tried twice at most: whoever mistyped the address waits for it."""
        sent, body = self._headers | {"Content-Type": "application/json"}, orjson.dumps(given)
        try:
            answer = self._pool.request("POST", _target(self.url + path), body=body, headers=sent, retries=Retry(1))
        except urllib3.exceptions.HTTPError as error:
            raise Unexpected(f"{self.url} does not answer: {error}") from error
        if answer.status != 200:
            raise Unexpected(f"{self.url}{path} answers {answer.status}: {answer.data[:300]!r}")
        return orjson.loads(answer.data)

    def carry(self, name: str, value: str) -> None:
        """Send this header from now on."""
        self._headers[name] = value

    def path_of(self, address: str) -> str:
        """What to ask for under an address that the server gave, as long as it is on the same server: our password goes
        along. Behind a proxy it may not know that it is asked over https."""
        here, there = urlsplit(self.url), urlsplit(address)
        if there.netloc and there.netloc != here.netloc:
            raise Unexpected(f"{self.url} points to another server, {there.netloc}; the password stays here.")
        path = there.path + (f"?{there.query}" if there.query else "")
        return path.removeprefix(here.path)

    def _got(self, path: str, sent: Mapping[str, str]) -> bytes | None:
        with self._ask(path, sent) as answer:
            if answer.status == 404:
                return None
            if answer.status == 401:
                raise Stopped(f"{self.url} answers 401: the password or token is wrong, or no longer valid.")
            if answer.status == 403:
                raise Unexpected(f"{self.url} does not let this account read {path} (403); its owner there can.")
            if answer.status in _BUSY:
                raise Stopped(f"{self.url}{path} answers {answer.status}, however often it is asked.")
            if answer.status != 200:
                raise Unexpected(f"{self.url}{path} answers {answer.status}: {answer.read(300)!r}")
            return self._whole(answer, path)

    def _ask(self, path: str, sent: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        address = self.url + path
        answer = self._pool.request("GET", _target(address), headers=sent, preload_content=False, redirect=False)
        leads = answer.get_redirect_location()
        if not leads:
            return answer
        answer.drain_conn()
        there = urljoin(address, leads)
        if self._pool.is_same_host(there):
            return self._pool.request("GET", _target(there), headers=sent, preload_content=False)
        if not there.startswith(("https://", self.url.partition("//")[0])):
            raise Unexpected(f"{self.url} sends us to {there.partition('?')[0]}, over a connection that is not secure.")
        try:
            return self._others.request("GET", there, preload_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise Unexpected(f"{self.url} sends us to {urlsplit(there).netloc}, which does not answer.") from error

    def _whole(self, answer: Any, path: str) -> bytes:
        found = bytearray()
        while piece := answer.read(_PIECE):
            found += piece
            if len(found) > _MOST:
                raise Unexpected(f"{self.url}{path} is larger than {_MOST >> 20} MB.")
        return bytes(found)


def _target(address: str) -> str:
    return urllib3.util.parse_url(address).request_uri


def basic(name: str, password: str) -> str:
    """The value of `Authorization` for a name and a password."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def moment(text: str | None) -> dt.datetime | None:
    """A moment as servers write it; one without a zone is UTC, one that cannot be read is None."""
    try:
        found = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
