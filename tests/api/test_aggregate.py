"""What Briefcase in its Aggregate mode does: pull a form with its submissions and files, push them elsewhere."""

from __future__ import annotations

import hashlib
from urllib.parse import quote, urlsplit

from lxml import etree

from tests.api.test_openrosa_submission import ENCRYPTED, OTHER, PHOTO, a_tablet, stored
from tests.support.collect import a_filled_sale, a_part, joined
from tests.support.forms import xform_of
from tests.support.listing import md5, read_manifest
from tests.support.web import House

SUBMISSIONS = {"s": "http://opendatakit.org/submissions"}


def pulled(house: House, page: int = 2) -> list[str]:
    """Every id that the list gives, page by page, until it gives none."""
    ids: list[str] = []
    cursor = ""
    while True:
        path = f"/view/submissionList?formId=sale&numEntries={page}&cursor={cursor}&includeIncomplete=false"
        answer = house.baraka.get(path)
        assert answer.status_code == 200
        root = etree.fromstring(answer.data)
        some = [str(found) for found in root.xpath("s:idList/s:id/text()", namespaces=SUBMISSIONS)]
        if not some:
            return ids
        ids += some
        cursor = root.findtext("s:resumptionCursor", namespaces=SUBMISSIONS) or ""


def downloaded(house: House, instance_id: str) -> etree._Element:
    named = quote(f"sale[@version=null and @uiVersion=null]/data[@key={instance_id}]")
    answer = house.baraka.get(f"/view/downloadSubmission?formId={named}")
    assert answer.status_code == 200, answer.data
    assert answer.headers["X-OpenRosa-Version"] == "1.0"
    return etree.fromstring(answer.data)


def test_submissions_are_pulled_with_their_files_and_pushed_to_another_project(house: House) -> None:
    tablet = a_tablet(house)
    for number in range(1, 6):
        tablet.post(a_filled_sale(number, photo="été.jpg"), {"été.jpg": PHOTO + bytes([number])})
    tablet.post(a_filled_sale(6), {}, more=True)

    ids = pulled(house)

    assert ids == [row.instance_id for row in stored(house)[:5]]
    for number, instance_id in enumerate(ids, 1):
        root = downloaded(house, instance_id)
        (filled,) = root.iterfind("s:data/*", SUBMISSIONS)
        assert filled.get("instanceID") == instance_id
        assert (filled.findtext("{*}sacks"), filled.get("isComplete")) == ("4", "true")
        (file,) = root.findall("s:mediaFile", SUBMISSIONS)
        url = urlsplit(file.findtext("s:downloadUrl", namespaces=SUBMISSIONS) or "")
        photo = house.baraka.get(url.path).data
        assert photo == PHOTO + bytes([number])
        assert file.findtext("s:hash", namespaces=SUBMISSIONS) == f"md5:{hashlib.md5(photo).hexdigest()}"
        assert file.findtext("s:filename", namespaces=SUBMISSIONS) == "été.jpg"

        pushed = joined(
            [
                a_part("xml_submission_file", etree.tostring(filled), "text/xml", "submission.xml"),
                a_part("été.jpg", photo, "image/jpeg", "été.jpg"),
            ],
            "xxx",
        )
        path = f"/v1/projects/{house.other}/submission"
        answer = house.coumba.post(path, data=pushed, content_type="multipart/form-data; boundary=xxx")
        assert answer.status_code == 201, answer.data

    mine = [row for row in stored(house) if row.project_id == house.pid][:5]
    theirs = [row for row in stored(house) if row.project_id == house.other]
    assert [(row.instance_id, row.received_at.replace(microsecond=0)) for row in theirs] == [
        (row.instance_id, row.received_at.replace(microsecond=0)) for row in mine
    ]
    assert {row.missing for row in theirs} == {0}


def test_what_was_corrected_is_pulled_as_it_is_now_and_can_be_pushed_without_what_was_before(house: House) -> None:
    a_tablet(house).post(a_filled_sale(1))
    a_tablet(house).post(a_filled_sale(2, edits=1, sacks=9))

    (instance_id,) = pulled(house)
    (filled,) = downloaded(house, instance_id).iterfind("s:data/*", SUBMISSIONS)
    pushed = joined([a_part("xml_submission_file", etree.tostring(filled), "text/xml", "submission.xml")], "xxx")
    path = f"/v1/projects/{house.other}/submission"
    answer = house.coumba.post(path, data=pushed, content_type="multipart/form-data; boundary=xxx")

    assert answer.status_code == 201, answer.data
    assert (filled.findtext("{*}sacks"), filled.findtext("{*}meta/{*}instanceID")) == ("9", instance_id)
    assert [row.instance_id for row in stored(house) if row.project_id == house.other] == [instance_id]


