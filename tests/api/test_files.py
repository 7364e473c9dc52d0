"""Files by tus 1.0: in pieces, cut, resumed, lied about; also by a tus client that is not ours."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from server import current
from server.acts.uploads import XLSX
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, refused, shown

PHOTO = bytes(range(256)) * 400
SHA256 = hashlib.sha256(PHOTO).hexdigest()
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


def metadata(**said: str) -> dict[str, str]:
    pairs = (f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items())
    return {"Upload-Metadata": ",".join(pairs)}


def begin(house: House, length: int = len(PHOTO), sha256: str = SHA256, **more: Any) -> TestResponse:
    headers = TUS | {"Upload-Length": str(length)} | metadata(sha256=sha256, name="1699.jpg", type="image/jpeg")
    return house.amina.post("files", headers=headers | more.pop("headers", {}), **more)


def patch(house: House, where: str, offset: int, piece: bytes, **headers: str) -> TestResponse:
    return house.amina.patch(where, headers=TUS | BYTES | {"Upload-Offset": str(offset)} | headers, data=piece)


def where(answer: TestResponse) -> str:
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return "/" + answer.headers["Location"].split("/", 3)[3]


def standing(house: House, place: str) -> int:
    answer = house.amina.ask("HEAD", place, headers=TUS)
    assert answer.headers["Upload-Length"]
    return int(answer.headers["Upload-Offset"])


def with_photo(number: int = 1) -> dict[str, Any]:
    photo = {"name": "1699.jpg", "sha256": SHA256, "size": len(PHOTO), "type": "image/jpeg"}
    return a_sale(number, photo="1699.jpg") | {"attachments": [photo]}


def test_a_photo_sent_in_pieces_makes_its_submission_complete(house: House) -> None:
    missing = shown(house.amina.send(with_photo()))["receipts"][0]["missing"]
    place = where(begin(house))
    half = len(PHOTO) // 2

    first = patch(house, place, 0, PHOTO[:half])
    second = patch(house, place, half, PHOTO[half:])

    assert missing == [SHA256]
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, str(half))
    assert (second.status_code, second.headers["Upload-Offset"]) == (204, str(len(PHOTO)))
    assert shown(house.amina.send(with_photo()))["receipts"][0]["missing"] == []
    path = f"forms/sale/submissions/{instance_id(1)}/attachments/1699.jpg"
    got = house.baraka.get(path)
    assert got.get_data() == PHOTO
    assert got.headers["Content-Type"] == "image/jpeg"
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["Content-Security-Policy"].startswith("sandbox")
    assert house.baraka.get(path, headers={"If-None-Match": f'W/"{SHA256}"'}).status_code == 304


def test_all_bytes_may_come_with_the_creation(house: House) -> None:
    answer = begin(house, headers=BYTES, data=PHOTO)

    assert answer.status_code == 201
    assert answer.headers["Upload-Offset"] == str(len(PHOTO))
    assert shown(house.amina.send(with_photo()))["receipts"][0]["missing"] == []


def test_what_is_here_already_needs_no_bytes(house: House) -> None:
    begin(house, headers=BYTES, data=PHOTO)

    assert begin(house).headers["Upload-Offset"] == str(len(PHOTO))


def test_an_empty_file_is_a_file(house: House) -> None:
    answer = begin(house, 0, hashlib.sha256(b"").hexdigest())

    assert answer.headers["Upload-Offset"] == "0"


def test_an_offset_that_is_not_where_the_upload_stands_is_refused(house: House) -> None:
    place = where(begin(house))

    assert refused(patch(house, place, 5, PHOTO)) == 409.31
    assert standing(house, place) == 0


def test_a_wrong_hash_is_told_and_the_upload_begins_anew(house: House) -> None:
    place = where(begin(house))

    assert refused(patch(house, place, 0, b"x" * len(PHOTO))) == 460.1
    assert standing(house, place) == 0
    assert patch(house, place, 0, PHOTO).status_code == 204


def test_a_piece_with_a_wrong_checksum_is_dropped_alone(house: House) -> None:
    place = where(begin(house))
    good = base64.b64encode(hashlib.sha256(PHOTO[:100]).digest()).decode()
    patch(house, place, 0, PHOTO[:100], **{"Upload-Checksum": f"sha256 {good}"})

    answer = patch(house, place, 100, PHOTO[100:200], **{"Upload-Checksum": f"sha256 {good}"})

    assert refused(answer) == 460.1
    assert standing(house, place) == 100


def test_a_body_that_is_cut_keeps_what_arrived(house: House) -> None:
    place = where(begin(house))

    answer = house.amina.patch(
        place,
        headers=TUS | BYTES | {"Upload-Offset": "0"},
        data=PHOTO[:1000],
        environ_overrides={"CONTENT_LENGTH": str(len(PHOTO))},
    )

    assert answer.status_code == 400
    assert standing(house, place) == 1000


def test_more_bytes_than_announced_are_refused_and_the_upload_begins_anew(house: House) -> None:
    place = where(begin(house))

    assert refused(patch(house, place, 0, PHOTO + b"more")) == 413.1
    assert standing(house, place) == 0
    assert patch(house, place, 0, PHOTO).status_code == 204


def test_more_bytes_than_announced_cost_none_that_were_acknowledged(house: House) -> None:
    place = where(begin(house))
    patch(house, place, 0, PHOTO[:600])

    assert refused(patch(house, place, 600, PHOTO[600:] + b"x")) == 413.1
    assert standing(house, place) == 600
    assert patch(house, place, 600, PHOTO[600:]).status_code == 204


def test_a_method_may_be_named_in_a_header_where_only_posts_pass(house: House) -> None:
    place = where(begin(house))
    headers = TUS | BYTES | {"Upload-Offset": "0"}

    sent = house.amina.post(place, headers=headers | {"X-HTTP-Method-Override": "PATCH"}, data=PHOTO[:600])
    stands = house.amina.post(place, headers=TUS | {"X-HTTP-Method-Override": "HEAD"})
    odd = [house.amina.post(place, headers=TUS | more) for more in ({}, {"X-HTTP-Method-Override": "PUT"})]
    given_up = house.amina.post(place, headers=TUS | {"X-HTTP-Method-Override": "DELETE"})

    assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, "600")
    assert (stands.status_code, stands.headers["Upload-Offset"]) == (200, "600")
    assert [refused(answer) for answer in odd] == [405.1, 405.1]
    assert given_up.status_code == 204
    assert house.amina.ask("HEAD", place, headers=TUS).status_code == 404


def test_nobody_else_sees_an_upload(house: House) -> None:
    place = where(begin(house))

    assert house.djeneba.ask("HEAD", place, headers=TUS).status_code == 404
    assert house.coumba.ask("HEAD", place, headers=TUS).status_code == 404


def test_a_last_piece_that_comes_again_is_told_that_all_is_here(house: House) -> None:
    place = where(begin(house))
    patch(house, place, 0, PHOTO[:1000])
    patch(house, place, 1000, PHOTO[1000:])

    again = patch(house, place, 1000, PHOTO[1000:])

    assert (again.status_code, again.get_json()["details"]) == (409, {"offset": len(PHOTO)})
    assert standing(house, place) == len(PHOTO)
    assert patch(house, place, len(PHOTO), b"").status_code == 204


def test_an_upload_can_be_given_up(house: House) -> None:
    place = where(begin(house))

    assert house.amina.ask("DELETE", place, headers=TUS).status_code == 204
    assert house.amina.ask("HEAD", place, headers=TUS).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "many"}, 400),
        ({"Upload-Length": "9" * 30}, 413),
        ({"Upload-Length": "9" * 5000}, 413),
        ({"Upload-Length": str(10**15)}, 413),
        ({"Upload-Length": str(101 * 2**20)}, 413),
        ({"Upload-Metadata": ""}, 400),
        ({"Upload-Metadata": "sha256 ***"}, 400),
        ({"Upload-Metadata": "sha256 /////w=="}, 400),
        ({"Upload-Metadata": "sha256 Li4vLi4vZXRjL3Bhc3N3ZA=="}, 400),
        ({"Upload-Metadata": f"sha256 {base64.b64encode(SHA256.encode()).decode()},name AA=="}, 400),
    ],
)
def test_a_creation_that_makes_no_sense_is_refused(house: House, headers: dict[str, str], status: int) -> None:
    answer = begin(house, headers=headers)

    assert answer.status_code == status
    assert answer.headers["Tus-Resumable"] == "1.0.0"


def test_a_file_is_as_long_as_the_settings_let_it_be(house: House) -> None:
    parts = house.app.extensions["siby"]
    house.app.extensions["siby"] = replace(parts, settings=replace(parts.settings, file_mb=200))

    longest = begin(house, 200 * 2**20)
    longer = begin(house, 200 * 2**20 + 1)

    assert longest.status_code == 201
    assert longer.get_json()["details"] == {"max_bytes": 200 * 2**20}


def test_options_tell_what_is_spoken(house: House) -> None:
    answer = house.app.test_client().options(f"/v1/projects/{house.pid}/files")

    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert "checksum" in answer.headers["Tus-Extension"].split(",")
    assert answer.headers["Tus-Max-Size"] == str(100 * 2**20)


@pytest.mark.parametrize(
    ("content", "said", "told"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/jpeg", "image/png"),
        (b"\xff\xd8\xff\xe0....", "application/octet-stream", "image/jpeg"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "application/octet-stream", "image/webp"),
        (b"\0\0\0\x18ftypheic....", "application/octet-stream", "image/heic"),
        (b"GIF89a<script>", "text/html", "image/gif"),
        (b"\0\0\0\x18ftypmp42....", "application/octet-stream", "video/mp4"),
        (b"\0\0\0\x18ftypmp42....", "audio/mp4", "audio/mp4"),
        (b"#!AMR\n....", "application/octet-stream", "audio/amr"),
        (b"name,label\n", "text/csv", "text/csv"),
        (b"PK\3\4....", XLSX, XLSX),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "application/octet-stream"),
        (b"<html>", "text/html", "application/octet-stream"),
        (b"", "application/octet-stream", "application/octet-stream"),
    ],
)
def test_a_file_is_served_as_what_its_first_bytes_say_and_never_as_what_would_run(
    house: House, content: bytes, said: str, told: str
) -> None:
    house.amina.send(a_sale(1, photo="p.jpg"))
    path = f"forms/sale/submissions/{instance_id(1)}/attachments/p.jpg"
    shown(house.baraka.post(path, data=content, headers={"Content-Type": said}))

    got = house.baraka.get(path)

    assert (got.mimetype, got.get_data()) == (told, content)
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Disposition"].startswith("attachment")


def test_a_hostile_name_stays_a_name(house: House) -> None:
    name = '../../etc/"pass\r\nwd; é 李.html'
    photo = {"name": name, "sha256": SHA256, "size": len(PHOTO), "type": "text/html"}
    house.amina.send(a_sale(1) | {"attachments": [photo]})
    begin(house, headers=BYTES, data=PHOTO)

    listed = shown(house.baraka.get(f"forms/sale/submissions/{instance_id(1)}/attachments"))
    got = [
        house.baraka.get(f"forms/sale/submissions/{instance_id(1)}/attachments/{name}")
        for name in ("1699.jpg", *(file["name"] for file in listed if "/" not in file["name"]))
    ]

    assert all(answer.headers.get("Content-Type") != "text/html" for answer in got)


def test_without_room_nothing_is_promised(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with house.app.app_context():
        monkeypatch.setattr(current.store(), "reserve", 2**60)

    assert refused(begin(house)) == 507.1
    assert refused(house.amina.send(a_sale(1))) == 507.1
    assert house.baraka.get("review").status_code == 200
    assert house.app.test_client().post("/v1/sessions", json={}).status_code == 400


@pytest.fixture
def address(house: House) -> Iterator[str]:
    """The address of the app behind a real socket."""
    server = make_server("127.0.0.1", 0, house.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


def test_a_tus_client_of_others_can_send(house: House, address: str, tmp_path: Path) -> None:
    shown(house.amina.send(with_photo()))
    client = TusClient(f"{address}/v1/key/{house.amina.token}/projects/{house.pid}/files")

    uploader = client.uploader(
        file_stream=io.BytesIO(PHOTO), chunk_size=30_000, metadata={"sha256": SHA256, "name": "1699.jpg"}
    )
    uploader.upload_chunk()
    resumed = client.uploader(file_stream=io.BytesIO(PHOTO), chunk_size=30_000, url=uploader.url, upload_checksum=True)
    resumed.upload()

    assert resumed.offset == len(PHOTO)
    assert shown(house.amina.send(with_photo()))["receipts"][0]["missing"] == []
