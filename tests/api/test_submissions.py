"""Submissions by ODK's REST: listed, sent, edited, deleted, restored, with files, versions, differences and audits."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from server.db import session
from sync.accounts.audit import first_broken
from sync.models import Audit, Contribution
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, Voice, refused, shown

ALL = "forms/sale/submissions"
METADATA = {
    "instanceId",
    "submitterId",
    "createdAt",
    "updatedAt",
    "deletedAt",
    "deviceId",
    "userAgent",
    "reviewState",
    "instanceName",
    "currentVersion",
}
VERSION = {"instanceId", "instanceName", "submitterId", "deviceId", "userAgent", "createdAt", "current"}


def a_filled_form(name: str, sacks: int = 3, edits: str | None = None, more: str = "", form: str = "sale") -> bytes:
    deprecated = f"<deprecatedID>{edits}</deprecatedID>" if edits else ""
    meta = f"<meta><instanceID>{name}</instanceID>{deprecated}<instanceName>Sale {sacks}</instanceName></meta>"
    return (
        f'<data id="{form}" version="1"><day>2026-11-01</day><seller>Awa</seller><village>Siby</village>'
        f"<sacks>{sacks}</sacks>{more}{meta}</data>"
    ).encode()


def create(voice: Voice, name: str, **more: Any) -> Any:
    return voice.post(
        f"{ALL}?deviceID=collect:abc",
        data=a_filled_form(name, **more),
        headers={"Content-Type": "application/xml", "User-Agent": "script 1"},
    )


def edit(voice: Voice, root: str, name: str, edits: str | None, **more: Any) -> Any:
    return voice.put(
        f"{ALL}/{root}",
        data=a_filled_form(name, edits=edits, **more),
        headers={"Content-Type": "application/xml"},
    )


def test_a_posted_form_is_filed_and_shown_as_clients_expect_it(house: House) -> None:
    told = shown(create(house.amina, "uuid:1"))

    assert set(told) >= METADATA
    assert set(told["currentVersion"]) == VERSION
    assert (told["instanceId"], told["submitterId"]) == ("uuid:1", house.amina.actor_id)
    assert (told["deviceId"], told["userAgent"], told["instanceName"]) == ("collect:abc", "script 1", None)
    assert (told["reviewState"], told["deletedAt"], told["updatedAt"]) == (None, None, None)
    # pyODK puts `attachments` beside what it is told here.
    assert "attachments" not in told
    staff = shown(house.baraka.get(f"{ALL}?limit=1"))[0]
    assert (staff["instanceName"], staff["currentVersion"]["instanceName"]) == ("Sale 3", "Sale 3")


def test_a_name_of_a_device_that_no_index_holds_costs_no_visit(house: House) -> None:
    name = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(1000))
    headers = {"Content-Type": "application/xml"}

    told = shown(house.amina.post(f"{ALL}?deviceID={name}", data=a_filled_form("uuid:1"), headers=headers))

    assert told["deviceId"] == name[:333]


def test_an_instance_that_is_known_is_refused(house: House) -> None:
    create(house.amina, "uuid:1")

    assert refused(create(house.amina, "uuid:1")) == 409.3
    assert refused(create(house.baraka, "uuid:1", sacks=9)) == 409.3
    assert len(shown(house.baraka.get(ALL))) == 1
    assert shown(house.baraka.get("quarantine"))["count"] == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 400.1),
        (b"<data", 400.1),
        (b"\x00", 400.1),
        (a_filled_form("uuid:1", form="visit"), 400.8),
        (a_filled_form("uuid:1").replace(b'version="1"', b'version="7"'), 404.6),
        (a_filled_form("uuid:1", edits="uuid:0"), 404.5),
    ],
)
def test_a_body_that_cannot_be_filed_is_refused_with_its_code(house: House, body: bytes, code: float) -> None:
    assert refused(house.amina.post(ALL, data=body, headers={"Content-Type": "application/xml"})) == code


def test_a_form_without_an_id_is_filed_once(house: House) -> None:
    body = b'<data id="sale" version="1"><sacks>2</sacks></data>'

    first = shown(house.amina.post(ALL, data=body))
    second = house.amina.post(ALL, data=body)

    assert first["instanceId"].startswith("uuid:")
    assert refused(second) == 409.3


def test_the_list_is_newest_first_and_cut_as_asked(house: House) -> None:
    house.amina.send(*(a_sale(number) for number in range(1, 6)))
    house.amina.send(a_sale(6, edits=2), batch="b2")

    def names(query: str) -> list[int]:
        return [int(one["instanceId"][-2:]) for one in shown(house.baraka.get(f"{ALL}{query}"))]

    assert names("") == names("?limit=100") == [5, 4, 3, 2, 1]
    assert names("?limit=2") == [5, 4]
    assert names("?limit=2&offset=3") == names("?offset=3") == [2, 1]
    assert names("?limit=0") == names("?offset=9") == []
    second = shown(house.baraka.get(f"{ALL}?offset=3&limit=1"))[0]
    assert second["currentVersion"]["instanceId"] == instance_id(6)
    assert second["updatedAt"] is not None
    for number in (1, 2):
        whole = shown(house.baraka.get(f"{ALL}/{instance_id(number)}"))
        assert whole["updatedAt"] == shown(house.baraka.get(f"{ALL}?limit=10"))[-number]["updatedAt"]
    assert refused(house.baraka.get("forms/none/submissions")) == 404.1


def test_a_list_that_was_not_changed_is_not_sent_again(house: House) -> None:
    house.amina.send(a_sale(1))
    paths = (f"{ALL}?limit=10", ALL, f"{ALL}/{instance_id(1)}.xml")
    tags = {path: house.baraka.get(path).headers["ETag"] for path in paths}

    again = {path: house.baraka.get(path, headers={"If-None-Match": f"W/{tag}"}) for path, tag in tags.items()}

    assert {answer.status_code for answer in again.values()} == {304}
    assert house.baraka.get(ALL, headers={"X-Extended-Metadata": "true", "If-None-Match": tags[ALL]}).status_code == 200
    house.baraka.patch(f"{ALL}/{instance_id(1)}", json={"reviewState": "rejected"})
    for path in paths[:2]:
        changed = house.baraka.get(path, headers={"If-None-Match": tags[path]})
        assert shown(changed)[0]["reviewState"] == "rejected"


def test_the_tag_of_what_one_person_sees_is_not_another_ones(house: House) -> None:
    house.amina.send(a_sale(1))
    extended = {"X-Extended-Metadata": "true"}
    seen = house.baraka.get(ALL, headers=extended)
    to_coordinator = shown(seen)[0]

    to_viewer = shown(house.fanta.get(ALL, headers={**extended, "If-None-Match": seen.headers["ETag"]}))[0]

    assert [set(one) & {"submitter"} for one in (to_coordinator, to_viewer)] == [{"submitter"}, set()]


def test_extended_metadata_say_who(house: House) -> None:
    create(house.amina, "uuid:1")
    more = {"X-Extended-Metadata": "true"}

    listed = shown(house.baraka.get(ALL, headers=more))[0]
    one = shown(house.baraka.get(f"{ALL}/uuid:1", headers=more))
    version = shown(house.baraka.get(f"{ALL}/uuid:1/versions", headers=more))[0]

    for told in (listed, listed["currentVersion"], one, version):
        assert told["submitter"]["displayName"] == "Amina"
        assert told["submitter"]["type"] == "field_key"
    assert version["formVersion"] == "1"


def test_a_viewer_lists_what_there_is_but_not_what_it_is_called(house: House) -> None:
    create(house.amina, "uuid:1")

    told = shown(house.fanta.get(ALL, headers={"X-Extended-Metadata": "true"}))[0]

    assert told["instanceId"] == "uuid:1"
    assert told["instanceName"] is None
    assert told["currentVersion"]["instanceName"] is None
    assert "submitter" not in told
    assert house.fanta.get(f"{ALL}/uuid:1").status_code == 403


def test_who_sent_something_is_told_to_those_who_may_know(house: House) -> None:
    create(house.amina, "uuid:1")
    create(house.baraka, "uuid:2")

    told = shown(house.baraka.get(f"{ALL}/submitters"))

    assert [(one["displayName"], one["type"]) for one in told] == [("Amina", "field_key"), ("Baraka", "user")]
    assert shown(house.fanta.get(f"{ALL}/keys")) == []
    assert house.fanta.get(f"{ALL}/submitters").status_code == 403


def test_an_edit_becomes_the_current_version_and_a_version_asked_for_leads_to_its_place(house: House) -> None:
    create(house.amina, "uuid:1")

    told = shown(edit(house.baraka, "uuid:1", "uuid:2", "uuid:1", sacks=5))

    assert (told["instanceId"], told["currentVersion"]["instanceId"]) == ("uuid:1", "uuid:2")
    assert (told["reviewState"], told["instanceName"]) == ("edited", "Sale 5")
    assert house.baraka.get(f"{ALL}/uuid:1.xml").data == a_filled_form("uuid:2", 5, "uuid:1")
    assert house.baraka.get(f"{ALL}/uuid:1.xml").content_type == "application/xml"
    assert house.baraka.get(f"{ALL}/uuid:1/versions/uuid:1.xml").data == a_filled_form("uuid:1")
    base = f"http://localhost/v1/projects/{house.pid}/{ALL}/uuid%3A1/versions/uuid%3A2"
    for rest, there in (("", ""), (".xml", ".xml"), ("/attachments", "/attachments")):
        led = house.baraka.get(f"{ALL}/uuid:2{rest}")
        assert (led.status_code, led.headers["Location"]) == (302, base + there)
        assert house.baraka.get(led.headers["Location"].removeprefix("http://localhost")).status_code == 200
    version = shown(house.baraka.get(f"{ALL}/uuid:1/versions/uuid:2"))
    assert set(version) >= VERSION
    assert version["answers"]["sacks"] == 5
    assert refused(house.baraka.get(f"{ALL}/uuid:1/versions/uuid:3")) == 404.1


def test_an_edit_names_what_it_corrects(house: House) -> None:
    for name in ("uuid:1", "uuid:5"):
        create(house.amina, name)
    edit(house.baraka, "uuid:1", "uuid:2", "uuid:1")

    [act] = shown(house.sekou.get("/v1/audits?action=submission.edited"))
    assert act["details"]["instance"] == "uuid:2"
    assert refused(edit(house.baraka, "uuid:1", "uuid:3", None)) == 400.19
    assert refused(edit(house.baraka, "uuid:1", "uuid:3", "uuid:9")) == 404.5
    assert refused(edit(house.baraka, "uuid:1", "uuid:3", "uuid:5")) == 400.8
    assert refused(edit(house.baraka, "uuid:1", "uuid:3", "uuid:1")) == 409.9
    assert refused(edit(house.baraka, "uuid:1", "uuid:5", "uuid:2", sacks=8)) == 409.8
    assert refused(edit(house.baraka, "uuid:none", "uuid:3", "uuid:2")) == 404.1
    assert house.amina.put(f"{ALL}/uuid:1", data=a_filled_form("uuid:3", edits="uuid:2")).status_code == 403


def test_differences_are_told_version_by_version(house: House) -> None:
    create(house.amina, "uuid:1", more="<remark>sec</remark>")
    edit(house.baraka, "uuid:1", "uuid:2", "uuid:1", sacks=5, more="<photo>1.jpg</photo>")

    told = shown(house.baraka.get(f"{ALL}/uuid:1/diffs"))

    assert set(told) == {"uuid:2"}
    assert {(*one["path"], one["old"], one["new"]) for one in told["uuid:2"]} == {
        ("sacks", "3", "5"),
        ("remark", "sec", None),
        ("photo", None, "1.jpg"),
        ("meta", "instanceID", "uuid:1", "uuid:2"),
        ("meta", "deprecatedID", None, "uuid:1"),
        ("meta", "instanceName", "Sale 3", "Sale 5"),
    }


def test_everything_done_with_a_submission_is_in_its_audits(house: House) -> None:
    create(house.amina, "uuid:1")
    house.baraka.patch(f"{ALL}/uuid:1", json={"reviewState": "hasIssues"})
    edit(house.baraka, "uuid:1", "uuid:2", "uuid:1")
    house.baraka.post(f"{ALL}/uuid:1/comments", json={"body": "Good."})
    house.djeneba.delete(f"{ALL}/uuid:1")
    house.djeneba.post(f"{ALL}/uuid:1/restore")

    told = shown(house.baraka.get(f"{ALL}/uuid:1/audits", headers={"X-Extended-Metadata": "true"}))

    assert [one["action"] for one in told] == [
        "submission.restore",
        "submission.delete",
        "comment.create",
        "submission.update.version",
        "submission.update",
        "submission.create",
    ]
    assert [one["actor"]["displayName"] for one in told][-2:] == ["Baraka", "Amina"]
    assert told[4]["details"]["reviewState"] == "hasIssues"
    assert told[-1]["details"]["instanceId"] == "uuid:1"
    assert all({"actorId", "action", "acteeId", "details", "loggedAt"} <= set(one) for one in told)
    assert len(shown(house.baraka.get(f"{ALL}/uuid:1/audits?limit=2&offset=1"))) == 2


def test_a_deleted_submission_is_gone_until_it_is_restored(house: House) -> None:
    create(house.amina, "uuid:1")
    create(house.amina, "uuid:2")
    figure = "figures?indicator=sacks"
    before = shown(house.fanta.get(figure))["figures"]

    assert shown(house.djeneba.delete(f"{ALL}/uuid:1")) == {"success": True}

    assert refused(house.baraka.get(f"{ALL}/uuid:1")) == 404.1
    assert refused(house.djeneba.delete(f"{ALL}/uuid:1")) == 404.1
    assert refused(house.djeneba.post(f"{ALL}/uuid:2/restore")) == 404.1
    assert [one["instanceId"] for one in shown(house.baraka.get(ALL))] == ["uuid:2"]
    deleted = shown(house.baraka.get(f"{ALL}?deleted=true"))
    assert [(one["instanceId"], one["deletedAt"] is not None) for one in deleted] == [("uuid:1", True)]
    assert shown(house.fanta.get(figure))["figures"] != before
    changes = shown(house.fanta.get("figures/sacks/changes?from=0"))
    assert "rejected" in {cause["cause"] for cause in changes["causes"]}
    assert house.baraka.delete(f"{ALL}/uuid:2").status_code == 403

    assert shown(house.djeneba.post(f"{ALL}/uuid:1/restore")) == {"success": True}

    assert shown(house.fanta.get(figure))["figures"] == before
    assert shown(house.baraka.get(f"{ALL}/uuid:1"))["deletedAt"] is None
    with house.app.app_context():
        assert first_broken(session(), house.pid) is None
        actions = session().scalars(select(Audit.action).where(Audit.project_id == house.pid)).all()
        assert {"submission.deleted", "submission.restored"} <= set(actions)
        assert session().scalars(select(Contribution.closed).where(Contribution.closed.is_not(None))).all()


def test_files_are_put_listed_fetched_and_taken_away(house: House) -> None:
    create(house.amina, "uuid:1", more="<photo>1.jpg</photo>")
    path = f"{ALL}/uuid:1/attachments"
    assert [(one["name"], one["exists"]) for one in shown(house.baraka.get(path))] == [("1.jpg", False)]

    assert shown(house.amina.post(f"{path}/1.jpg", data=b"a photo", content_type="image/jpeg")) == {"success": True}

    file = house.baraka.get(f"{path}/1.jpg")
    assert (file.data, file.content_type) == (b"a photo", "image/jpeg")
    assert file.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in file.headers["Content-Security-Policy"]
    assert house.baraka.get(f"{path}/1.jpg", headers={"If-None-Match": file.headers["ETag"]}).status_code == 304
    assert shown(house.baraka.get(f"{ALL}/uuid:1"))["missing"] == 0
    assert refused(house.baraka.get(f"{path}/none.jpg")) == 404.1

    assert shown(house.baraka.delete(f"{path}/1.jpg")) == {"success": True}

    assert refused(house.baraka.get(f"{path}/1.jpg")) == 404.1
    assert refused(house.baraka.delete(f"{path}/1.jpg")) == 404.1
    assert shown(house.baraka.get(f"{ALL}/uuid:1"))["missing"] == 1
    audits = shown(house.baraka.get(f"{ALL}/uuid:1/audits"))
    assert [one["action"] for one in audits].count("submission.attachment.update") >= 2


def test_a_file_that_no_answer_names_is_called_so(house: House) -> None:
    create(house.amina, "uuid:1", more="<photo>1.jpg</photo>")
    path = f"{ALL}/uuid:1/attachments"

    for name in ("1.jpg", "2.jpg"):
        shown(house.baraka.post(f"{path}/{name}", data=name.encode(), content_type="image/jpeg"))

    assert {one["name"]: one["extra"] for one in shown(house.baraka.get(path))} == {"1.jpg": False, "2.jpg": True}


def test_a_file_whose_download_was_cut_goes_on_where_it_broke(house: House) -> None:
    create(house.amina, "uuid:1", more="<photo>1.jpg</photo>")
    path = f"{ALL}/uuid:1/attachments/1.jpg"
    photo = bytes(range(256)) * 1000
    house.amina.post(path, data=photo, content_type="image/jpeg")
    whole = house.baraka.get(path)

    rest = house.baraka.get(path, headers={"Range": "bytes=200000-", "If-Range": whole.headers["ETag"]})
    other = house.baraka.get(path, headers={"Range": "bytes=200000-", "If-Range": '"another"'})
    beyond = house.baraka.get(path, headers={"Range": "bytes=256000-"})

    assert (whole.status_code, whole.data, whole.headers["Accept-Ranges"]) == (200, photo, "bytes")
    assert (rest.status_code, rest.data) == (206, photo[200000:])
    assert rest.headers["Content-Range"] == "bytes 200000-255999/256000"
    assert rest.headers["Content-Disposition"].startswith("attachment")
    assert (other.status_code, other.data) == (200, photo)
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */256000")


def test_the_staff_may_replace_a_file_and_a_collector_only_adds_to_what_is_hers(house: House) -> None:
    create(house.amina, "uuid:1", more="<photo>1.jpg</photo>")
    create(house.baraka, "uuid:2", more="<photo>1.jpg</photo>")
    mine, his = f"{ALL}/uuid:1/attachments/1.jpg", f"{ALL}/uuid:2/attachments/1.jpg"

    assert house.amina.post(mine, data=b"first").status_code == 200
    assert house.amina.post(mine, data=b"first").status_code == 200
    assert refused(house.amina.post(mine, data=b"second")) == 409.3
    assert refused(house.amina.post(his, data=b"first")) == 404.1
    assert house.baraka.post(mine, data=b"second").status_code == 200

    assert house.baraka.get(mine).data == b"second"
    sha256 = hashlib.sha256(b"first").hexdigest()
    replaced = shown(house.baraka.get(f"{ALL}/uuid:1/audits"))[0]
    assert replaced["details"]["before"] == sha256


def test_a_file_that_the_answers_do_not_name_is_kept_as_well(house: House) -> None:
    create(house.amina, "uuid:1")
    path = f"{ALL}/uuid:1/attachments"

    house.amina.post(f"{path}/notes.txt", data=b"by hand", content_type="text/plain")
    listed = shown(house.baraka.get(path))
    house.baraka.delete(f"{path}/notes.txt")

    assert [(one["name"], one["exists"]) for one in listed] == [("notes.txt", True)]
    assert shown(house.baraka.get(path)) == []


def test_a_packed_file_stays_as_it_is(house: House) -> None:
    create(house.amina, "uuid:1")
    path = f"{ALL}/uuid:1/attachments/tracks.csv.gz"

    house.amina.post(path, data=b"\x1f\x8b not unpacked", headers={"Content-Encoding": "gzip"})

    assert house.baraka.get(path).data == b"\x1f\x8b not unpacked"


def test_each_version_has_its_files(house: House) -> None:
    create(house.amina, "uuid:1", more="<photo>1.jpg</photo>")
    house.amina.post(f"{ALL}/uuid:1/attachments/1.jpg", data=b"a photo")
    edit(house.baraka, "uuid:1", "uuid:2", "uuid:1", more="<photo>2.jpg</photo>")
    at = f"{ALL}/uuid:1/versions"

    assert [one["name"] for one in shown(house.baraka.get(f"{at}/uuid:1/attachments"))] == ["1.jpg"]
    assert house.baraka.get(f"{at}/uuid:1/attachments/1.jpg").data == b"a photo"
    assert [one["name"] for one in shown(house.baraka.get(f"{at}/uuid:2/attachments"))] == ["2.jpg"]
    assert refused(house.baraka.get(f"{at}/uuid:2/attachments/1.jpg")) == 404.1


@pytest.mark.parametrize("name", ["a/b", "http://openrosa.org/1?x=y#z", "Siby %2F karité", "..", "a.xml/versions/b"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_id_or_name_with_any_signs_is_reached(house: House, name: str) -> None:
    xml = a_filled_form(name.replace("&", "&amp;"))
    assert shown(house.amina.post(ALL, data=xml))["instanceId"] == name
    path = f"{ALL}/{quote(name, safe='')}"
    file = f"{path}/attachments/{quote('a folder/é 1.jpg', safe='')}"

    assert shown(house.baraka.get(path))["instanceId"] == name
    assert house.baraka.get(f"{path}.xml").data == xml
    assert shown(house.baraka.get(f"{path}/versions/{quote(name, safe='')}"))["instanceId"] == name
    assert house.amina.post(file, data=b"1").status_code == 200
    assert house.baraka.get(file).data == b"1"
    assert shown(house.baraka.get(f"{path}/attachments"))[0]["name"] == "a folder/é 1.jpg"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_there_is_a_web_form_to_edit_with_only_where_one_is_set(house: House) -> None:
    create(house.amina, "uuid:1")

    assert refused(house.baraka.get(f"{ALL}/uuid:1/edit")) == 501.1
    assert refused(house.baraka.get(f"{ALL}/uuid:2/edit")) == 404.1


def test_what_was_said_comes_in_parts(house: House) -> None:
    create(house.amina, "uuid:1")
    for body in ("one", "two", "three"):
        house.baraka.post(f"{ALL}/uuid:1/comments", json={"body": body})

    told = shown(house.baraka.get(f"{ALL}/uuid:1/comments?limit=1&offset=1", headers={"X-Extended-Metadata": "true"}))

    assert [(one["body"], one["actor"]["displayName"]) for one in told] == [("two", "Baraka")]


def test_of_eight_equal_posts_at_once_one_is_filed(house: House) -> None:
    start = Barrier(8)

    def post(_number: int) -> int:
        voice = Voice(house.app.test_client(), house.amina.token, house.amina.actor_id, house.pid)
        start.wait()
        return create(voice, "uuid:1").status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(post, range(8)))

    assert statuses == [200] + [409] * 7
    assert len(shown(house.baraka.get(ALL))) == 1


def test_a_long_list_is_whole(house: House) -> None:
    for start in range(0, 2100, 300):
        house.amina.send(*(a_sale(number) for number in range(start, start + 300)), batch=f"b{start}")

    told = shown(house.baraka.get(ALL))

    assert len({one["instanceId"] for one in told}) == len(told) == 2100
    assert [one["instanceId"] for one in told[-2:]] == [instance_id(1), instance_id(0)]
    assert len(shown(house.baraka.get(f"{ALL}?limit=1500&offset=1000"))) == 1100
