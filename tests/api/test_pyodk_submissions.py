"""pyODK, unmodified, against the running server: every method that it has for submissions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyodk._utils.config import CentralConfig, Config
from pyodk.client import Client
from pyodk.errors import PyODKError
from werkzeug.serving import make_server

from tests.api.test_submissions import a_filled_form
from tests.support.web import PASSWORD, House, shown

FIRST = "uuid:85cb9aff-005e-4edd-9739-dc9c1a829c44"
SECOND = "uuid:315c2f74-c8fc-4606-ae3f-22f8983e441e"


@pytest.fixture
def client(house: House, tmp_path: Path) -> Iterator[Client]:
    """A client of Baraka's, who coordinates the project, over HTTP."""
    server = make_server("127.0.0.1", 0, house.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    central = CentralConfig(
        base_url=f"http://127.0.0.1:{server.port}", username="baraka@example.org", password=PASSWORD
    )
    client = Client(config=Config(central=central), cache_path=tmp_path / "cache.toml", project_id=house.pid)
    with client:
        yield client
    server.shutdown()
    thread.join()


def xml(name: str, **more: object) -> str:
    return a_filled_form(name, **more).decode()  # type: ignore[arg-type]


def test_submissions_are_created_listed_and_read(client: Client, house: House) -> None:
    made = client.submissions.create(xml(FIRST), form_id="sale", device_id="pyodk:1")

    listed = client.submissions.list(form_id="sale")
    read = client.submissions.get(FIRST, form_id="sale")

    assert [one.instanceId for one in (made, *listed, read)] == [FIRST] * 3
    assert (made.deviceId, made.submitterId, made.reviewState) == ("pyodk:1", house.baraka.actor_id, None)
    assert made.userAgent is not None
    assert made.userAgent.startswith("pyodk")
    assert (made.instanceName, read.instanceName) == ("Sale 3", "Sale 3")
    assert made.attachments is None
    assert listed[0].createdAt == read.createdAt == made.createdAt


def test_a_submission_is_created_with_its_files(client: Client, house: House, tmp_path: Path) -> None:
    photo = tmp_path / "le karité.jpg"
    photo.write_bytes(b"a photo" * 10_000)
    more = "<photo>le karité.jpg</photo>"

    made = client.submissions.create(xml(FIRST, more=more), form_id="sale", attachments=[photo])

    assert made.attachments is not None
    assert [(one.name, one.exists) for one in made.attachments] == [("le karité.jpg", True)]
    path = f"forms/sale/submissions/{FIRST}/attachments/le%20karit%C3%A9.jpg"
    assert house.baraka.get(path).data == photo.read_bytes()


def test_the_same_instance_is_not_created_twice(client: Client) -> None:
    client.submissions.create(xml(FIRST), form_id="sale")

    with pytest.raises(PyODKError) as refusal:
        client.submissions.create(xml(FIRST), form_id="sale")

    assert refusal.value.is_central_error(409.3)


def test_a_submission_is_edited_reviewed_and_talked_about(client: Client, house: House) -> None:
    client.submissions.create(xml(FIRST), form_id="sale")

    client.submissions.edit(FIRST, xml(SECOND, edits=FIRST, sacks=9), form_id="sale", comment="Nine, says Amina.")
    edited = client.submissions.get(FIRST, form_id="sale")
    client.submissions.review(FIRST, review_state="approved", form_id="sale", comment="Good.")
    said = client.submissions.add_comment(FIRST, "And well written.", form_id="sale")

    assert (edited.reviewState, edited.instanceName) == ("edited", "Sale 9")
    assert client.submissions.get(FIRST, form_id="sale").reviewState == "approved"
    comments = list(client.submissions.list_comments(FIRST, form_id="sale"))
    assert sorted(one.body for one in comments) == ["And well written.", "Good.", "Nine, says Amina."]
    assert {one.actorId for one in comments} == {said.actorId} == {house.baraka.actor_id}
    assert shown(house.baraka.get(f"forms/sale/submissions/{FIRST}"))["answers"]["sacks"] == 9


def test_the_answers_come_as_a_table(client: Client) -> None:
    client.submissions.create(xml(FIRST, sacks=9), form_id="sale")

    table = client.submissions.get_table(form_id="sale")

    assert [(row["__id"], row["sacks"]) for row in table["value"]] == [(FIRST, 9)]


def test_what_is_not_there_is_said_in_the_way_that_pyodk_expects(client: Client) -> None:
    with pytest.raises(PyODKError) as refusal:
        client.submissions.get("uuid:none", form_id="sale")

    assert refusal.value.is_central_error(404.1)
