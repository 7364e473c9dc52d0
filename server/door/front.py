"""The front door, before Flask: forwarded headers of known proxies, the token in the path, slow senders, and the
headers of every answer."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from server.settings import Network

KEY = "siby.key"
DRAFT = "siby.draft"
PATH_SHOWN = "siby.path"
GARBLED = "siby.garbled"
_IN_PATH = re.compile(r"/v1/key/([^/]*)(/.*)?", re.DOTALL)
# The token of a draft opens nothing else, so it is looked for before that draft's addresses alone.
_IN_DRAFT = re.compile(r"/v1/test/([^/]*)(/projects/\d+/forms/[^/]+/draft(?:\.xml|/.*)?)", re.DOTALL)
SLASH = "\x1f"  # no XML can hold it, so it stands in no name
_ENCODED_SLASH = re.compile("%2F", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")
_ASTRAY = re.compile(r"siby_[A-Za-z0-9_-]{20,}")
_LONGEST_SHOWN = 2_000  # in a line of the log
# How long a sender may pause in the middle of a body.
_PATIENCE_SECONDS = 90
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_BY_HTTPS = {"Strict-Transport-Security": f"max-age={365 * 24 * 3600}"}


class Front:
    """Wraps the app. Afterwards `/v1/key/TOKEN/x` is `/v1/x` with the token aside, and no log can show it.

    The same goes for `/v1/test/TOKEN/projects/7/forms/x/draft…`, the door through which a draft is tried out.
    """

    def __init__(self, app: Any, trusted: tuple[Network, ...]) -> None:
        self._app = app
        self._trusted = trusted

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self._trusted and self._trusts(environ.get("REMOTE_ADDR", "")):
            self._believe(environ)
        path = environ["PATH_INFO"] = _with_slashes_told_apart(environ)
        if found := _IN_PATH.fullmatch(path):
            environ[KEY] = found[1]
            environ["PATH_INFO"] = f"/v1{found[2] or ''}"
            path = f"/v1/key/***{found[2] or ''}"
        elif found := _IN_DRAFT.fullmatch(path):
            environ[DRAFT] = found[1]
            environ["PATH_INFO"] = f"/v1{found[2]}"
            path = f"/v1/test/***{found[2]}"
        if not _is_readable(environ.get("QUERY_STRING", "")):
            environ |= {"QUERY_STRING": "", GARBLED: True}  # nothing behind us could read it, not even to say no
        environ[PATH_SHOWN] = _ASTRAY.sub("***", path[:_LONGEST_SHOWN].replace(SLASH, "%2F"))
        if (socket := environ.get("gunicorn.socket")) is not None:
            socket.settimeout(_PATIENCE_SECONDS)
        wanted = _HEADERS | _BY_HTTPS if environ["wsgi.url_scheme"] == "https" else _HEADERS

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            told = {name.lower() for name, _ in headers}
            more = [(name, value) for name, value in wanted.items() if name.lower() not in told]
            return start_response(status, [*headers, *more], *rest)

        answer: Iterable[bytes] = self._app(environ, start)
        return answer

    def _believe(self, environ: dict[str, Any]) -> None:
        """The nearest address that is not one of our proxies is the client; what is left of it anybody can write."""
        hops = [hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        for hop in reversed(hops):
            if not _is_address(hop):
                break
            environ["REMOTE_ADDR"] = hop
            if not self._trusts(hop):
                break
        if (scheme := environ.get("HTTP_X_FORWARDED_PROTO")) in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        if _HOST.fullmatch(host := environ.get("HTTP_X_FORWARDED_HOST", "")):
            environ["HTTP_HOST"] = host

    def _trusts(self, address: str) -> bool:
        if not _is_address(address):
            return False
        known = ipaddress.ip_address(address)
        return any(known in network for network in self._trusted)


def _with_slashes_told_apart(environ: dict[str, Any]) -> str:
    """The path, in which a slash that was sent as %2F is part of a name and not the end of one: `SLASH` stands for it.

    Servers decode the path before anybody can tell; what was sent is beside it.
    """
    path: str = environ.get("PATH_INFO", "")
    sent: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if "%2f" not in sent.lower() or not sent.startswith("/") or environ.get("SCRIPT_NAME"):
        return path
    marked = _ENCODED_SLASH.sub(quote(SLASH), sent.partition("?")[0])
    return unquote_to_bytes(marked).decode("latin-1")


def _is_readable(query: str) -> bool:
    try:
        query.encode("latin-1").decode()
    except UnicodeError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
