"""Webhooks: told in order, signed, until they have heard it, and never a way into the server's own network."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from server.clock import now
from server.db import session
from server.upkeep import telling as background_telling
from server.upkeep.background import take_lease
from server.upkeep.telling import Telling
from server.wire import outside
from server.wire.outside import is_outside, post
from sync.models import Delivery, Webhook
from sync.models.database import begin_writing
from sync.webhooks import telling
from tests.support.collect import a_filled_sale, multipart
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, refused, shown


class Receiver:
    """A server elsewhere that writes down what it is told; it answers with the next of `answers`, or 204."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.waits_for = threading.Event()
        self.waits_for.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heard.append((dict(self.headers), body))
                receiver.waits_for.wait(30)
                status = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"{receiver.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def told(self) -> list[dict[str, Any]]:
        """The bodies since it was last asked."""
        found = [json.loads(body) for _, body in self.heard]
        self.heard.clear()
        return found

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def open_house(house: House) -> House:
    """A house that may tell receivers inside its own network, as these tests have no other."""
    parts = house.app.extensions["siby"]
    object.__setattr__(parts, "settings", parts.settings.but(webhooks_inside=True))
    return house


def a_hook(house: House, receiver: Receiver, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = shown(house.djeneba.post("webhooks", json={"url": f"{receiver.url}/hook?x=1", **more}))
    return made


def tell(app: Flask) -> int:
    """How many deliveries were tried."""
    telling = Telling()
    with app.app_context():
        before = deliveries()
        telling.begin(app)
        telling.finish()
        return deliveries() - before


def tell_until(app: Flask, telling: Telling, receiver: Receiver, count: int) -> None:
    """As the background does it, until the receiver has heard so many."""
    until = time.monotonic() + 30
    while len(receiver.heard) < count and time.monotonic() < until:
        telling.begin(app)
        time.sleep(0.02)


def deliveries() -> int:
    count: int = session().scalars(select(func.count()).select_from(Delivery)).one()
    session().rollback()
    return count


def test_a_submission_is_told_once_with_a_signature_that_the_specifications_library_accepts(
    open_house: House, receiver: Receiver
) -> None:
    hook = a_hook(open_house, receiver, answers=True)
    open_house.amina.outcomes(a_sale(1))

    assert tell(open_house.app) == 1
    assert tell(open_house.app) == 0

    ((headers, body),) = receiver.heard
    verifier = Verifier(hook["secret"])
    told = verifier.verify(body, {name.lower(): value for name, value in headers.items()})
    assert (told["type"], told["data"]["instance_id"]) == ("submission.stored", instance_id(1))
    assert told["data"]["answers"]["sacks"] is not None
    with pytest.raises(WebhookVerificationError):
        verifier.verify(body + b" ", {name.lower(): value for name, value in headers.items()})


def test_answers_come_along_only_where_that_was_wished(open_house: House, receiver: Receiver) -> None:
    a_hook(open_house, receiver)
    open_house.amina.outcomes(a_sale(1))

    tell(open_house.app)

    assert "answers" not in receiver.told()[0]["data"]


def test_events_are_told_in_order_and_one_that_was_not_heard_holds_up_the_rest(
    open_house: House, receiver: Receiver
) -> None:
    hook = a_hook(open_house, receiver)
    open_house.amina.outcomes(a_sale(1), a_sale(2), a_sale(3))
    receiver.answers = [204, 503]

    tell(open_house.app)
    first = receiver.told()
    tell(open_house.app)
    assert receiver.told() == []
    state = shown(open_house.djeneba.get(f"webhooks/{hook['id']}"))
    assert (state["state"], state["last_status"], state["failures"]) == ("failing", 503, 1)
    shown(open_house.djeneba.patch(f"webhooks/{hook['id']}", json={"paused": False}))
    tell(open_house.app)
    then = receiver.told()

    assert [row["data"]["instance_id"] for row in first] == [instance_id(1), instance_id(2)]
    assert [row["data"]["instance_id"] for row in then] == [instance_id(2), instance_id(3)]
    assert first[1]["id"] == then[0]["id"]
    attempts = shown(open_house.djeneba.get(f"webhooks/{hook['id']}/deliveries"))
    assert sorted((row["attempt"], row["status"]) for row in attempts) == [(1, 204), (1, 204), (1, 503), (2, 204)]


def test_a_submission_is_told_when_its_last_file_is_here(open_house: House, receiver: Receiver) -> None:
    a_hook(open_house, receiver)
    photo = b"a photo"
    with_photo = a_sale(1, photo="p.jpg") | {"attachments": [_announced("p.jpg", photo)]}
    open_house.amina.outcomes(with_photo, a_sale(2))

    tell(open_house.app)
    before = receiver.told()
    _upload(open_house, photo)
    tell(open_house.app)
    after = receiver.told()

    assert [row["data"]["instance_id"] for row in before] == [instance_id(2)]
    assert [(row["type"], row["data"]["instance_id"]) for row in after] == [("submission.stored", instance_id(1))]


@pytest.mark.parametrize("first_photo", [None, b"the first photo"])
def test_a_correction_is_told_as_one_when_its_last_file_is_here(
    open_house: House, receiver: Receiver, first_photo: bytes | None
) -> None:
    a_hook(open_house, receiver)
    visit = a_sale(1)
    if first_photo:
        visit = a_sale(1, photo="p.jpg") | {"attachments": [_announced("p.jpg", first_photo)]}
    open_house.amina.outcomes(visit)
    if first_photo:
        _upload(open_house, first_photo)
    tell(open_house.app)

    _correct_with_late_photo(open_house)

    told = [(row["type"], row["data"]["current_instance_id"]) for row in receiver.told()]
    assert told == [("submission.stored", instance_id(1)), ("submission.edited", instance_id(2))]


@pytest.mark.parametrize("types", [[], ["submission.edited"]])
def test_a_correction_of_what_came_with_all_its_files_is_told_as_one(
    open_house: House, receiver: Receiver, types: list[str]
) -> None:
    a_hook(open_house, receiver, types=types)
    _upload(open_house, b"the first photo")
    visit = a_sale(1, photo="p.jpg") | {"attachments": [_announced("p.jpg", b"the first photo")]}
    open_house.amina.outcomes(visit)
    tell(open_house.app)

    _correct_with_late_photo(open_house)

    told = [(row["type"], row["data"]["current_instance_id"]) for row in receiver.told()]
    assert told[-1] == ("submission.edited", instance_id(2))
    assert [kind for kind, _ in told[:-1]] == [kind for kind in ("submission.stored",) if not types]


def test_a_correction_of_what_was_here_with_all_its_files_before_the_webhook_was_is_told_as_one(
    open_house: House, receiver: Receiver
) -> None:
    _upload(open_house, b"the first photo")
    visit = a_sale(1, photo="p.jpg") | {"attachments": [_announced("p.jpg", b"the first photo")]}
    open_house.amina.outcomes(visit)
    a_hook(open_house, receiver)

    _correct_with_late_photo(open_house)

    told = [(row["type"], row["data"]["current_instance_id"]) for row in receiver.told()]
    assert told == [("submission.edited", instance_id(2))]


def test_a_correction_that_came_before_the_files_of_what_it_corrects_is_told_as_new(
    open_house: House, receiver: Receiver
) -> None:
    a_hook(open_house, receiver)
    photo = {"attachments": [_announced("p.jpg", b"a photo")]}
    open_house.amina.outcomes(a_sale(1, photo="p.jpg") | photo, a_sale(2, edits=1, photo="p.jpg") | photo)
    tell(open_house.app)
    _upload(open_house, b"a photo")

    tell(open_house.app)

    told = [(row["type"], row["data"]["current_instance_id"]) for row in receiver.told()]
    assert told == [("submission.stored", instance_id(2))]


@pytest.mark.parametrize("types", [[], ["submission.stored"]])
def test_a_whole_correction_of_what_never_had_its_files_is_told_as_new_and_the_next_one_as_a_correction(
    open_house: House, receiver: Receiver, types: list[str]
) -> None:
    a_hook(open_house, receiver, types=types)
    photo = {"attachments": [_announced("p.jpg", b"a photo")]}
    open_house.amina.outcomes(a_sale(1, photo="p.jpg") | photo)
    tell(open_house.app)
    assert receiver.told() == []

    open_house.amina.outcomes(a_sale(2, edits=1), batch="b2")
    tell(open_house.app)
    open_house.amina.outcomes(a_sale(3, edits=2), batch="b3")
    tell(open_house.app)

    told = [(row["type"], row["data"]["current_instance_id"]) for row in receiver.told()]
    news = ("submission.stored", instance_id(2)), ("submission.edited", instance_id(3))
    assert told == [row for row in news if not types or row[0] in types]


def test_a_whole_correction_is_told_as_new_also_where_the_files_of_the_first_came_before_anybody_was_told(
    open_house: House, receiver: Receiver
) -> None:
    a_hook(open_house, receiver)
    photo = {"attachments": [_announced("p.jpg", b"a photo")]}
    open_house.amina.outcomes(a_sale(1, photo="p.jpg") | photo)
    tell(open_house.app)
    open_house.amina.outcomes(a_sale(2, edits=1), batch="b2")
    _upload(open_house, b"a photo")

    tell(open_house.app)

    told = [(row["type"], row["data"]["current_instance_id"]) for row in receiver.told()]
    assert told == [("submission.stored", instance_id(2))]


@pytest.mark.parametrize("hooked", ["before", "between"])
def test_a_whole_correction_of_what_was_never_whole_is_told_as_new(
    open_house: House, receiver: Receiver, hooked: str
) -> None:
    def tells(more: bool, number: int, edits: int | None = None) -> None:
        body, kind = multipart(a_filled_sale(number, edits=edits), {}, more=more)
        assert open_house.amina.post("submission", data=body, content_type=kind).status_code == 201

    if hooked == "before":
        a_hook(open_house, receiver)
    tells(True, 1)
    tell(open_house.app)
    if hooked == "between":
        a_hook(open_house, receiver)

    tells(False, 2, edits=1)
    tell(open_house.app)
    tells(False, 3, edits=2)
    tell(open_house.app)

    told = [(row["type"], row["data"]["current_instance_id"]) for row in receiver.told()]
    assert told == [("submission.stored", instance_id(2)), ("submission.edited", instance_id(3))]


def test_files_that_came_after_the_correction_of_what_lacked_them_do_not_make_it_whole_afterwards(
    open_house: House, receiver: Receiver
) -> None:
    a_hook(open_house, receiver)
    _upload(open_house, b"a photo")
    visit = a_sale(1, photo="p.jpg")
    open_house.amina.outcomes(visit)
    tell(open_house.app)
    open_house.amina.outcomes(a_sale(2, edits=1), batch="b2")
    open_house.amina.outcomes(visit | {"attachments": [_announced("p.jpg", b"a photo")]}, batch="b3")

    tell(open_house.app)

    told = [(row["type"], row["data"]["current_instance_id"]) for row in receiver.told()]
    assert told == [("submission.stored", instance_id(2))]


def test_what_nobody_wished_to_hear_is_passed_over(open_house: House, receiver: Receiver) -> None:
    hook = a_hook(open_house, receiver, types=["submission.reviewed"])
    open_house.amina.outcomes(a_sale(1))
    open_house.baraka.patch(f"forms/sale/submissions/{instance_id(1)}", json={"reviewState": "approved"})

    tell(open_house.app)

    assert [(row["type"], row["data"]["review_state"]) for row in receiver.told()] == [
        ("submission.reviewed", "approved")
    ]
    assert shown(open_house.djeneba.get(f"webhooks/{hook['id']}"))["failures"] == 0


def test_a_long_journal_is_passed_over_part_by_part(
    open_house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "_AMONG", 3)
    hook = a_hook(open_house, receiver, types=["submission.reviewed"])
    for number in range(1, 6):
        open_house.amina.outcomes(a_sale(number), batch=f"b{number}")
    open_house.baraka.patch(f"forms/sale/submissions/{instance_id(5)}", json={"reviewState": "approved"})
    with open_house.app.app_context():
        kept = session().get_one(Webhook, (open_house.pid, int(hook["id"])))
        part = telling.next_message(session(), kept, now()), kept.told
        session().rollback()

    tell(open_house.app)

    assert part == (None, hook["told"] + 3)
    assert [row["data"]["instance_id"] for row in receiver.told()] == [instance_id(5)]


def test_a_replay_tells_everything_again_under_the_same_ids(open_house: House, receiver: Receiver) -> None:
    hook = a_hook(open_house, receiver, since=0)
    open_house.amina.outcomes(a_sale(1), a_sale(2))
    tell(open_house.app)
    once = receiver.told()

    shown(open_house.djeneba.post(f"webhooks/{hook['id']}/replay", json={"since": 0}))
    tell(open_house.app)

    assert [row["id"] for row in receiver.told()] == [row["id"] for row in once]
    assert [row["type"] for row in once] == ["form.published", "submission.stored", "submission.stored"]
    assert refused(open_house.djeneba.post(f"webhooks/{hook['id']}/replay", json={"since": 10**9})) == 400.8


def test_an_event_that_is_refused_five_times_is_set_aside_for_the_next(open_house: House, receiver: Receiver) -> None:
    hook = a_hook(open_house, receiver)
    open_house.amina.outcomes(a_sale(1), a_sale(2))
    receiver.answers = [422] * 5

    for _ in range(5):
        tell(open_house.app)
        _let_go_on(open_house, hook)

    tell(open_house.app)
    told = [row["data"]["instance_id"] for row in receiver.told()]
    assert told == [instance_id(1)] * 5 + [instance_id(2)]
    attempts = shown(open_house.djeneba.get(f"webhooks/{hook['id']}/deliveries"))
    assert [row["attempt"] for row in attempts if row["parked"]] == [5]


def test_what_is_no_refusal_does_not_count_towards_the_five(open_house: House, receiver: Receiver) -> None:
    hook = a_hook(open_house, receiver)
    open_house.amina.outcomes(a_sale(1), a_sale(2))
    receiver.answers = [503, 503, 503, 503, 422, 204]

    for _ in range(6):
        tell(open_house.app)
        _let_go_on(open_house, hook)

    told = [row["data"]["instance_id"] for row in receiver.told()]
    assert told == [instance_id(1)] * 6 + [instance_id(2)]
    attempts = shown(open_house.djeneba.get(f"webhooks/{hook['id']}/deliveries"))
    assert not any(row["parked"] for row in attempts)


@pytest.mark.parametrize("status", [204, 503])
def test_one_that_is_paused_while_it_is_told_stays_paused(open_house: House, receiver: Receiver, status: int) -> None:
    hook = a_hook(open_house, receiver)
    open_house.amina.outcomes(a_sale(1), a_sale(2))
    receiver.answers = [status]

    with _being_told(open_house, receiver):
        shown(open_house.djeneba.patch(f"webhooks/{hook['id']}", json={"paused": True}))

    assert tell(open_house.app) == 0
    assert len(receiver.told()) == 1
    assert shown(open_house.djeneba.get(f"webhooks/{hook['id']}"))["state"] == "paused"


def test_a_replay_that_is_asked_for_while_it_is_told_begins_where_it_should(
    open_house: House, receiver: Receiver
) -> None:
    hook = a_hook(open_house, receiver)
    open_house.amina.outcomes(a_sale(1), a_sale(2))
    tell(open_house.app)
    open_house.amina.outcomes(a_sale(3), batch="b2")
    receiver.told()

    with _being_told(open_house, receiver):
        shown(open_house.djeneba.post(f"webhooks/{hook['id']}/replay", json={"since": 0}))
    tell(open_house.app)

    stored = [row["data"]["instance_id"] for row in receiver.told() if row["type"] == "submission.stored"]
    assert stored == [instance_id(number) for number in (3, 1, 2, 3)]


def test_a_replay_that_is_asked_for_while_the_journal_is_passed_over_begins_where_it_should(
    open_house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = a_hook(open_house, receiver, types=["submission.reviewed"])
    open_house.amina.outcomes(a_sale(1))
    open_house.baraka.patch(f"forms/sale/submissions/{instance_id(1)}", json={"reviewState": "approved"})
    tell(open_house.app)
    open_house.amina.outcomes(a_sale(2), batch="b2")
    replay = threading.Thread(
        target=open_house.djeneba.post, args=(f"webhooks/{hook['id']}/replay",), kwargs={"json": {"since": 0}}
    )

    def and_somebody_asks(*asked: Any) -> telling.Message | None:
        message = telling.next_message(*asked)
        if replay.ident is None:
            replay.start()
        replay.join(0.5)
        return message

    monkeypatch.setattr(background_telling, "next_message", and_somebody_asks)
    tell(open_house.app)
    replay.join()
    tell(open_house.app)

    assert [row["data"]["instance_id"] for row in receiver.told()] == [instance_id(1), instance_id(1)]


def test_patience_begins_anew_with_a_replay_and_with_whoever_lets_it_go_on(
    open_house: House, receiver: Receiver
) -> None:
    hook = a_hook(open_house, receiver)
    open_house.amina.outcomes(a_sale(1))
    tell(open_house.app)
    _long_ago(open_house, hook)
    receiver.answers = [503, 503]

    shown(open_house.djeneba.post(f"webhooks/{hook['id']}/replay", json={"since": 0}))
    tell(open_house.app)
    replayed = shown(open_house.djeneba.get(f"webhooks/{hook['id']}"))
    _long_ago(open_house, hook)
    shown(open_house.djeneba.patch(f"webhooks/{hook['id']}", json={"paused": False}))
    tell(open_house.app)

    assert replayed["state"] == "failing"
    assert shown(open_house.djeneba.get(f"webhooks/{hook['id']}"))["state"] == "failing"


def test_a_receiver_that_says_gone_is_paused(open_house: House, receiver: Receiver) -> None:
    hook = a_hook(open_house, receiver)
    open_house.amina.outcomes(a_sale(1))
    receiver.answers = [410]

    tell(open_house.app)

    assert shown(open_house.djeneba.get(f"webhooks/{hook['id']}"))["state"] == "paused"


def test_a_redirect_is_not_followed(open_house: House, receiver: Receiver) -> None:
    a_hook(open_house, receiver)
    open_house.amina.outcomes(a_sale(1))
    receiver.answers = [302]

    tell(open_house.app)

    assert len(receiver.told()) == 1


def test_a_webhook_leads_out_of_the_house_or_nowhere(house: House, receiver: Receiver) -> None:
    for url in (
        *("http://example.org/x", "ftp://example.org", "https://user:secret@example.org", "https://", "file:///x"),
        *("https://example.org:99999", "https://exa mple.org", "nonsense"),
    ):
        assert refused(house.djeneba.post("webhooks", json={"url": url})) == 400.8
    for url in ("https://localhost/x", "https://127.0.0.1", "https://[::1]/", "https://169.254.169.254/latest"):
        outcome = post(url, b"{}", {})
        assert (outcome.status, outcome.heard) == (None, False)
        assert "own" in (outcome.error or "")
    assert receiver.heard == []


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
        *("255.255.255.255", "240.0.0.1"),
    ],
)
def test_addresses_of_closed_networks_are_known_in_every_notation(address: str) -> None:
    assert not is_outside(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "196.200.80.1", "2606:4700::1111"])
