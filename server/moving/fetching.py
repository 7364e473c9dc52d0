"""Reading from another server, politely: one request at a time, repeated where a repetition may help."""

from __future__ import annotations

import base64
import datetime as dt
import socket
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import orjson
import urllib3
from urllib3.util import Retry, Timeout

from server.wire.outside import is_outside
from sync.errors import Unexpected

_MOST = 500 * 1024 * 1024
_PIECE = 1 << 20
_TIMES = 3  # that a body is asked for which broke off
_HOPS = 4  # from one address to the next
_WAIT = 60  # seconds, whatever a server asks for
_BUSY = (429, 502, 503, 504)
_PORTS = {"http": 80, "https": 443}


class Stopped(Exception):
    """The other server answers nothing more for now, or knows this account no longer. What has come is stored."""


class Fetcher:
    """GETs from one server, always with the same credentials. Where it keeps its files on another, that one is asked
    without them, and has to be of the public internet unless the server itself is not."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        if not url.startswith(("https://", "http://")):
            raise Unexpected("The server's address begins with https://.")
        if "@" in url.split("/")[2]:  # whoever reads the trail would read it
            raise Unexpected("The server's address holds no password: that is asked for.")
        self.url = url.rstrip("/")
        forced = (500, *_BUSY)
        retry = Retry(5, backoff_factor=1, status_forcelist=forced, raise_on_status=False, retry_after_max=_WAIT)
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
        if there.netloc and _host_of(there) != _host_of(here):
            raise Unexpected(f"{self.url} points to another server, {there.netloc}; the password stays here.")
        path = there.path + (f"?{there.query}" if there.query else "")
        return path.removeprefix(here.path)

    def _got(self, path: str, sent: Mapping[str, str]) -> bytes | None:
        address, answer = self._asked(path, sent)
        with answer:
            if answer.status == 404:
                return None
            if answer.status != 200 and not self._pool.is_same_host(address):
                raise Unexpected(f"{urlsplit(address).netloc} answers {answer.status}.")
            if answer.status == 401:
                raise Stopped(f"{self.url} answers 401: the password or token is wrong, or no longer valid.")
            if answer.status == 403:
                raise Unexpected(f"{self.url} does not let this account read {path} (403); its owner there can.")
            if answer.status in _BUSY:
                raise Stopped(f"{self.url}{path} answers {answer.status}, however often it is asked.")
            if answer.status != 200:
                raise Unexpected(f"{self.url}{path} answers {answer.status}: {answer.read(300)!r}")
            return self._whole(answer, path)

    def _asked(self, path: str, sent: Mapping[str, str]) -> tuple[str, urllib3.BaseHTTPResponse]:
        """The answer, and the address that gave it in the end."""
        address = self.url + path
        for _ in range(_HOPS + 1):
            if self._pool.is_same_host(address):
                target = _target(address)
                answer = self._pool.request("GET", target, headers=sent, preload_content=False, redirect=False)
            else:
                answer = self._asked_of_another(address)
            leads = answer.get_redirect_location()
            if not leads:
                return address, answer
            answer.drain_conn()
            address = urljoin(address, leads)
        raise Unexpected(f"{self.url}{path} sends us from one address to the next.")

    def _asked_of_another(self, address: str) -> urllib3.BaseHTTPResponse:
        """Its name is looked up once, so that the very address that was judged is used."""
        parts = urlsplit(address)
        if parts.scheme not in ("https", self._pool.scheme):
            raise Unexpected(f"{self.url} sends us to {parts.netloc}, over a connection that is not secure.")
        host = parts.hostname or ""
        found = _addresses_of(host)
        if not self._is_inside and not all(map(is_outside, found)):
            raise Unexpected(f"{self.url} sends us to {host}, which is in a network of this server's own.")
        named = {"server_hostname": host, "assert_hostname": host}
        pool = self._others.connection_from_host(found[0], parts.port, parts.scheme, named)
        headers = {"Host": parts.netloc.rpartition("@")[2]}
        try:
            return pool.request("GET", _target(address), headers=headers, preload_content=False, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise Unexpected(f"{self.url} sends us to {parts.netloc}, which does not answer.") from error

    @cached_property
    def _is_inside(self) -> bool:
        return not all(map(is_outside, _addresses_of(urlsplit(self.url).hostname or "")))

    def _whole(self, answer: Any, path: str) -> bytes:
        found = bytearray()
        while piece := answer.read(_PIECE):
            found += piece
            if len(found) > _MOST:
                raise Unexpected(f"{self.url}{path} is larger than {_MOST >> 20} MB.")
        return bytes(found)


def _addresses_of(host: str) -> list[str]:
    try:
        return [str(row[4][0]) for row in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise Unexpected(f"{host} has no address.") from error


def _host_of(parts: SplitResult) -> tuple[str | None, int | None]:
    return parts.hostname, None if parts.port == _PORTS.get(parts.scheme) else parts.port


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
