"""Requests to servers elsewhere: an address is looked up once, judged, and the very address that was judged is used."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import urllib3

from sync.webhooks.telling import Outcome

_CONNECT_SECONDS, _ANSWER_SECONDS = 10.0, 20.0
_MOST_READ = 64 * 1024
# Of each wait the other side may make use; all of them together end here.
_WHOLE_SECONDS = 30.0
# Addresses of the IPv6 internet that stand for one of IPv4, which may be one of ours.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


class NotOutside(Exception):
    """The address leads to this machine or its own network, or nowhere."""


def post(url: str, body: bytes, headers: Mapping[str, str], *, inside: bool = False) -> Outcome:
    """Post once, without following a redirect. Never raises for what the other side does.

    Unless `inside`, addresses that are not of the public internet are refused, whatever name leads there.
    """
    began = time.monotonic()
    try:
        status, retry_after = _post(url, body, headers, inside)
    except NotOutside as error:
        return Outcome(None, str(error), _since(began))
    except (urllib3.exceptions.HTTPError, OSError, http.client.HTTPException, UnicodeError) as error:
        return Outcome(None, f"{type(error).__name__}: {error}"[:500], _since(began))
    return Outcome(status, None if 200 <= status < 300 else f"HTTP {status}", _since(began), retry_after)


def is_outside(address: str) -> bool:
    """Whether it is an address of the public internet, also behind the notations that hide another one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner: Iterable[ipaddress.IPv4Address | None] = (
            found.ipv4_mapped,
            found.sixtofour,
            found.teredo[1] if found.teredo else None,
            ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in _TRANSLATED else None,
        )
        if any(one is not None and not is_outside(str(one)) for one in inner):
            return False
        if found.is_site_local:
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _post(url: str, body: bytes, headers: Mapping[str, str], inside: bool) -> tuple[int, int | None]:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = _address_of(host, port, inside)
    timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_ANSWER_SECONDS, total=_CONNECT_SECONDS + _ANSWER_SECONDS)
    pool = (
        urllib3.HTTPSConnectionPool(
            address, port, server_hostname=host, assert_hostname=host, ssl_context=ssl.create_default_context()
        )
        if secure
        else urllib3.HTTPConnectionPool(address, port)
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    named = f"[{host}]" if ":" in host else host
    sent = {**headers, "Host": named if parts.port is None else f"{named}:{parts.port}"}
    with pool, _limited(pool):
        answer = pool.request(
            "POST", target, body, headers=sent, timeout=timeout, retries=False, redirect=False, preload_content=False
        )
        try:
            answer.read(_MOST_READ)
            waits = answer.headers.get("Retry-After", "")
            return answer.status, int(waits) if waits.isascii() and waits.isdigit() and len(waits) < 10 else None
        finally:
            answer.close()


@contextmanager
def _limited(pool: urllib3.HTTPConnectionPool) -> Iterator[None]:
    """Hang up when it takes too long altogether: a byte now and then satisfies every other limit."""
    used: list[Any] = []

    class Noted(pool.ConnectionCls):  # type: ignore[misc,name-defined]
        def connect(self) -> None:
            used.append(self)  # whose socket may keep us waiting before it is connected
            super().connect()
            used.append(self.sock)  # which the answer holds on to after the connection has let go of it

    def hang_up() -> None:
        for one in used:
            # Not the TLS socket's own method, under which the other thread would go on in plain text.
            with suppress(OSError, TypeError):
                socket.socket.shutdown(getattr(one, "sock", one), socket.SHUT_RDWR)

    pool.ConnectionCls = Noted
    timer = threading.Timer(_WHOLE_SECONDS, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _address_of(host: str, port: int, inside: bool) -> str:
    found = [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not found:
        raise NotOutside(f"{host} has no address.")
    if not inside and not all(is_outside(address) for address in found):
        raise NotOutside(f"{host} leads into a network of this server's own.")
    return found[0]


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