def test_addresses_of_the_public_internet_are_outside(address: str) -> None:
    assert is_outside(address)


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"])
def test_who_answers_a_byte_at_a_time_holds_nobody_up(monkeypatch: pytest.MonkeyPatch, beginning: bytes) -> None:
    monkeypatch.setattr(outside, "_WHOLE_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            try:
                connection.sendall(beginning)
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.1)
            except OSError:
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        began = time.monotonic()
        outcome = post(f"http://127.0.0.1:{listening.getsockname()[1]}/", b"{}", {}, inside=True)

    assert time.monotonic() - began < 5
    assert beginning or outcome.status is None


def test_a_receiver_that_takes_its_time_holds_up_no_other(open_house: House, receiver: Receiver) -> None:
    slow, held = Receiver(), threading.Event()
    slow.waits_for = held
    a_hook(open_house, slow)
    a_hook(open_house, receiver)
    telling = Telling()

    with open_house.app.app_context():
        for number in (1, 2):
            open_house.amina.outcomes(a_sale(number))
            tell_until(open_house.app, telling, receiver, number)
        tell_until(open_house.app, telling, slow, 1)
    heard_meanwhile = len(slow.heard)
    held.set()
    telling.finish()
    slow.stop()

    assert heard_meanwhile == 1, "it is told one thing at a time"
    assert [row["data"]["instance_id"] for row in receiver.told()] == [instance_id(1), instance_id(2)]
    assert [row["data"]["instance_id"] for row in slow.told()] == [instance_id(1), instance_id(2)]


