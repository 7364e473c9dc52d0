"""A day's work of a tablet on the wire: 40 visits and 20 photos, as a batch with uploads and as a post per visit."""

import base64
import gzip
import hashlib
import json
import random
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import zstandard

from bench.installation import Installation
from bench.programme import FORM, VERSION
from bench.report import Line
from bench.visits import Visit, visit

VISITS = 40
PHOTOS = 20
PHOTO_BYTES = 60_000
FIRST = 90_000_000  # none of the visits that other measurements send


@dataclass
class Wire:
    """A connection that counts what goes over it, made anew where the server closes it. A round trip is a request and
    its answer."""

    port: int
    token: str
    sent: int = 0
    received: int = 0
    trips: int = 0

    def __post_init__(self) -> None:
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.stream = self.socket.makefile("rb")

    def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """One request, as short as HTTP allows."""
        lines = [f"{method} {path} HTTP/1.1", "Host: siby", f"Authorization: Bearer {self.token}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
        self.socket.sendall(request)
        self.sent += len(request)
        self.trips += 1
        return self._answer()

    def _answer(self) -> tuple[int, bytes]:
        status, length, closes = 0, 0, False
        for line in iter(self.stream.readline, b"\r\n"):
            self.received += len(line)
            if status == 0:
                status = int(line.split()[1])
            elif line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            closes = closes or line.lower().split() == [b"connection:", b"close"]
        body = self.stream.read(length)
        self.received += 2 + length
        if closes:
            self.socket.close()
            self._connect()
        return status, body


def measure_wire(installation: Installation) -> list[Line]:
    """The batch is really sent and answered; the posts are only written down as an ODK client would send them."""
    visits = [visit(FIRST + number) for number in range(VISITS)]
    photos = [photo(number) for number in range(PHOTOS)]
    wire = Wire(installation.port, installation.token)
    plain = batch_of(visits, photos)
    packed = gzip.compress(plain, 9)
    answers = send_batch(wire, installation.project, packed)
    after_answers = wire.sent
    with_zstd = after_answers - len(packed) + len(zstandard.ZstdCompressor(level=19).compress(plain))
    send_photos(wire, installation.project, photos)
    single = [post_of(one, photos[number] if number < PHOTOS else None) for number, one in enumerate(visits)]
    photo_bytes = PHOTOS * PHOTO_BYTES
    return [
        Line("batch with gzip: bytes sent for the answers", after_answers, "B"),
        Line("batch with zstd: bytes sent for the answers", with_zstd, "B"),
        Line("batch: bytes received for the answers", answers, "B"),
        Line(
            "batch: bytes sent for the photos, beyond the photos themselves",
            wire.sent - after_answers - photo_bytes,
            "B",
        ),
        Line("batch: round trips", wire.trips, ""),
        Line("one post per visit: bytes sent, beyond the photos themselves", sum(map(len, single)) - photo_bytes, "B"),
        Line("one post per visit: round trips", VISITS, "", note="twice as many with the HEAD that clients send first"),
    ]


def batch_of(visits: list[Visit], photos: list[bytes]) -> bytes:
    """One batch with all visits; every second one names a photo."""
    items = []
    for number, one in enumerate(visits):
        item: dict[str, object] = {"form": FORM, "version": VERSION, "xml": one.xml, "recorded_at": one.recorded_at}
        if number < len(photos):
            content = photos[number]
            named = {"name": f"{number}.jpg", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            item["attachments"] = [named]
        items.append(item)
    batch = {"batch": str(uuid.uuid4()), "sent_at": visits[-1].recorded_at, "items": items}
    return json.dumps(batch).encode()


def send_batch(wire: Wire, project: str, packed: bytes) -> int:
    """Gives the bytes of the answer."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    status, body = wire.ask("POST", f"/v1/projects/{project}/batches", packed, headers)
    if status != 200:
        raise RuntimeError(f"The batch was answered {status}: {body[:300]!r}")
    return wire.received


def send_photos(wire: Wire, project: str, photos: list[bytes]) -> None:
    """Each in one request, by tus with creation-with-upload."""
    for content in photos:
        sha256 = base64.b64encode(hashlib.sha256(content).hexdigest().encode()).decode()
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(len(content)),
            "Upload-Metadata": f"sha256 {sha256},type {base64.b64encode(b'image/jpeg').decode()}",
            "Content-Type": "application/offset+octet-stream",
        }
        status, body = wire.ask("POST", f"/v1/projects/{project}/files", content, headers)
        if status != 201:
            raise RuntimeError(f"The photo was answered {status}: {body[:300]!r}")


def post_of(one: Visit, content: bytes | None) -> bytes:
    """The whole request with which an OpenRosa client sends this visit."""
    boundary = "5f1c9f8e-2d0e-4d6b-9f0d-7d5a3c1b2e4f"
    parts = [part(boundary, "xml_submission_file", "visit.xml", "text/xml", one.xml.encode())]
    if content is not None:
        parts.append(part(boundary, "photo.jpg", "photo.jpg", "image/jpeg", content))
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    head = (
        "POST /v1/key/0123456789012345678901234567890123456789012/projects/1/submission?deviceID=collect%3A0123456789 "
        "HTTP/1.1\r\nHost: siby\r\nX-OpenRosa-Version: 1.0\r\nDate: Tue, 24 Nov 2026 22:00:00 GMT\r\n"
        "User-Agent: org.odk.collect.android/v2026.1 Dalvik/2.1.0\r\nAccept-Encoding: gzip\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def part(boundary: str, name: str, file: str, kind: str, content: bytes) -> bytes:
    """One part of a multipart body."""
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
        f"Content-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n"


def photo(number: int) -> bytes:
    """Bytes that do not compress, as those of a photo."""
    return random.Random(f"photo {number}").randbytes(PHOTO_BYTES)
