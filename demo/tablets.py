"""A tablet as a careful device is written: it keeps each record until the server has said that it is safe.

It knows nothing of the server but its protocol (docs/protocol.md).
"""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import hashlib
import json
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import zstandard

from demo.links import Answer, NoAnswer

Ask = Callable[[str, str, Mapping[str, str], bytes], Answer]

_TUS = {"Tus-Resumable": "1.0.0"}
_OFFSET_STREAM = "application/offset+octet-stream"
_UNPACKED_BYTES = 4_000_000
_KNOWN_AT_ONCE = 2_000
_ROUNDS_OF_FILES = 5


class Unreachable(Exception):
    """The server did not answer for so long that the tablet gives up until the next time it has a network."""


class LoginNeeded(Exception):
    """The server does not know this tablet (any more). Everything is kept."""


class ServerFull(Exception):
    """The server has no room left. Everything is kept; the tablet asks again in an hour."""


class State(Enum):
    """Where a record stands, as the tablet knows it."""

    WAITING = "waiting"  # to be sent
    FILES = "files"  # stored, but files of it are outstanding
    SAFE = "safe"  # stored with everything: may be deleted after the grace period
    COORDINATOR = "coordinator"  # kept by the server aside; a person there decides
    SHOWN = "shown"  # the server would not have it; shown to the enumerator


@dataclass(frozen=True, slots=True)
class File:
    """A photo, a recording, or any other file of a record."""

    name: str
    type: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(slots=True)
class Record:
    """One filled form: `item` as the batch protocol has it, without its attachments, and the files beside it."""

    item: Mapping[str, Any]
    files: Mapping[str, File] = field(default_factory=dict)  # by hash
    state: State = State.WAITING
    outcome: str | None = None
    reason: str | None = None
    copies: int = 0  # how often it went out whole; for the count at the end, a real tablet cannot know

    @property
    def instance_id(self) -> str:
        return str(self.item["instance_id"])

    @property
    def deletable(self) -> bool:
        """Only what is stored, with every file confirmed; the rest stays whatever happens."""
        return self.state is State.SAFE

    def on_the_wire(self) -> dict[str, Any]:
        named = [
            {"name": file.name, "sha256": sha256, "size": len(file.content), "type": file.type}
            for sha256, file in self.files.items()
        ]
        return {**self.item, "attachments": named} if named else dict(self.item)


def record_of(item: Mapping[str, Any], files: Iterable[File]) -> Record:
    """A new record, to be sent."""
    return Record(item, {file.sha256: file for file in files})


@dataclass(frozen=True, slots=True)
class Habits:
    """How a tablet behaves; times are in seconds."""

    most_items: int = 200
    newest_first: bool = False
    encoding: str = "gzip"  # or zstd
    chunk: int = 32 * 1024
    first_pause: float = 1.0
    longest_pause: float = 900.0
    tries: int = 40  # without any answer, before it waits for a better day
    restarts: float = 0.0  # share of broken deliveries after which somebody closes the app and opens it again


@dataclass(frozen=True, slots=True)
class _Batch:
    id: str
    records: Sequence[Record]
    body: bytes  # kept as it is: a batch that is sent again is sent again to the byte


