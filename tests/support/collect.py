"""A client that behaves as ODK Collect does: asks, splits what is too long, sends again what failed."""

from __future__ import annotations

import hashlib
import http.client
import re
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from lxml import etree

AGENT = "org.odk.collect.android/v2026.3.1 Dalvik/2.1.0"
HEADERS = {"User-Agent": AGENT, "X-OpenRosa-Version": "1.0", "Date": "mer., 25 nov. 2026 01:00:00 GMT+00:00"}
MOST_FILES = 100
_USUAL_LENGTH = 10_000_000


@dataclass(frozen=True)
class Heard:
    """An answer, with the names of its headers in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> str:
        """What Collect shows: the text of the first message."""
        root = etree.fromstring(self.body)
        assert root.tag == "{http://openrosa.org/http/response}OpenRosaResponse", self.body
        return root.findtext("{*}message") or ""

    @property
    def nature(self) -> str | None:
        """Of the message: `error` if it is one."""
        message = etree.fromstring(self.body).find("{*}message")
        return None if message is None else message.get("nature")


class Link(Protocol):
    """How a request gets to the server; it may break."""

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Heard: ...


class LinkBroken(Exception):
    """No answer came."""


@dataclass
class Filled:
    """A form that was filled in, with its files by name."""

    xml: bytes
    files: dict[str, bytes] = field(default_factory=dict)
    sent: bool = False


@dataclass
class Collect:
    """One installation of the app, set up for `base`: the path before /formList and /submission."""

    link: Link
    base: str
    headers: Mapping[str, str] = field(default_factory=dict)
    device: str = "collect:4Yq9WMIj2kCrTC0K"
    messages: list[str] = field(default_factory=list)

    def head(self) -> Heard:
        """What comes before every post."""
        return self.link("HEAD", f"{self.base}/submission{self._query()}", HEADERS | dict(self.headers), b"")

    def get(self, path: str) -> Heard:
        """Any other address, as the app asks for it."""
        mark = "&" if "?" in path else "?"
        target = f"{path}{mark}deviceID={quote(self.device)}"
        return self.link("GET", target, HEADERS | dict(self.headers), b"")

    def post(self, xml: bytes, files: Mapping[str, bytes] | None = None, *, more: bool = False) -> Heard:
        """One request with these files."""
        body, kind = multipart(xml, files or {}, more=more)
        headers = HEADERS | dict(self.headers) | {"Content-Type": kind}
        return self.link("POST", f"{self.base}/submission{self._query()}", headers, body)

    def send(self, filled: Filled) -> bool:
        """As the app sends a finalised form: everything from the start. True, and marked as sent, if all went well."""
        asked = self.head()
        if asked.status != 204:
            if asked.status < 300 or asked.status == 401:
                return False
            most = _USUAL_LENGTH
        else:
            most = int(asked.headers.get("x-openrosa-accept-content-length", _USUAL_LENGTH))
        try:
            for some, more in portions(filled, most):
                heard = self.post(filled.xml, some, more=more)
                self.messages.append(heard.message)
                if heard.status not in (201, 202):
                    return False
        except LinkBroken:
            return False
        filled.sent = True
        return True

    def forms(self) -> list[dict[str, str]]:
        """The form list; empty, as in the app, if one entry is not as it has to be."""
        heard = self.get(f"{self.base}/formList")
        root = etree.fromstring(heard.body)
        assert root.tag == "{http://openrosa.org/xforms/xformsList}xforms"
        listed = [{etree.QName(child).localname: child.text or "" for child in entry} for entry in root]
        return listed if all({"formID", "name", "downloadUrl"} <= entry.keys() for entry in listed) else []

    def _query(self) -> str:
        return f"?deviceID={quote(self.device)}"


def portions(filled: Filled, most: int) -> list[tuple[dict[str, bytes], bool]]:
    """How the files are shared out over requests, and whether more follows after each of them."""
    shared: list[dict[str, bytes]] = [{}]
    length = len(filled.xml)
    for name, content in filled.files.items():
        if shared[-1] and (length + len(content) > most or len(shared[-1]) >= MOST_FILES):
            shared.append({})
            length = len(filled.xml)
        shared[-1][name] = content
        length += len(content)
    return [(some, number < len(shared)) for number, some in enumerate(shared, 1)]


def multipart(xml: bytes, files: Mapping[str, bytes], *, more: bool = False) -> tuple[bytes, str]:
    """A body as OkHttp writes it, and its content type."""
    boundary = str(uuid.uuid4())
    parts = [a_part("xml_submission_file", xml, "text/xml", filename="submission.xml")]
    parts += [a_part(name, content, "application/octet-stream", filename=name) for name, content in files.items()]
    if more:
        parts.append(a_part("*isIncomplete*", b"yes", None))
    return joined(parts, boundary), f"multipart/form-data; boundary={boundary}"


def a_part(name: str, content: bytes, kind: str | None, filename: str | None = None) -> bytes:
    """One part with its headers; names in UTF-8."""
    said = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
    head = f"Content-Disposition: {said}\r\n" + (f"Content-Type: {kind}\r\n" if kind else "")
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def joined(parts: Sequence[bytes], boundary: str) -> bytes:
    """The parts as one body."""
    mark = f"--{boundary}\r\n".encode()
    return b"".join(mark + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


def a_filled_sale(
    number: int = 1,
    *,
    photo: str = "",
    edits: int | None = None,
    form: str = "sale",
    version: str = "1",
    instance_id: str | None = None,
    **answers: object,
) -> bytes:
    """The form `sale` filled in, as Collect writes it; the same number is the same instance, None of an id none."""
    said = {"day": "2026-11-01", "seller": f"Awa {number}", "village": "Siby", "sacks": 4} | answers
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
    own = f"uuid:{uuid.UUID(int=number)}" if instance_id is None else instance_id
    meta = f"<orx:instanceID>{own}</orx:instanceID>" if own else ""
    if edits is not None:
        meta += f"<orx:deprecatedID>uuid:{uuid.UUID(int=edits)}</orx:deprecatedID>"
    return (
        f'<?xml version=\'1.0\' ?><data id="{form}" version="{version}" '
        f'xmlns:h="http://www.w3.org/1999/xhtml" xmlns:orx="http://openrosa.org/xforms">'
        f"{inner}<photo>{photo}</photo><orx:meta>{meta}</orx:meta></data>"
    ).encode()


def sha256_of(content: bytes) -> str:
    """As attachments are known."""
    return hashlib.sha256(content).hexdigest()


def is_rfc_1123(date: str) -> bool:
    """Whether Collect could read this date."""
    return re.fullmatch(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT", date) is not None


def through(client: Callable[..., object]) -> Link:
    """A link into the application itself, by the test client's `open`."""

    def ask(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Heard:
        answer = client(path, method=method, headers=dict(headers), data=body)
        found = {name.lower(): value for name, value in answer.headers.items()}  # type: ignore[attr-defined]
        return Heard(answer.status_code, found, answer.get_data())  # type: ignore[attr-defined]

    return ask


@dataclass
class Wire:
    """A connection to a server that listens, made anew for each request; `cut` says after how many bytes of a body of
    so many it breaks, if at all."""

    port: int
    cut: Callable[[int], int | None] = lambda _length: None
    host: str = "127.0.0.1"

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Heard:
        where = self.cut(len(body)) if method == "POST" else None
        with socket.create_connection((self.host, self.port), timeout=60) as connection:
            connection.sendall(head(method, path, {**headers, "Content-Length": str(len(body))}))
            if where is not None:
                connection.sendall(body[:where])
                raise LinkBroken
            connection.sendall(body)
            return hear(connection, method)


def head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """The beginning of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def hear(connection: socket.socket, method: str = "POST") -> Heard:
    """The answer on a connection. Raises LinkBroken if none comes."""
    try:
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Heard(answer.status, found, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise LinkBroken from error
