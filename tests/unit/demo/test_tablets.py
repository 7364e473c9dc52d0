"""A tablet keeps a record until the server has said that it is safe, whatever the answers are."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from demo.links import Answer, NoAnswer
from demo.tablets import File, Habits, LoginNeeded, Record, State, Tablet, Unreachable, record_of

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@dataclass
class Request:
    """What a tablet sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def ids(self) -> list[str]:
        return [item["instance_id"] for item in json.loads(gzip.decompress(self.body))["items"]]


@dataclass
class Script:
    """The other end of the link: answers by turns, and writes down what it was asked and how long the tablet waited."""

    turns: Iterator[Callable[[Request], Answer]]
    asked: list[Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        request = Request(method, path, headers, body)
        self.asked.append(request)
        return next(self.turns)(request)

    @property
    def batches(self) -> list[Request]:
        return [request for request in self.asked if request.path.endswith("/batches")]


def a_tablet(*turns: Callable[[Request], Answer], **habits: Any) -> tuple[Tablet, Script]:
    script = Script(iter(turns))
    tablet = Tablet(
        "amina", 1, script.ask, pause=script.pauses.append, clock=lambda: NOON, habits=Habits(**habits), seed="seed"
    )
    return tablet, script


def a_record(number: int, *files: File) -> Record:
    return record_of(
        {"instance_id": f"uuid:{number}", "form": "sale", "version": "1", "answers": {"sacks": number}}, files
    )


def record(tablet: Tablet, number: int) -> Record:
    return next(found for found in tablet.records if found.instance_id == f"uuid:{number}")


def receipts(outcome: str = "stored", missing: tuple[str, ...] = (), epoch: str = "one") -> Callable[[Request], Answer]:
    """Every item of the batch has this outcome."""

    def turn(request: Request) -> Answer:
        told = [
            {"instance_id": name, "outcome": outcome, "missing": list(missing), "flags": [], "reason": None}
            for name in request.ids
        ]
        return Answer(200, {}, json.dumps({"epoch": epoch, "receipts": told}).encode())

    return turn


def says(status: int, body: object = None, **headers: str) -> Callable[[Request], Answer]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request: Answer(status, named, json.dumps(body).encode())


def silence(_request: Request) -> Answer:
    raise NoAnswer


def test_what_is_stored_may_be_deleted() -> None:
    tablet, _ = a_tablet(receipts("stored"))
    tablet.keep(a_record(1))

    tablet.sync()

    assert record(tablet, 1).deletable


def test_a_batch_without_an_answer_is_sent_again_to_the_byte() -> None:
    tablet, script = a_tablet(silence, silence, receipts("duplicate"))
    tablet.keep(a_record(1))
    tablet.keep(a_record(2))

    tablet.sync()

    assert len({request.body for request in script.batches}) == 1
    assert len(script.batches) == 3
    assert record(tablet, 2).deletable


def test_waits_grow_while_there_is_no_answer_and_stay_below_a_quarter_of_an_hour() -> None:
    tablet, script = a_tablet(*[silence] * 40)
    tablet.keep(a_record(1))

    with pytest.raises(Unreachable):
        tablet.sync()

    assert sum(script.pauses[:5]) < sum(script.pauses[10:15])
    assert max(script.pauses) <= 900
    assert record(tablet, 1).state is State.WAITING


@pytest.mark.parametrize("status", [429, 503])
def test_a_tablet_waits_at_least_as_long_as_it_is_told(status: int) -> None:
    tablet, script = a_tablet(says(status, retry_after="17"), receipts())
    tablet.keep(a_record(1))

    tablet.sync()

    assert script.pauses[0] >= 17
    assert record(tablet, 1).deletable


def test_a_server_error_leaves_open_what_happened_so_the_batch_is_sent_again() -> None:
    tablet, script = a_tablet(says(500), receipts("duplicate"))
    tablet.keep(a_record(1))

    tablet.sync()

    assert script.batches[0].body == script.batches[1].body


def test_a_batch_that_is_too_large_is_halved_until_it_fits() -> None:
    too_large = says(413, {"details": {"max_items": 500}})
    tablet, script = a_tablet(too_large, too_large, *[receipts()] * 4)
    for number in range(8):
        tablet.keep(a_record(number))

    tablet.sync()

    assert [len(request.ids) for request in script.batches] == [8, 4, 2, 2, 2, 2]
    assert all(found.deletable for found in tablet.records)


def test_a_record_that_is_too_large_alone_is_kept_and_shown() -> None:
    tablet, _ = a_tablet(says(413, {"details": {}}))
    tablet.keep(a_record(1))

    tablet.sync()

    assert record(tablet, 1).state is State.SHOWN


def test_a_batch_that_cannot_be_read_is_sent_one_by_one_once() -> None:
    tablet, script = a_tablet(says(400), receipts(), says(400))
    tablet.keep(a_record(1))
    tablet.keep(a_record(2))

    tablet.sync()

    assert [request.ids for request in script.batches] == [["uuid:1", "uuid:2"], ["uuid:1"], ["uuid:2"]]
    assert [found.state for found in tablet.records] == [State.SAFE, State.SHOWN]


@pytest.mark.parametrize("outcome", ["quarantined", "conflict"])
def test_what_waits_for_the_coordinator_is_kept_and_not_sent_again(outcome: str) -> None:
    tablet, script = a_tablet(receipts(outcome))
    tablet.keep(a_record(1))

    tablet.sync()
    tablet.sync()

    assert len(script.batches) == 1
    assert record(tablet, 1).state is State.COORDINATOR


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_tablet_that_is_turned_away_drops_nothing(status: int) -> None:
    tablet, _ = a_tablet(says(status))
    tablet.keep(a_record(1))

    with pytest.raises(LoginNeeded):
        tablet.sync()

    assert record(tablet, 1).state is State.WAITING


def test_after_a_restart_the_queue_is_cut_into_other_batches_and_nothing_is_left_out() -> None:
    tablet, script = a_tablet(silence, *[receipts()] * 20, restarts=1.0)
    for number in range(20):
        tablet.keep(a_record(number))

    tablet.sync()

    assert len(script.batches) > 2
    assert script.batches[1].ids == script.batches[0].ids[: len(script.batches[1].ids)]
    assert all(found.deletable for found in tablet.records)


def test_a_record_is_kept_until_its_photo_is_confirmed_and_the_photo_goes_on_where_it_broke_off() -> None:
    photo = File("1.jpg", "image/jpeg", random.Random(1).randbytes(100))
    tablet, script = a_tablet(
        receipts("stored", missing=(photo.sha256,)),
        says(201, location="http://server/v1/projects/1/files/abc", upload_offset="40"),
        silence,
        says(200, upload_offset="70"),
        says(204, upload_offset="100"),
        receipts("stored"),
        chunk=40,
    )
    tablet.keep(a_record(1, photo))

    tablet.sync()

    sent = {request.headers.get("Upload-Offset", "0"): request.body for request in script.asked[1:-1] if request.body}
    assert sent == {"0": photo.content[:40], "40": photo.content[40:80], "70": photo.content[70:]}
    assert script.batches[0].body == script.batches[-1].body
    assert record(tablet, 1).deletable


def test_a_record_whose_photo_did_not_arrive_is_not_deleted() -> None:
    photo = File("1.jpg", "image/jpeg", b"photo")
    tablet, _ = a_tablet(receipts("stored", missing=(photo.sha256,)), *[silence] * 40)
    tablet.keep(a_record(1, photo))

    with pytest.raises(Unreachable):
        tablet.sync()

    assert not record(tablet, 1).deletable


def test_an_upload_that_the_server_has_forgotten_begins_anew() -> None:
    photo = File("1.jpg", "image/jpeg", b"0123456789")
    tablet, script = a_tablet(
        receipts("stored", missing=(photo.sha256,)),
        says(201, location="/v1/projects/1/files/a", upload_offset="0"),
        says(404),
        says(404),
        says(201, location="/v1/projects/1/files/b", upload_offset="5"),
        says(204, upload_offset="10"),
        receipts("stored"),
    )
    tablet.keep(a_record(1, photo))

    tablet.sync()

    assert [request.path[-1] for request in script.asked if request.method == "PATCH"] == ["a", "b"]
    assert record(tablet, 1).deletable


def test_a_new_epoch_makes_the_tablet_offer_what_it_holds_and_send_what_is_missing() -> None:
    lost = says(200, {"epoch": "two", "unknown": [["uuid:1", ""]]})
    tablet, script = a_tablet(receipts(epoch="one"), receipts(epoch="two"), lost, receipts(epoch="two"))
    tablet.keep(a_record(1))
    tablet.keep(a_record(2))
    tablet.sync()
    tablet.keep(a_record(3))

    tablet.sync()

    assert [request.ids for request in script.batches] == [["uuid:1", "uuid:2"], ["uuid:3"], ["uuid:1"]]
    assert all(found.deletable for found in tablet.records)


def test_every_copy_that_went_out_whole_is_counted() -> None:
    def heard_twice(_request: Request) -> Answer:
        raise NoAnswer(arrived=2)

    tablet, _ = a_tablet(heard_twice, silence, receipts())
    tablet.keep(a_record(1))

    tablet.sync()

    assert record(tablet, 1).copies == 3