def test_an_encrypted_submission_is_pulled_as_it_came(house: House) -> None:
    a_tablet(house).post(ENCRYPTED, {"submission.xml.enc": OTHER, "a.jpg.enc": PHOTO})

    root = downloaded(house, "uuid:12")

    (filled,) = root.iterfind("s:data/*", SUBMISSIONS)
    assert filled.findtext("{*}base64EncryptedKey") == "c2VjcmV0"
    assert [found.text for found in root.iterfind("s:mediaFile/s:filename", SUBMISSIONS)] == [
        "a.jpg.enc",
        "submission.xml.enc",
    ]


def test_a_form_is_pulled_and_uploaded_with_its_media(house: House) -> None:
    xform = house.baraka.get("/formXml?formId=sale")
    assert xform.status_code == 200
    renamed = xform.data.replace(b'id="sale"', b'id="bought"')
    body = joined([a_part("form_def_file", renamed, "text/xml", "bought.xml")], "xxx")

    assert house.djeneba.ask("HEAD", "/upload").status_code == 204
    for _ in range(2):
        answer = house.djeneba.post("/formUpload", data=body, content_type="multipart/form-data; boundary=xxx")
        assert answer.status_code == 201, answer.data
    empty = house.djeneba.post("/formUpload", data=joined([], "xxx"), content_type="multipart/form-data; boundary=xxx")

    assert empty.status_code == 400
    listed = house.baraka.get("/formList").get_data(as_text=True)
    assert "<formID>bought</formID>" in listed


def test_media_keep_their_french_names_when_a_form_is_uploaded(house: House) -> None:
    xform = xform_of("""
        | survey |      |      |       |                  |
        |        | type | name | label | media::image     |
        |        | text | who  | Who   | l'été à Siby.png |
    """)
    parts = [
        a_part("form_def_file", xform, "text/xml", "visit.xml"),
        a_part("datafile", PHOTO, "image/png", "l'été à Siby.png"),
    ]

    answer = house.djeneba.post(
        "/formUpload", data=joined(parts, "xxx"), content_type="multipart/form-data; boundary=xxx"
    )

    assert answer.status_code == 201, answer.data
    (file,) = read_manifest(house.amina.get("forms/visit/manifest"))
    assert (file.name, file.hash) == ("l'été à Siby.png", md5(PHOTO))
    assert house.amina.get(file.url).data == PHOTO


def test_an_uploaded_form_that_collect_cannot_open_is_refused(house: House) -> None:
    xform = house.baraka.get("/formXml?formId=sale").data
    broken = xform.replace(b'id="sale"', b'id="bought"').replace(b"</h:body>", b'<input ref="/data/nowhere"/></h:body>')
    body = joined([a_part("form_def_file", broken, "text/xml", "bought.xml")], "xxx")

    answer = house.djeneba.post("/formUpload", data=body, content_type="multipart/form-data; boundary=xxx")

    assert answer.status_code == 400, answer.data
    assert b"/data/nowhere" in answer.data
    assert b"bought" not in house.baraka.get("/formList").data


def test_what_is_asked_wrongly_is_said_no_to_in_openrosa(house: House) -> None:
    for path, status in (
        ("/view/submissionList", 400),
        ("/view/submissionList?formId=census", 404),
        ("/view/submissionList?formId=sale&cursor=x", 400),
        ("/view/downloadSubmission?formId=sale", 400),
        ("/view/downloadSubmission?formId=sale/data[@key=uuid:1]", 404),
        ("/formXml?formId=census", 404),
    ):
        answer = house.baraka.get(path)
        assert answer.status_code == status, path
        assert b'nature="error"' in answer.data
    assert house.amina.get("/view/submissionList?formId=sale").status_code == 403
    assert house.baraka.post("/formUpload").status_code == 403


def test_submissions_of_a_deleted_form_are_not_pulled(house: House) -> None:
    a_tablet(house).post(a_filled_sale(1))
    (instance_id,) = pulled(house)
    named = quote(f"sale[@version=null and @uiVersion=null]/data[@key={instance_id}]")
    house.djeneba.delete("forms/sale")

    assert house.baraka.get("/view/submissionList?formId=sale").status_code == 404
    assert house.baraka.get(f"/view/downloadSubmission?formId={named}").status_code == 404
