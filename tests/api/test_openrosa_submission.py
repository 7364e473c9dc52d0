"""Filled forms through the door of ODK Collect, over the application itself: the decision table, line by line."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
import uuid

import pytest
from sqlalchemy import select

from server.db import session
from server.openrosa import receipts
from sync.accounts.people import add_public_link
from sync.indicators.recount import verify_portion
from sync.intake.prepare import unpack
from sync.journal import open_journal
from sync.models import (
    Actor,
    Attachment,
    DraftSubmission,
    Form,
    Project,
    Quarantined,
    StoredFile,
    Submission,
    SubmissionVersion,
)
from sync.models.database import begin_writing
from tests.support.collect import (
    AGENT,
    Collect,
    Filled,
    Heard,
    a_filled_sale,
    a_part,
    is_rfc_1123,
    joined,
    multipart,
    sha256_of,
    through,
)
from tests.support.projects import NOON, a_sale
from tests.support.web import PASSWORD, House, shown

PHOTO, OTHER = b"\xff\xd8photo" * 100, b"\xff\xd8other" * 100


def a_tablet(house: House, name: str = "Amina") -> Collect:
    """The app, set up with the token of somebody of the house in the address."""
    voice = house.voices[name]
    return Collect(through(voice.client.open), f"/v1/key/{voice.token}/projects/{house.pid}")


def stored(house: House) -> list[Submission]:
    with house.app.app_context():
        return list(session().scalars(select(Submission).order_by(Submission.id)))


def attachments(house: House, instance: int | None = None) -> dict[str, Attachment]:
    """By name, of one instance or of all."""
    with house.app.app_context():
        query = select(Attachment).order_by(Attachment.instance_id, Attachment.name)
        if instance is not None:
            query = query.where(Attachment.instance_id == f"uuid:{uuid.UUID(int=instance)}")
        return {row.name: row for row in session().scalars(query)}


def quarantine(house: House) -> list[Quarantined]:
    with house.app.app_context():
        return list(session().scalars(select(Quarantined).order_by(Quarantined.id)))


def change_form(house: House, **values: object) -> None:
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        form = session().get_one(Form, (house.pid, "sale"))
        for name, value in values.items():
            setattr(form, name, value)
        journal.close()
        session().commit()


# The door.


def test_the_door_tells_how_much_may_be_sent_at_once(house: House) -> None:
    heard = a_tablet(house).head()

    assert (heard.status, heard.body) == (204, b"")
    assert heard.headers["x-openrosa-accept-content-length"] == "10000000"
    assert heard.headers["x-openrosa-version"] == "1.0"
    assert heard.headers["content-type"] == "text/xml; charset=utf-8"
    assert is_rfc_1123(heard.headers["date"])
    assert heard.headers["content-language"]


def test_every_way_to_the_door_leads_to_it(house: House) -> None:
    amina, sale = house.amina, a_filled_sale()
    ways: list[tuple[str, dict[str, str]]] = [
        (f"/v1/key/{amina.token}/projects/{house.pid}/submission", {}),
        (f"/v1/projects/{house.pid}/submission?st={amina.token}", {}),
        (f"/v1/projects/{house.pid}/submission", {"Authorization": f"Bearer {amina.token}"}),
        ("/submission", {"Authorization": f"Bearer {amina.token}"}),
        (f"/submission?st={amina.token}", {}),
    ]
    basic = base64.b64encode(f"baraka@example.org:{PASSWORD}".encode()).decode()
    ways += [
        (path, {"Authorization": f"Basic {basic}"}) for path in ("/submission", f"/v1/projects/{house.pid}/submission")
    ]
    body, kind = multipart(sale, {})
    client = house.app.test_client()

    for path, headers in ways:
        assert client.head(path, headers=headers).status_code == 204, path
        answer = client.post(path, headers=headers, data=body, content_type=kind)
        assert answer.status_code in (201, 202), (path, answer.get_data())
    assert len(stored(house)) == 1


def test_who_is_not_let_in_hears_it_as_openrosa(house: House) -> None:
    client = house.app.test_client()
    body, kind = multipart(a_filled_sale(), {})
    unknown = "siby_" + "x" * 43

    for path, status in (
        ("/submission", 401),
        (f"/v1/projects/{house.pid}/submission", 401),
        (f"/v1/key/{unknown}/projects/{house.pid}/submission", 403),
        (f"/v1/key/nonsense/projects/{house.pid}/submission", 401),
        (f"/v1/key/{house.fanta.token}/projects/{house.pid}/submission", 403),
        (f"/v1/key/{house.coumba.token}/projects/{house.pid}/submission", 404),
    ):
        answer = client.post(path, data=body, content_type=kind)
        assert answer.status_code == status, path
        assert b'<message nature="error">' in answer.data
        assert answer.headers["X-OpenRosa-Version"] == "1.0"
        assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
        assert (status == 401) == ("WWW-Authenticate" in answer.headers), path
    assert stored(house) == []


def test_a_page_of_another_site_cannot_post_with_somebodys_cookie(house: House) -> None:
    client = house.app.test_client()
    answer = client.post("/v1/sessions", json={"email": "baraka@example.org", "password": PASSWORD})
    assert answer.status_code == 200
    body, kind = multipart(a_filled_sale(), {})
    path = f"/v1/projects/{house.pid}/submission"

    assert client.post(path, data=body, content_type=kind).status_code == 403
    evil = {"Origin": "https://elsewhere.example", "X-OpenRosa-Version": "1.0"}
    assert client.post(path, data=body, content_type=kind, headers=evil).status_code == 403
    assert client.post(path, data=body, content_type=kind, headers={"X-OpenRosa-Version": "1.0"}).status_code == 201


def test_a_user_of_several_projects_has_to_say_which(house: House) -> None:
    answer = house.app.test_client().head("/submission", headers={"Authorization": f"Bearer {house.sekou.token}"})

    assert answer.status_code == 400


# The decision table.


def test_a_form_is_stored_and_the_same_again_is_acknowledged(house: House) -> None:
    tablet = a_tablet(house)

    first, again = tablet.post(a_filled_sale()), tablet.post(a_filled_sale())

    assert (first.status, again.status) == (201, 202), first.body
    (row,) = stored(house)
    assert (row.device, row.user_agent) == (tablet.device, AGENT)
    with house.app.app_context():
        version = session().scalars(select(SubmissionVersion)).one()
        assert unpack(version.xml) == a_filled_sale()
        assert version.user_agent == AGENT


def test_photos_of_two_posts_come_together_in_any_order(house: House) -> None:
    tablet = a_tablet(house)
    sale = a_filled_sale(photo="a.jpg", remark="x")

    only_extra = tablet.post(sale, {"b.jpg": OTHER})
    assert only_extra.message.startswith("Received. Missing: a.jpg.")
    assert stored(house)[0].missing == 1
    last = tablet.post(sale, {"a.jpg": PHOTO})

    assert (only_extra.status, last.status) == (201, 201)
    (row,) = stored(house)
    assert row.missing == 0
    found = attachments(house)
    assert {name: (file.sha256, file.present, file.extra) for name, file in found.items()} == {
        "a.jpg": (sha256_of(PHOTO), True, False),
        "b.jpg": (sha256_of(OTHER), True, True),
    }


def test_a_photo_that_another_form_waits_for_is_here_for_both_and_for_one_after_them(house: House) -> None:
    photo = {"name": "1.jpg", "sha256": sha256_of(PHOTO), "size": len(PHOTO), "type": "image/jpeg"}
    house.amina.send(a_sale(1, photo="1.jpg") | {"attachments": [photo]})
    assert [row.missing for row in stored(house)] == [1]

    for number in (2, 3):
        assert a_tablet(house).post(a_filled_sale(number, photo="a.jpg"), {"a.jpg": PHOTO}).status == 201

    assert [row.missing for row in stored(house)] == [0, 0, 0]
    assert all(file.present for file in attachments(house).values())


def test_more_photos_than_are_looked_for_ahead_are_kept_and_known_again(house: House) -> None:
    photos = {f"{number}.jpg": PHOTO + bytes([number]) for number in range(6)}

    for number in (1, 2):
        assert a_tablet(house).post(a_filled_sale(number, photo="0.jpg"), photos).status == 201

    assert [row.missing for row in stored(house)] == [0, 0]
    with house.app.app_context():
        assert {file.sha256 for file in session().scalars(select(StoredFile))} == {*map(sha256_of, photos.values())}


def test_the_second_post_alone_files_the_form_too(house: House) -> None:
    tablet = a_tablet(house)
    sale = a_filled_sale(photo="a.jpg")

    assert tablet.post(sale, {"a.jpg": PHOTO}).status == 201
    assert tablet.post(sale, {}, more=True).status == 202
    assert stored(house)[0].missing == 0


def test_what_is_announced_as_not_all_is_complete_only_after_the_rest(house: House) -> None:
    tablet = a_tablet(house)
    sale = a_filled_sale(photo="a.jpg")

    tablet.post(sale, {"a.jpg": PHOTO}, more=True)
    assert (stored(house)[0].missing, stored(house)[0].more_to_come) == (1, True)
    tablet.post(sale, {"a.jpg": PHOTO}, more=True)
    assert stored(house)[0].more_to_come
    tablet.post(sale, {"sound.m4a": OTHER})

    assert (stored(house)[0].missing, stored(house)[0].more_to_come) == (0, False)


def test_a_form_with_another_byte_is_a_conflict_that_loses_nothing(house: House) -> None:
    tablet = a_tablet(house)
    tablet.post(a_filled_sale(sacks=4))

    heard = tablet.post(a_filled_sale(sacks=5, photo="p.jpg"), {"p.jpg": PHOTO})

    assert (heard.status, heard.nature) == (409, "error")
    assert heard.message.endswith("Both are kept; the office decides.")
    (parked,) = quarantine(house)
    assert unpack(parked.raw) == a_filled_sale(sacks=5, photo="p.jpg")
    assert parked.envelope["attachments"][0]["sha256"] == sha256_of(PHOTO)
    with house.app.app_context():
        assert session().get(StoredFile, (house.pid, sha256_of(PHOTO))) is not None


def test_other_white_space_or_another_encoding_is_no_other_content(house: House) -> None:
    tablet = a_tablet(house)
    tablet.post(a_filled_sale(seller="Aïssata"))

    rewritten = a_filled_sale(seller="Aïssata").decode().replace("<sacks>", "\n <sacks>")
    utf16 = rewritten.replace("<?xml version='1.0' ?>", "").encode("utf-16")

    assert [tablet.post(rewritten.encode()).status, tablet.post(utf16).status] == [202, 202]


def test_a_chain_of_edits(house: House) -> None:
    tablet = a_tablet(house)
    a, b, c = a_filled_sale(1), a_filled_sale(2, edits=1, sacks=5, photo="b.jpg"), a_filled_sale(3, edits=2, sacks=6)

    assert [tablet.post(xml).status for xml in (a, b)] == [201, 201]
    assert tablet.post(b, {"b.jpg": PHOTO}).status == 201, "its files may still come"
    assert tablet.post(c).status == 201
    late = tablet.post(b, {"late.jpg": OTHER})
    assert late.status == 409, "b has been corrected meanwhile"
    assert attachments(house, 2)["late.jpg"].present, "and yet the file is kept"
    assert tablet.post(b, {"late.jpg": OTHER}).status == 202, "so that it need not be sent for ever"
    assert tablet.post(a_filled_sale(4, edits=1, sacks=7)).status == 409, "an edit of a after b"

    assert [tablet.post(xml).status for xml in (a, b, c)] == [202, 202, 202]
    (row,) = stored(house)
    assert (row.versions, row.current_instance_id) == (3, f"uuid:{uuid.UUID(int=3)}")
    assert [parked.reason for parked in quarantine(house)] == ["conflict"]


def test_files_are_carried_over_to_an_edit_and_late_ones_too(house: House) -> None:
    tablet = a_tablet(house)
    first = a_filled_sale(1, photo="a.jpg")
    tablet.post(first)
    tablet.post(a_filled_sale(2, edits=1, photo="a.jpg", sacks=5))
    assert stored(house)[0].missing == 1

    late = tablet.post(first, {"a.jpg": PHOTO})

    assert late.status == 201
    assert stored(house)[0].missing == 0
    assert attachments(house, 2)["a.jpg"].sha256 == sha256_of(PHOTO)
    tablet.post(a_filled_sale(3, edits=2, photo="a.jpg", sacks=6))
    assert attachments(house, 3)["a.jpg"].present


def test_an_edit_of_something_unknown_waits_for_it(house: House) -> None:
    tablet = a_tablet(house)

    assert tablet.post(a_filled_sale(2, edits=1, sacks=9)).status == 404
    assert tablet.post(a_filled_sale(1)).status == 201
    assert tablet.post(a_filled_sale(2, edits=1, sacks=9)).status == 202

    (row,) = stored(house)
    assert row.versions == 2


def test_an_edit_may_not_take_the_id_of_another_form(house: House) -> None:
    tablet = a_tablet(house)
    tablet.post(a_filled_sale(1))
    tablet.post(a_filled_sale(2))

    assert tablet.post(a_filled_sale(2, edits=1, sacks=9)).status == 409


def test_a_deleted_form_is_still_acknowledged_and_another_under_its_id_is_not_taken(house: House) -> None:
    tablet = a_tablet(house)
    tablet.post(a_filled_sale(1))
    with house.app.app_context():
        begin_writing(session())
        session().scalars(select(Submission)).one().deleted_at = NOON
        session().commit()

    assert tablet.post(a_filled_sale(1)).status == 202
    heard = tablet.post(a_filled_sale(1, sacks=5))

    assert (heard.status, heard.nature) == (409, "error")
    assert "deleted" in heard.message
    assert len(quarantine(house)) == 1


def test_whoever_corrects_what_was_deleted_hears_of_it_and_the_correction_comes_back_with_it(house: House) -> None:
    tablet = a_tablet(house)
    tablet.post(a_filled_sale(1))
    at = f"forms/sale/submissions/uuid:{uuid.UUID(int=1)}"
    shown(house.djeneba.delete(at))

    heard = tablet.post(a_filled_sale(2, edits=1, sacks=9))
    shown(house.djeneba.post(f"{at}/restore"))

    assert (heard.status, heard.message) == (201, "Correction received, but the office has deleted what it corrects.")
    assert shown(house.baraka.get(at))["currentVersion"]["instanceId"] == f"uuid:{uuid.UUID(int=2)}"
    assert tablet.post(a_filled_sale(2, edits=1, sacks=9)).message.startswith("Already received.")


def test_unknown_forms_and_versions_are_said_no_to_and_kept(house: House) -> None:
    tablet = a_tablet(house)

    assert tablet.post(a_filled_sale(1, form="census")).status == 404
    heard = tablet.post(a_filled_sale(2, version="7"))
    assert (heard.status, heard.message.partition(". ")[2]) == (404, "The submission is kept; the office sees to it.")

    assert [parked.reason for parked in quarantine(house)] == ["unknown_form", "unknown_version"]
    assert [unpack(parked.raw) for parked in quarantine(house)] == [
        a_filled_sale(1, form="census"),
        a_filled_sale(2, version="7"),
    ]


@pytest.mark.parametrize("waits_for", ["version", "form", "original"])
def test_photos_of_what_waits_come_together_from_several_posts(house: House, waits_for: str) -> None:
    tablet = a_tablet(house)
    sale = a_filled_sale(2, photo="a.jpg", version="2" if waits_for == "version" else "1")
    if waits_for == "original":
        sale = a_filled_sale(2, photo="a.jpg", edits=1)
    if waits_for == "form":
        change_form(house, state="closed")

    tablet.post(sale, {"b.jpg": OTHER}, more=True)
    tablet.post(sale, {"a.jpg": PHOTO})
    tablet.post(sale, {"a.jpg": PHOTO})

    if waits_for == "version":
        house.djeneba.post("forms/sale/draft")
        shown(house.djeneba.post("forms/sale/draft/publish?version=2"))
    elif waits_for == "original":
        tablet.post(a_filled_sale(1))
    else:
        change_form(house, state="open")
        (parked,) = shown(house.baraka.get("quarantine"))["items"]
        shown(house.baraka.post(f"quarantine/{parked['id']}/resolve", json={"action": "retry"}))
    files = attachments(house, 2)
    assert {name: (row.present, row.extra) for name, row in files.items()} == {
        "a.jpg": (True, False),
        "b.jpg": (True, True),
    }
    assert (stored(house)[0].missing, stored(house)[0].more_to_come) == (0, False)


def test_a_form_is_taken_as_it_is_and_not_as_the_process_last_saw_it(house: House) -> None:
    tablet = a_tablet(house)
    for number in (1, 2):  # from the second on, what was seen of the form may be recalled
        assert tablet.post(a_filled_sale(number)).status == 201
    change_form(house, deleted_at=NOON)
    assert tablet.post(a_filled_sale(3, photo="a.jpg"), {"a.jpg": PHOTO}).status == 404
    change_form(house, deleted_at=None)
    assert tablet.post(a_filled_sale(4, photo="b.jpg"), {"b.jpg": OTHER}).status == 201
    with house.app.app_context():
        begin_writing(session())
        session().get_one(Project, house.pid).time_zone = "Pacific/Kiritimati"
        session().commit()
    assert tablet.post(a_filled_sale(5, start="2026-11-01T23:30:00.000+00:00")).status == 201

    assert [parked.reason for parked in quarantine(house)] == ["unknown_form"]
    assert [one.missing for one in stored(house)] == [0] * 4
    with house.app.app_context():
        assert verify_portion(session(), house.pid, 0).differences == []


def test_a_closed_form_takes_nothing_new_and_acknowledges_what_it_has(house: House) -> None:
    tablet = a_tablet(house)
    tablet.post(a_filled_sale(1, photo="a.jpg"))
    change_form(house, state="closed")

    closed = tablet.post(a_filled_sale(2))
    assert (closed.status, closed.message.partition(";")[0]) == (
        409,
        "The form takes no submissions now. This one is kept",
    )
    assert tablet.post(a_filled_sale(1, photo="a.jpg"), {"a.jpg": PHOTO}).status == 201
    change_form(house, state="closing")
    assert tablet.post(a_filled_sale(3)).status == 201

    assert [parked.reason for parked in quarantine(house)] == ["form_closed"]
    assert stored(house)[0].missing == 0


def test_a_closed_form_acknowledges_what_a_coordinator_made_an_edit_of(house: House) -> None:
    tablet, other = a_tablet(house), a_filled_sale(1, sacks=9, photo="a.jpg")
    tablet.post(a_filled_sale(1, sacks=4))
    tablet.post(other)
    (conflict,) = quarantine(house)
    shown(house.baraka.post(f"quarantine/{conflict.id}/resolve", json={"action": "accept_as_edit"}))
    change_form(house, state="closed")

    assert tablet.post(other, {"a.jpg": PHOTO}).status == 201

    assert [one.versions for one in stored(house)] == [2]
    assert stored(house)[0].missing == 0
    assert [parked.state for parked in quarantine(house)] == ["resolved"]


def test_a_form_without_an_id_is_recognised_by_its_content(house: House) -> None:
    tablet = a_tablet(house)
    sale = a_filled_sale(instance_id="")

    assert [tablet.post(sale).status, tablet.post(sale).status] == [201, 202]
    assert len(stored(house)) == 1


def test_devices_of_chosen_forms_and_strangers(house: House) -> None:
    with house.app.app_context():
        begin_writing(session())
        session().get_one(Actor, house.amina.actor_id).assigned_only = True
        _, link = add_public_link(session(), house.pid, "sale", "Everybody", False, NOON)
        session().commit()
    stranger = Collect(through(house.app.test_client().open), f"/v1/key/{link.token}/projects/{house.pid}")

    refused = a_tablet(house).post(a_filled_sale(1))
    assert (refused.status, b"kept" in refused.body or "gardé".encode() in refused.body) == (404, True)
    assert [parked.reason for parked in quarantine(house)] == ["not_allowed"]
    assert stranger.post(a_filled_sale(2)).status == 201
    refused = stranger.post(a_filled_sale(3, form="census"))
    assert (refused.status, b"kept" in refused.body or "gardé".encode() in refused.body) == (404, False)
    assert stranger.post(b"<cut").status == 400
    assert len(quarantine(house)) == 1, "of strangers only answers are kept"


# Files.


def test_another_file_under_a_known_name_replaces_nothing_and_is_not_lost(house: House) -> None:
    tablet = a_tablet(house)
    sale = a_filled_sale(photo="a.jpg")
    tablet.post(sale, {"a.jpg": PHOTO})

    assert tablet.post(sale, {"a.jpg": OTHER}).status == 201
    assert tablet.post(sale, {"a.jpg": OTHER}).status == 202

    found = attachments(house)
    rival = f"a~{sha256_of(OTHER)[:8]}.jpg"
    assert {name: (file.sha256, file.rival_of) for name, file in found.items()} == {
        "a.jpg": (sha256_of(PHOTO), None),
        rival: (sha256_of(OTHER), "a.jpg"),
    }
    assert found[rival].present
    assert stored(house)[0].missing == 0
    shown = house.baraka.get(
        f"/v1/projects/1/forms/sale/submissions/{stored(house)[0].instance_id}/attachments"
    ).get_json()
    assert {file["name"]: file["rivalOf"] for file in shown} == {"a.jpg": None, rival: "a.jpg"}


def test_a_rival_is_flagged_for_whoever_reviews_until_it_is_taken_away_or_the_visit_corrected(house: House) -> None:
    tablet = a_tablet(house)
    sale = a_filled_sale(photo="a.jpg")
    tablet.post(sale, {"a.jpg": PHOTO})
    told = tablet.post(sale, {"a.jpg": OTHER})

    assert "beside" in told.body.decode() or "à côté" in told.body.decode()
    [waiting] = house.baraka.get("review?state=flagged").get_json()["submissions"]
    rival = f"a~{sha256_of(OTHER)[:8]}.jpg"
    assert [flag["code"] for flag in waiting["flags"]] == ["rival_file"]
    assert rival in waiting["flags"][0]["message"]
    with house.app.app_context():
        assert verify_portion(session(), house.pid, 0).differences == []

    path = f"forms/sale/submissions/{waiting['instance_id']}"
    assert house.baraka.delete(f"{path}/attachments/{rival}").status_code == 200
    assert house.baraka.get("review?state=flagged").get_json()["submissions"] == []
    assert tablet.post(sale, {"a.jpg": OTHER}).status == 201
    [flagged] = house.baraka.get("review?state=flagged").get_json()["submissions"]
    assert flagged["event"] > waiting["event"]


def test_a_file_that_nothing_asked_for_is_not_called_what_was_missing(house: House) -> None:
    tablet = a_tablet(house)
    sale = a_filled_sale(photo="a.jpg")
    tablet.post(sale)

    extra = tablet.post(sale, {"b.jpg": OTHER}).body.decode()
    missing = tablet.post(sale, {"a.jpg": PHOTO, "c.jpg": OTHER}).body.decode()

    assert "Reçu aussi" in extra or "Received too" in extra
    assert "ce qui manquait" in missing or "what was missing" in missing


def test_a_batch_that_announces_another_file_under_a_known_name_loses_neither(house: House) -> None:
    a_tablet(house).post(a_filled_sale(photo="a.jpg"), {"a.jpg": PHOTO})
    item = {
        "xml": a_filled_sale(photo="a.jpg").decode(),
        "attachments": [{"name": "a.jpg", "sha256": sha256_of(OTHER), "size": len(OTHER)}],
    }

    (receipt,) = house.amina.send(item).get_json()["receipts"]

    assert (receipt["outcome"], receipt["missing"]) == ("duplicate", [sha256_of(OTHER)])
    assert attachments(house)["a.jpg"].sha256 == sha256_of(PHOTO)
    assert attachments(house)[f"a~{sha256_of(OTHER)[:8]}.jpg"].rival_of == "a.jpg"


@pytest.mark.parametrize(
    "header",
    [
        'name="été à Kéniéba.jpg"; filename="été à Kéniéba.jpg"',
        'name="file1"; filename="été à Kéniéba.jpg"',
        'name="été à Kéniéba.jpg"; filename="blob"',
        'name="file1"; filename="x.jpg"; filename*=UTF-8\'\'%C3%A9t%C3%A9%20%C3%A0%20K%C3%A9ni%C3%A9ba.jpg',
        'name="' + "été à Kéniéba.jpg".encode().decode("latin-1") + '"; filename="x"',
        'name="file1"; filename="C:\\photos\\été à Kéniéba.jpg"',
        'name="f"; filename="/sdcard/e\u0301te\u0301 a\u0300 Ke\u0301nie\u0301ba.jpg"',
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_french_file_name_survives_however_it_is_sent(house: House, header: str) -> None:
    sale = a_filled_sale(photo="été à Kéniéba.jpg")
    parts = [a_part("xml_submission_file", sale, "text/xml", "x.xml")]
    parts.append(f"Content-Disposition: form-data; {header}\r\nContent-Type: image/jpeg\r\n\r\n".encode() + PHOTO)
    client = house.amina.client

    answer = client.post(
        f"/v1/key/{house.amina.token}/projects/{house.pid}/submission",
        data=joined(parts, "xxx"),
        content_type="multipart/form-data; boundary=xxx",
    )

    assert answer.status_code == 201
    assert {name: file.sha256 for name, file in attachments(house).items()} == {"été à Kéniéba.jpg": sha256_of(PHOTO)}


def test_the_app_splits_what_is_longer_than_advised(house: House) -> None:
    tablet = a_tablet(house)
    photos = {f"{number}.jpg": bytes([number]) * 600_000 for number in range(3)}
    with house.app.app_context():
        begin_writing(session())
        actor = session().get_one(Actor, house.amina.actor_id)
        actor.link_bytes, actor.link_at = 1_000_000, dt.datetime.now(dt.UTC)
        session().commit()

    assert tablet.send(Filled(a_filled_sale(photo="0.jpg"), photos))

    assert len(tablet.messages) == 3
    assert set(attachments(house)) == set(photos)
    assert stored(house)[0].missing == 0


# Encrypted forms.

ENCRYPTED = b"""<data id="sale" version="1" encrypted="yes" xmlns="http://www.opendatakit.org/xforms/encrypted">
<base64EncryptedKey>c2VjcmV0</base64EncryptedKey>
<orx:meta xmlns:orx="http://openrosa.org/xforms"><orx:instanceID>uuid:12</orx:instanceID></orx:meta>
<media><file>a.jpg.enc</file></media><encryptedXmlFile>submission.xml.enc</encryptedXmlFile>
<base64EncryptedElementSignature>c2lnbmVk</base64EncryptedElementSignature></data>"""


def test_an_encrypted_form_is_kept_unread_and_complete_with_every_file_only(house: House) -> None:
    tablet = a_tablet(house)

    assert tablet.post(ENCRYPTED, {"submission.xml.enc": OTHER}).status == 201
    assert stored(house)[0].missing == 1
    assert tablet.post(ENCRYPTED, {"a.jpg.enc": PHOTO}).status == 201

    (row,) = stored(house)
    assert row.missing == 0
    with house.app.app_context():
        version = session().scalars(select(SubmissionVersion)).one()
        assert (version.answers, version.encrypted_key) == (None, "c2VjcmV0")
        assert unpack(version.xml) == ENCRYPTED


def test_an_encrypted_form_needs_an_id(house: House) -> None:
    nameless = ENCRYPTED.replace(b"<orx:instanceID>uuid:12</orx:instanceID>", b"")

    assert a_tablet(house).post(nameless).status == 400
    assert len(quarantine(house)) == 1


# Receipts.


def test_the_receipt_speaks_the_language_of_the_tablets_user(house: House) -> None:
    tablet = a_tablet(house)
    heard = {}
    for number, language in enumerate(("fr", "en", "bm"), 1):
        with house.app.app_context():
            begin_writing(session())
            session().get_one(Actor, house.amina.actor_id).language = language
            session().commit()
        heard[language] = tablet.post(a_filled_sale(number, photo="a.jpg"))

    assert heard["fr"].message == "Reçu. Manque : a.jpg. Aujourd’hui : 1."
    assert heard["en"].message == "Received. Missing: a.jpg. Today: 2."
    assert heard["bm"].message == "A sera. Nin ma se fɔlɔ: a.jpg. Bi: 3."
    assert [answer.headers["content-language"] for answer in heard.values()] == ["fr", "en", "bm"]
    conflict = tablet.post(a_filled_sale(1, sacks=99))
    assert conflict.message.startswith("Un envoi avec ce numéro")


def test_the_receipt_says_how_many_have_to_be_corrected(house: House) -> None:
    tablet = a_tablet(house)
    for number in (1, 2, 3):
        tablet.post(a_filled_sale(number))
    submissions = [row.instance_id for row in stored(house)]
    for instance_id in submissions[:2]:
        answer = house.baraka.patch(f"forms/sale/submissions/{instance_id}", json={"reviewState": "hasIssues"})
        assert answer.status_code == 200

    assert tablet.post(a_filled_sale(4)).message == "Received. Today: 4. To correct: 2."


def test_the_projects_language_is_used_where_nobody_has_chosen_one(house: House) -> None:
    with house.app.app_context():
        begin_writing(session())
        session().get_one(Project, house.pid).languages = ["fr", "bm"]
        session().commit()

    assert a_tablet(house).post(a_filled_sale()).message == "Reçu. Aujourd’hui : 1."


@pytest.mark.parametrize(
    ("languages", "begins"),
    [
        (["en"], ("The form ended", "xml_submission_file is", "Trial received", "This token")),
        (["fr"], ("L’envoi s’est", "Il manque xml_submission_file", "Essai reçu", "Ce code")),
    ],
)
def test_whoever_has_no_language_is_told_in_that_of_the_project_what_went_wrong(
    house: House, languages: list[str], begins: tuple[str, ...]
) -> None:
    assert house.djeneba.post("forms/sale/draft").status_code == 200
    draft = house.djeneba.get("forms/sale/draft").get_json()
    with house.app.app_context():
        begin_writing(session())
        session().get_one(Project, house.pid).languages = languages
        session().commit()
    base, (whole, kind) = f"projects/{house.pid}", multipart(a_filled_sale(version=draft["version"]), {})

    def post(path: str, body: bytes = whole) -> Heard:
        headers = {"Content-Type": kind, "Accept-Language": "bm"}
        return through(house.app.test_client().open)("POST", f"/v1/{path}/submission", headers, body)

    heard = [
        post(f"key/{house.amina.token}/{base}", whole[:200]),
        post(f"key/{house.amina.token}/{base}", whole.replace(b"xml_submission_file", b"another_field")),
        post(f"test/{draft['draftToken']}/{base}/forms/sale/draft"),
    ]
    shown(house.djeneba.delete(f"app-users/{house.amina.actor_id}"))
    heard.append(post(f"key/{house.amina.token}/{base}"))

    for answer, beginning in zip(heard, begins, strict=True):
        assert (answer.message.startswith(beginning), answer.headers["content-language"]) == (True, languages[0])
    # Who has nothing to do with it cannot tell by the language that it is there.
    assert [post(path).headers["content-language"] for path in (base, f"key/siby_{'x' * 43}/{base}")] == ["bm"] * 2


def test_of_a_token_that_many_share_a_receipt_counts_no_further_than_so_many(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "COUNTED_TO", 2)
    tablet = a_tablet(house)

    said = [tablet.post(a_filled_sale(number)).message for number in range(1, 4)]

    assert said == ["Received. Today: 1.", "Received. Today: 2+.", "Received. Today: 2+."]


# Moving from another server.


def test_when_another_server_first_received_it_is_kept_if_the_sender_may_say_so(house: House) -> None:
    dated = a_filled_sale(1).replace(b"<data ", b'<data submissionDate="2025-03-04T05:06:07.000Z" ')

    assert a_tablet(house, "Baraka").post(dated).status == 201
    assert a_tablet(house).post(dated.replace(b"0000-000000000001", b"0000-000000000002")).status == 201

    first, second = stored(house)
    assert first.received_at == dt.datetime(2025, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
    assert second.received_at.year > 2025


# Drafts.


def test_a_trial_of_a_draft_is_kept_beside_it_and_counts_nowhere(house: House) -> None:
    assert house.djeneba.post("forms/sale/draft").status_code == 200
    draft = house.djeneba.get("forms/sale/draft").get_json()
    base = f"/v1/test/{draft['draftToken']}/projects/{house.pid}/forms/sale/draft"
    tester = Collect(through(house.app.test_client().open), base)
    trial = a_filled_sale(photo="a.jpg", version=draft["version"])

    assert tester.head().status == 204
    first, more, again = tester.post(trial), tester.post(trial, {"a.jpg": PHOTO}), tester.post(trial)

    assert (first.status, more.status, again.status) == (201, 201, 202)
    assert "a.jpg" in first.message
    assert "a.jpg" not in more.message
    assert tester.post(trial.replace(b"Siby", b"Kati")).status == 409
    assert tester.post(b"<cut").status == 400
    assert tester.post(a_filled_sale(2, form="census")).status == 404
    assert stored(house) == []
    with house.app.app_context():
        row = session().scalars(select(DraftSubmission)).one()
        assert (unpack(row.xml), row.files) == (trial, {"a.jpg": sha256_of(PHOTO)})
    stranger = Collect(through(house.app.test_client().open), base.replace(draft["draftToken"], "siby_" + "x" * 43))
    assert stranger.post(trial).status in (403, 404)


def test_a_trial_under_an_endless_id_is_said_no_to(house: House) -> None:
    house.djeneba.post("forms/sale/draft")
    token = shown(house.djeneba.get("forms/sale/draft"))["draftToken"]
    tester = Collect(through(house.app.test_client().open), f"/v1/test/{token}/projects/{house.pid}/forms/sale/draft")

    heard = tester.post(a_filled_sale(instance_id=secrets.token_hex(5000)))

    assert (heard.status, heard.nature) == (400, "error")
    assert tester.post(a_filled_sale()).status == 201
