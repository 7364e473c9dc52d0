"""Who is bound to some forms, and every door at which they might get around it: devices, people, public links."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from forms.workbooks.workbook import read_workbook
from server.db import session
from sync.accounts.people import add_device, add_public_link
from sync.accounts.roles import assign_form
from sync.journal import open_journal
from sync.models import Quarantined, Submission
from sync.models.database import begin_writing
from sync.projects.publish import publish_form
from tests.support.collect import Collect, a_filled_sale, through
from tests.support.projects import NOON, SALE
from tests.support.web import House, Voice, refused, shown
from tests.support.workbooks import a_workbook

SECRET = """
    | survey  |         |        |          |
    | type    | name    | label  | save_to  |
    | text    | who     | Who    | who      |
    | select_one_from_file places.csv | place | Place | |
    | entities |        |        |          |
    | list_name | label |        |          |
    | cases   | ${who}  |        |          |
"""
CASE = "<who>Awa</who><place>a</place>"
READS = """
    | survey  |       |       |
    | type    | name  | label |
    | select_one_from_file cases.csv | which | Which |
"""


@dataclass
class Bound:
    """Three who may fill in the form `sale` and nothing else."""

    house: House
    device: Voice
    person: Voice
    link: Voice

    @property
    def all(self) -> tuple[Voice, Voice, Voice]:
        return self.device, self.person, self.link

    def quarantine(self) -> list[tuple[str | None, str]]:
        with self.house.app.app_context():
            rows = session().execute(select(Quarantined.form_id, Quarantined.reason).order_by(Quarantined.id))
            return [(form_id, reason) for form_id, reason in rows]

    def filed(self) -> list[str]:
        with self.house.app.app_context():
            return list(session().scalars(select(Submission.form_id).order_by(Submission.id)))


@pytest.fixture
def bound(house: House) -> Bound:
    publish(house, "secret", "1", SECRET, {"places.csv": b"name,label\na,A\n"})
    publish(house, "reads", "1", READS)
    with house.app.app_context():
        begin_writing(session())
        device, issued = add_device(session(), house.pid, "T", NOON, assigned_only=True)
        link, link_issued = add_public_link(session(), house.pid, "sale", "Everybody", False, NOON)
        assign_form(session(), device.id, house.pid, "sale")
        assign_form(session(), house.coumba.actor_id, house.pid, "sale")
        session().commit()
        device_id, link_id = device.id, link.id
    return Bound(
        house,
        Voice(house.app.test_client(), issued.token, device_id, house.pid),
        Voice(house.app.test_client(), house.coumba.token, house.coumba.actor_id, house.pid),
        Voice(house.app.test_client(), link_issued.token, link_id, house.pid),
    )


def publish(house: House, form_id: str, version: str, sheets: str, media: dict[str, bytes] | None = None) -> None:
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, read_workbook(a_workbook(form_id, version, sheets), f"{form_id}.xlsx"), media or {})
        journal.close()
        session().commit()


def a_secret(number: int, version: str = "1", edits: int | None = None) -> bytes:
    return a_filled_sale(number, form="secret", version=version, edits=edits).replace(
        b"<day>", CASE.encode() + b"<day>"
    )


def an_item(xml: bytes) -> dict[str, str]:
    return {"xml": xml.decode()}


def tablet(voice: Voice) -> Collect:
    return Collect(through(voice.client.open), f"/v1/key/{voice.token}/projects/{voice.pid}")


DOORS = [
    "forms/secret",
    "forms/secret.xml",
    "forms/secret.xlsx",
    "forms/secret/fields",
    "forms/secret/manifest",
    "forms/secret/attachments",
    "forms/secret/attachments/places.csv",
    "forms/secret/versions",
    "forms/secret/versions/1",
    "forms/secret/versions/1.xml",
    "forms/secret/versions/1.xlsx",
    "forms/secret/versions/1/fields",
    "forms/secret/versions/1/attachments",
    "forms/secret/versions/1/attachments/places.csv",
    "forms/secret/versions/1/manifest",
    "forms/reads/attachments/cases.csv",
    "formXml?formId=secret",
    "datasets/cases/integrity",
    "datasets/people/integrity",
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("who", ["device", "person", "link"])
def test_nothing_of_a_form_that_is_not_theirs_is_to_be_had(bound: Bound, who: str) -> None:
    voice: Voice = getattr(bound, who)
    shown(bound.house.amina.send(an_item(a_secret(1))))

    assert {path: status for path in DOORS if (status := voice.get(path).status_code) not in (403, 404)} == {}
    for path in ("forms/sale.xml", "forms/sale/manifest", "formList", "formList?formID=secret"):
        heard = voice.get(path)
        assert (heard.status_code, b"secret" in heard.data) == (200, False)
    assert voice.ask("HEAD", "submission").status_code == 204


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_forms_and_changes_name_none_but_theirs(bound: Bound) -> None:
    shown(bound.house.amina.send(an_item(a_secret(1))))
    shown(bound.house.djeneba.patch("forms/reads", json={"state": "closed"}))

    for voice in (bound.device, bound.person):
        told = shown(voice.get("changes"))
        assert [form["form"] for form in told["forms"]] == ["sale"]
        assert (told["files"], told["lists"], told["removed_forms"]) == ([], [], [])
        assert [form["xmlFormId"] for form in shown(voice.get("forms"))] == ["sale"]
    mine = next(row for row in shown(bound.person.get("/v1/projects?forms=true")) if row["id"] == bound.house.pid)
    assert [form["xmlFormId"] for form in mine["formList"]] == ["sale"]


def test_what_they_send_for_other_forms_waits_for_a_coordinator_whichever_door_it_comes_through(bound: Bound) -> None:
    mine = a_filled_sale(1)

    assert bound.device.outcomes(an_item(mine), an_item(a_secret(2))) == ["stored", "quarantined"]
    assert bound.person.outcomes(an_item(a_secret(3)), {"instance_id": "uuid:4", "form": "secret", "version": "1",
                                                        "answers": {"who": "Awa"}}) == ["quarantined"] * 2  # fmt: skip
    assert tablet(bound.device).post(a_secret(5)).status == 404
    assert refused(bound.device.post("forms/secret/submissions", data=a_secret(6))) == 404.1
    assert refused(bound.device.post("forms/sale/submissions", data=a_secret(6))) == 400.8

    assert bound.filed() == ["sale"]
    assert bound.quarantine() == [("secret", "not_allowed")] * 4
    (first, *_) = shown(bound.house.baraka.get("quarantine"))["items"]
    shown(bound.house.baraka.post(f"quarantine/{first['id']}/resolve", json={"action": "retry"}))
    assert bound.filed() == ["sale", "secret"]


def test_nothing_files_by_itself_what_they_may_not_send(bound: Bound) -> None:
    """Neither the version that it lacks, once that is published, nor the form that it names."""
    bound.device.outcomes(an_item(a_secret(1, version="2")), an_item(a_filled_sale(2, form="later")))
    tablet(bound.device).post(a_secret(3, version="2"))

    publish(bound.house, "secret", "2", SECRET)
    publish(bound.house, "later", "1", SALE)

    assert bound.filed() == []
    assert bound.quarantine() == [("secret", "not_allowed"), ("later", "not_allowed"), ("secret", "not_allowed")]


def test_strangers_leave_answers_and_correct_nobodys(bound: Bound) -> None:
    bound.house.amina.outcomes(an_item(a_filled_sale(1)))
    stranger = tablet(bound.link)

    assert stranger.post(a_filled_sale(2)).status == 201
    assert stranger.post(a_filled_sale(3, edits=1, sacks=900)).status == 404
    assert stranger.post(a_secret(4)).status == 404
    assert refused(bound.link.post("forms/sale/submissions", data=a_filled_sale(5, edits=1, sacks=900))) == 404.1

    first = shown(bound.house.baraka.get(f"forms/sale/submissions/uuid:{uuid.UUID(int=1)}"))
    assert first["answers"]["sacks"] == 4
    assert (bound.filed(), bound.quarantine()) == (["sale", "sale"], [])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_link_or_device_that_was_shut_out_and_a_form_that_was_taken_away_open_nothing(bound: Bound) -> None:
    house = bound.house
    shown(house.djeneba.delete(f"forms/sale/public-links/{bound.link.actor_id}"))
    shown(house.djeneba.delete(f"forms/sale/assignments/app-user/{bound.device.actor_id}"))

    assert tablet(bound.link).get(f"/v1/key/{bound.link.token}/projects/{house.pid}/formList").status == 403
    assert tablet(bound.link).post(a_filled_sale(1)).status == 403
    assert tablet(bound.device).forms() == []
    assert tablet(bound.device).post(a_filled_sale(2)).status == 404
    assert bound.device.outcomes(an_item(a_filled_sale(3))) == ["quarantined"]
    assert shown(bound.device.get("changes"))["forms"] == []
