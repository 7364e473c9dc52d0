"""What is sent again is recognised by what it says, however it is written and whatever has happened meanwhile."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from sync.intake.prepare import canonical_hash, unpack
from sync.intake.receive import prepare_batch, store_batch
from sync.journal import open_journal
from sync.models import SubmissionVersion
from sync.projects.lifecycle import delete_form, set_state
from tests.support.projects import NOON, Desk, a_desk, a_sale, instance_id

REGISTER = """
    | survey |      |       |         |
    | type   | name | label | save_to |
    | csv-external | people | | |
    | text   | who  | Who   |         |
    | text   | is_new | New?  |         |
    | text   | seller | Name  | seller  |
    | text   | village | Village | village |
    | entities |      |       |         |           |           |
    | list_name | label | entity_id | create_if | update_if |
    | people | ${seller} | ${who} | ${is_new} = 'yes' | ${is_new} = 'no' |
"""


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    desk = a_desk(engine, tmp_path / "files")
    desk.publish("register", "1", REGISTER)
    return desk


def a_registration(number: int, **answers: Any) -> dict[str, Any]:
    told = {"who": str(uuid.UUID(int=77)), "is_new": "yes", "seller": "Awa", "village": "Siby", **answers}
    return {"instance_id": instance_id(number), "form": "register", "version": "1", "answers": told}


def test_a_registration_sent_again_is_a_duplicate_though_its_entity_exists_now(desk: Desk) -> None:
    first = desk.outcomes(a_registration(1))
    again = desk.outcomes(a_registration(1))

    assert (first, again) == (["stored"], ["duplicate"])


def test_an_update_sent_again_is_a_duplicate_though_its_entity_is_a_version_further(desk: Desk) -> None:
    desk.send([a_registration(1)])
    update = a_registration(2, is_new="no", village="Kati")

    outcomes = [*desk.outcomes(update), *desk.outcomes(update)]

    assert outcomes == ["stored", "duplicate"]


def test_the_order_of_the_answers_makes_no_other_content(desk: Desk) -> None:
    item = a_registration(1)
    turned = {**item, "answers": dict(reversed(item["answers"].items()))}

    outcomes = [*desk.outcomes(item), *desk.outcomes(turned)]

    assert outcomes == ["stored", "duplicate"]


ANSWERS = a_sale(1)
AS_XML = {
    "xml": f"<data id='sale' version='1'><sacks>4</sacks><meta><instanceID>{instance_id(1)}</instanceID></meta></data>"
}


@pytest.mark.parametrize("item", [ANSWERS, AS_XML])
@pytest.mark.parametrize("what", ["closed", "deleted", "taken from the device"])
def test_what_was_filed_is_a_duplicate_whatever_has_become_of_its_form(
    desk: Desk, what: str, item: dict[str, Any]
) -> None:
    desk.send([item])
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        if what == "closed":
            set_state(journal, "sale", "closed")
        elif what == "deleted":
            delete_form(journal, "sale")
        journal.close()
        session.commit()

    other = {**a_sale(2), "instance_id": instance_id(2)}
    with_photo = item | {"attachments": [{"name": "1.jpg", "sha256": "ab" * 32}]}
    body = {"batch": "b", "items": [item, with_photo, other]}
    with desk.sessions() as session:
        forms = frozenset(["register"]) if what == "taken from the device" else None
        prepared = prepare_batch(session, desk.project_id, body, b"b", NOON, forms)
        receipts = store_batch(session, prepared, desk.device, NOON).receipts
        session.commit()

    assert [receipt["outcome"] for receipt in receipts] == ["duplicate", "quarantined", "quarantined"]
    assert receipts[0]["reason"] is None
    assert len(desk.quarantine()) == 2


def test_other_answers_under_the_same_id_are_a_conflict(desk: Desk) -> None:
    desk.send([a_registration(1)])

    assert desk.outcomes(a_registration(1, village="Kati")) == ["conflict"]


XML = "<data id='sale' version='1'><seller>Awa</seller><meta><instanceID>uuid:9</instanceID></meta></data>"
SAME = XML.replace("<seller>", "\n  <seller >").replace("id='sale' version='1'", 'version="1" id="sale"')
OTHER = XML.replace("Awa", "Awa ")


def by_xml(xml: str) -> dict[str, Any]:
    return {"form": "sale", "version": "1", "xml": xml}


def test_xml_that_is_written_otherwise_is_a_duplicate_and_other_content_is_not(desk: Desk) -> None:
    together = desk.outcomes(by_xml(XML), by_xml(SAME), by_xml(OTHER))
    later = desk.outcomes(by_xml(SAME), by_xml(OTHER))

    assert (together, later) == (["stored", "duplicate", "conflict"], ["duplicate", "conflict"])


def test_what_is_stored_is_read_once_however_many_come_under_its_id(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.send([by_xml(XML)])
    read = []
    monkeypatch.setattr("sync.intake.chains.unpack", lambda packed: read.append(packed) or unpack(packed))

    assert desk.outcomes(*(by_xml(XML.replace("Awa", f"Awa {number}")) for number in range(5))) == ["conflict"] * 5
    assert len(read) == 1


def test_what_was_filed_with_a_hash_of_its_content_is_recognised_by_it(desk: Desk) -> None:
    desk.send([by_xml(XML)])
    with desk.sessions() as session:
        session.execute(update(SubmissionVersion).values(canonical_sha256=canonical_hash(XML.encode()), xml=b""))
        session.commit()

    assert desk.outcomes(by_xml(SAME), by_xml(OTHER)) == ["duplicate", "conflict"]


def test_answers_say_the_same_as_the_xml_that_is_made_of_them(desk: Desk) -> None:
    item = a_sale(9, seller="Awa")
    desk.send([item])
    with desk.sessions() as session:
        xml = unpack(session.scalars(select(SubmissionVersion.xml)).one()).decode()

    resent = desk.outcomes({**item, "answers": None, "xml": xml})
    turned = desk.another()
    turned.send([{**item, "answers": None, "xml": xml.replace("><", ">\n<")}])

    assert (resent, turned.outcomes(item), turned.outcomes(a_sale(9, seller="Fanta"))) == (
        ["duplicate"],
        ["duplicate"],
        ["conflict"],
    )