class Tablet:
    """One device with its queue. `ask` is its link, `pause` waits so many seconds, `clock` is right or wrong.

    Everything that it decides by chance follows from `seed`; only batch ids do not, so that no two are ever the same.
    """

    def __init__(
        self,
        name: str,
        project: int,
        ask: Ask,
        *,
        pause: Callable[[float], None],
        clock: Callable[[], dt.datetime],
        habits: Habits = Habits(),
        seed: str = "",
    ) -> None:
        self.name = name
        self.records: list[Record] = []
        self.epoch: str | None = None
        self.counts: Counter[str] = Counter()
        self._root = f"/v1/projects/{project}"
        self._ask, self._pause, self._clock, self._habits = ask, pause, clock, habits
        self._rng = random.Random(seed)
        self._most_items = habits.most_items
        self._odd_cut: int | None = None  # how many items the next batch takes, after a restart

    def keep(self, record: Record) -> None:
        """Put a filled form into the queue."""
        self.records.append(record)

    def sync(self) -> None:
        """Send everything that waits, with its files. Raises Unreachable, LoginNeeded or ServerFull; all is kept."""
        for record in self.records:
            if record.state is State.FILES:
                record.state = State.WAITING
        while waiting := [record for record in self.records if record.state is State.WAITING]:
            most, self._odd_cut = self._odd_cut or self._most_items, None
            if self._habits.newest_first:
                waiting.reverse()
            self._deliver(self._pack(_fitting(waiting, most)))

    def not_held(self, records: Sequence[Record]) -> list[Record]:
        """Those that the server says it does not hold as filed."""
        unknown: set[tuple[str, str]] = set()
        pairs = [(record.instance_id, _sha256_of(record.item)) for record in records]
        for start in range(0, len(pairs), _KNOWN_AT_ONCE):
            body = json.dumps({"ids": pairs[start : start + _KNOWN_AT_ONCE]}).encode()
            answer = self._insist("POST", f"{self._root}/batches/known", {"Content-Type": "application/json"}, body)
            unknown |= {(instance_id, sha256) for instance_id, sha256 in json.loads(answer.body)["unknown"]}
        return [record for record, pair in zip(records, pairs, strict=True) if pair in unknown]

    def ask_again(self, records: Iterable[Record]) -> None:
        """Have these sent once more, to hear how they stand; sending again is always safe."""
        for record in records:
            record.state = State.WAITING
        self.sync()

    # One batch.

    def _pack(self, records: Sequence[Record]) -> _Batch:
        batch_id = str(uuid.uuid4())
        batch = {
            "batch": batch_id,
            "device": self.name,
            "sent_at": self._clock().isoformat(),
            "items": [record.on_the_wire() for record in records],
        }
        plain = json.dumps(batch, ensure_ascii=False, separators=(",", ":")).encode()
        return _Batch(batch_id, records, _compressed(plain, self._habits.encoding))

    def _deliver(self, batch: _Batch) -> None:
        answer = self._sent(batch)
        if answer is None:
            return  # the app was closed; its queue is on the disk, and is cut into batches anew
        match answer.status:
            case 200:
                self._take(batch, answer)
            case 404:
                raise LoginNeeded  # to a device of another project there is no such project
            case 413:
                self._halve(batch, answer)
            case _:
                self._send_singly(batch)

    def _sent(self, batch: _Batch) -> Answer | None:
        """The answer to the batch, sent as often as it takes; None when the app was restarted in between."""
        headers = {"Content-Type": "application/json", "Content-Encoding": self._habits.encoding}
        for attempt in range(self._habits.tries):
            if attempt:
                self.counts["batches_again"] += 1
            try:
                answer = self._ask("POST", f"{self._root}/batches", headers, batch.body)
            except NoAnswer as broken:
                self._count_copies(batch, broken.arrived)
                if self._rng.random() < self._habits.restarts:
                    self.counts["restarts"] += 1
                    self._odd_cut = self._rng.randint(1, len(batch.records))
                    return None
                self._pause(self._backoff(attempt))
                continue
            self._count_copies(batch, answer.arrived)
            if not self._come_back_later(answer, attempt):
                return answer
        raise Unreachable

    def _take(self, batch: _Batch, answer: Answer) -> None:
        for _ in range(_ROUNDS_OF_FILES):
            told = json.loads(answer.body)
            self._note(batch, told["receipts"])
            self._notice_epoch(told["epoch"])
            lacking = {
                sha256: record.files[sha256]
                for record, receipt in zip(batch.records, told["receipts"], strict=True)
                for sha256 in receipt["missing"]
                if sha256 in record.files
            }
            if not lacking:
                return
            for sha256, file in lacking.items():
                self._upload(sha256, file)
            again = self._sent(batch)
            if again is None or again.status != 200:
                for record in batch.records:
                    record.state = State.WAITING if record.state is State.FILES else record.state
                return
            answer = again

    def _note(self, batch: _Batch, receipts: Sequence[Mapping[str, Any]]) -> None:
        for record, receipt in zip(batch.records, receipts, strict=True):
            record.outcome, record.reason = receipt["outcome"], receipt["reason"]
            self.counts[f"receipt_{record.outcome}"] += 1
            match receipt["outcome"]:
                case "stored" | "duplicate" | "edited":
                    record.state = State.FILES if receipt["missing"] else State.SAFE
                case "conflict" | "quarantined":
                    record.state = State.COORDINATOR
                case _:
                    record.state = State.SHOWN

    def _halve(self, batch: _Batch, answer: Answer) -> None:
        if len(batch.records) == 1:
            batch.records[0].state, batch.records[0].reason = State.SHOWN, "It is too large for the server."
            return
        self.counts["halved"] += 1
        allowed = (_json_of(answer).get("details") or {}).get("max_items") or len(batch.records)
        self._most_items = max(1, min(len(batch.records) // 2, allowed))

    def _send_singly(self, batch: _Batch) -> None:
        """The server cannot read the batch: each record gets one chance alone, and is shown to a person after that."""
        for record in batch.records:
            alone = self._pack([record])
            answer = None
            while answer is None:
                answer = self._sent(alone)
            if answer.status == 200:
                self._take(alone, answer)
            else:
                record.state, record.reason = State.SHOWN, "The server cannot read it."

    def _notice_epoch(self, epoch: str) -> None:
        """A new epoch is a server that was restored: what it had acknowledged before, it may have lost."""
        known, self.epoch = self.epoch, epoch
        if known is None or known == epoch:
            return
        for record in self.not_held(self.records):
            record.state = State.WAITING

    def _count_copies(self, batch: _Batch, arrived: int) -> None:
        for record in batch.records:
            record.copies += arrived

    # Files, by tus 1.0.

    def _upload(self, sha256: str, file: File) -> None:
        """Send one file in pieces; a broken link costs the piece that was on its way, never those before it."""
        self.counts["files"] += 1
        url, offset = self._begin(sha256, file)
        for _ in range(self._habits.tries * (1 + len(file.content) // self._habits.chunk)):
            if offset >= len(file.content):
                return
            stands = self._patch(url, offset, file.content[offset : offset + self._habits.chunk])
            if stands is None:
                url, offset = self._begin(sha256, file)
            else:
                offset = stands
        raise Unreachable

    def _patch(self, url: str, offset: int, piece: bytes) -> int | None:
        """Send a piece; gives where the upload stands then, None if the server does not know it (any more)."""
        headers = {**_TUS, "Content-Type": _OFFSET_STREAM, "Upload-Offset": str(offset)}
        try:
            answer = self._ask("PATCH", url, headers, piece)
        except NoAnswer:
            self.counts["resumed"] += 1
            self._pause(self._backoff(0))
            return self._offset(url)
        if answer.status == 204:
            return int(answer.headers["upload-offset"])
        # Busy, or it stands elsewhere (409), or its bytes went wrong and it begins anew (460): the server knows.
        self._come_back_later(answer, 0)
        return self._offset(url)

    def _begin(self, sha256: str, file: File) -> tuple[str, int]:
        """A new upload with its first piece: for a small file one round trip does it."""
        told = {"sha256": sha256, "name": file.name, "type": file.type}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
        headers = {
            **_TUS,
            "Content-Type": _OFFSET_STREAM,
            "Upload-Length": str(len(file.content)),
            "Upload-Metadata": metadata,
        }
        answer = self._insist("POST", f"{self._root}/files", headers, file.content[: self._habits.chunk])
        if answer.status != 201:
            raise Unreachable(f"An upload was answered with {answer.status}.")
        where = urlsplit(answer.headers["location"])
        return where.path, int(answer.headers.get("upload-offset", 0))

    def _offset(self, url: str) -> int | None:
        """Where an upload stands; None if the server does not know it (any more)."""
        answer = self._insist("HEAD", url, _TUS)
        return int(answer.headers["upload-offset"]) if answer.status in (200, 204) else None

    # Patience.

    def _insist(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        for attempt in range(self._habits.tries):
            try:
                answer = self._ask(method, path, headers, body)
            except NoAnswer:
                self._pause(self._backoff(attempt))
                continue
            if not self._come_back_later(answer, attempt):
                return answer
        raise Unreachable

    def _come_back_later(self, answer: Answer, attempt: int) -> bool:
        """Whether the server could not take it now; the wait is over then. A 5xx leaves open what became of it."""
        if answer.status in (401, 403):
            raise LoginNeeded
        if answer.status == 507:
            raise ServerFull
        if answer.status == 429 or answer.status >= 500:
            self.counts["told_to_wait"] += 1
            self._pause(max(_seconds(answer.headers.get("retry-after")), self._backoff(attempt)))
            return True
        return False

    def _backoff(self, attempt: int) -> float:
        return self._rng.uniform(0, min(self._habits.longest_pause, self._habits.first_pause * 2**attempt))


def _fitting(waiting: Sequence[Record], most_items: int) -> Sequence[Record]:
    """The first records of the queue that make one batch, at least one."""
    size, count = 0, 0
    for record in waiting[:most_items]:
        size += len(json.dumps(record.item, ensure_ascii=False).encode())
        if count and size > _UNPACKED_BYTES:
            break
        count += 1
    return waiting[:count]


def _compressed(plain: bytes, encoding: str) -> bytes:
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=3).compress(plain)
    return gzip.compress(plain, compresslevel=6, mtime=0)


def _sha256_of(item: Mapping[str, Any]) -> str:
    """The hash of a record's XML; "" where the server makes the XML from the answers."""
    xml = item.get("xml")
    return hashlib.sha256(xml.encode()).hexdigest() if isinstance(xml, str) else ""


def _json_of(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdecimal() else 0.0