def test_one_process_works_and_another_takes_over_when_it_falls_silent(house: House) -> None:
    with house.app.app_context():
        moment = now()

        assert take_lease("webhooks", "first", moment)
        assert not take_lease("webhooks", "second", moment)
        assert take_lease("webhooks", "first", moment)
        assert take_lease("webhooks", "second", moment.replace(year=moment.year + 1))


def test_a_lease_from_before_the_clock_was_turned_back_has_lapsed(house: House) -> None:
    with house.app.app_context():
        moment = now()
        earlier = moment.replace(year=moment.year - 1)

        assert take_lease("webhooks", "first", moment)
        assert take_lease("webhooks", "second", earlier)
        assert not take_lease("webhooks", "first", earlier)


def _announced(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "type": "image/jpeg"}


def _upload(house: House, content: bytes) -> None:
    sha256 = base64.b64encode(hashlib.sha256(content).hexdigest().encode()).decode()
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(len(content)),
        "Upload-Metadata": f"sha256 {sha256}",
        "Content-Type": "application/offset+octet-stream",
    }
    assert house.amina.post("files", data=content, headers=headers).status_code == 201


def _correct_with_late_photo(house: House) -> None:
    """The first sale is corrected by the second, whose photo comes once that was told."""
    correction = a_sale(2, edits=1, photo="q.jpg") | {"attachments": [_announced("q.jpg", b"a photo")]}
    house.amina.outcomes(correction, batch="b2")
    tell(house.app)
    _upload(house, b"a photo")
    tell(house.app)


@contextmanager
def _being_told(house: House, receiver: Receiver) -> Iterator[None]:
    """While the receiver has the next event and has not answered yet."""
    receiver.waits_for.clear()
    telling = Telling()
    with house.app.app_context():
        tell_until(house.app, telling, receiver, 1)
    yield
    receiver.waits_for.set()
    telling.finish()


def _long_ago(house: House, hook: dict[str, Any]) -> None:
    """All of its attempts so far were made three weeks ago."""
    with house.app.app_context():
        begin_writing(session())
        own = Delivery.webhook_id == int(hook["id"])
        session().execute(update(Delivery).where(own).values(at=now() - dt.timedelta(days=21)))
        session().commit()


def _let_go_on(house: House, hook: dict[str, Any]) -> None:
    """Its time has come again, without what a person would do about it."""
    with house.app.app_context():
        begin_writing(session())
        session().execute(update(Webhook).where(Webhook.id == int(hook["id"])).values(next_at=None))
        session().commit()
