"""Receiving batches: each item is kept once and told what became of it."""

import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from forms.programmes.places import Place
from forms.programmes.programme import read_programme
from sync.entities.registers import change_places
from sync.indicators.recount import verify_portion
from sync.intake.editing import edited, file_edit, take_up
from sync.intake.files import keep_file
from sync.intake.prepare import Surroundings
from sync.intake.receive import BatchAnswer, prepare_batch, store_batch
from sync.journal import open_journal
from sync.models import Contribution, Entity
from sync.projects.lifecycle import delete_form
from sync.projects.publish import load_programme
from tests.support.projects import NOON, SALE, Desk, a_desk, a_sale, instance_id
from tests.support.workbooks import a_workbook


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, tmp_path / "files")


def a_place(code: str, *aliases: str) -> Place:
    return Place(code, code, "commune", None, None, None, aliases)


def put_places(desk: Desk, *places: Place) -> None:
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        change_places(journal, places, journal.record("places", None))
        journal.close()
        session.commit()


def test_a_new_visit_is_stored_and_the_same_again_is_a_duplicate(desk: Desk) -> None:
    first = desk.outcomes(a_sale(1))
    again = desk.outcomes(a_sale(1))

    assert (first, again) == (["stored"], ["duplicate"])
    assert len(desk.submissions()) == 1


def test_the_same_batch_again_gets_the_same_receipts(desk: Desk) -> None:
    first = desk.send([a_sale(1), a_sale(2)], batch="b1")
    again = desk.send([a_sale(1), a_sale(2)], batch="b1", now=NOON + dt.timedelta(hours=1))

    assert [dict(receipt) for receipt in again.receipts] == [dict(receipt) for receipt in first.receipts]
    assert again.received_at == first.received_at


def test_an_id_twice_inside_a_batch_gets_two_receipts(desk: Desk) -> None:
    assert desk.outcomes(a_sale(1), a_sale(1), a_sale(1, sacks=5)) == ["stored", "duplicate", "conflict"]


def test_other_content_under_a_known_id_never_overwrites(desk: Desk) -> None:
    desk.send([a_sale(1, sacks=4)])

    outcome = desk.outcomes(a_sale(1, sacks=9))
    again = desk.outcomes(a_sale(1, sacks=9))

    assert (outcome, again) == (["conflict"], ["conflict"])
    assert [parked.reason for parked in desk.quarantine()] == ["conflict"]
    assert desk.submissions()[0].versions == 1


def test_one_that_the_database_refuses_is_kept_as_it_came_and_costs_no_other(desk: Desk) -> None:
    with desk.sessions.begin() as session:
        session.execute(text("CREATE UNIQUE INDEX one_at_a_time ON submissions (recorded_at)"))

    third = {**a_sale(3), "recorded_at": a_sale(1)["recorded_at"]}
    outcomes = desk.outcomes(a_sale(1), a_sale(2), third, a_sale(4))

    assert outcomes == ["stored", "stored", "quarantined", "stored"]
    assert [parked.reason for parked in desk.quarantine()] == ["unstorable"]
    assert [one.instance_id for one in desk.submissions()] == [instance_id(number) for number in (1, 2, 4)]
    with desk.sessions() as session:
        assert not verify_portion(session, desk.project_id, 0).differences


def test_an_edit_becomes_the_next_version(desk: Desk) -> None:
    desk.send([a_sale(1, sacks=4)])

    outcome = desk.outcomes(a_sale(2, edits=1, sacks=9))

    (submission,) = desk.submissions()
    assert outcome == ["edited"]
    assert (submission.instance_id, submission.current_instance_id) == (instance_id(1), instance_id(2))
    assert (submission.versions, submission.review_state) == (2, "edited")


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (3, 1, 2), (2, 1, 3), (1, 3, 2)])
def test_a_chain_of_edits_ends_the_same_in_any_order(desk: Desk, order: tuple[int, ...]) -> None:
    chain = {1: a_sale(1), 2: a_sale(2, edits=1, sacks=5), 3: a_sale(3, edits=2, sacks=6)}

    for number in order:
        desk.send([chain[number]])

    (submission,) = desk.submissions()
    assert (submission.current_instance_id, submission.versions) == (instance_id(3), 3)
    assert all(parked.state == "resolved" for parked in desk.quarantine())
    assert desk.outcomes(*chain.values()) == ["duplicate"] * 3


def test_an_edit_that_waits_is_quarantined_again_when_resent(desk: Desk) -> None:
    edit = a_sale(2, edits=1, sacks=5)

    before = [desk.outcomes(edit), desk.outcomes(edit)]
    desk.send([a_sale(1)])

    assert before == [["quarantined"], ["quarantined"]]
    assert len(desk.quarantine()) == 1
    assert desk.outcomes(edit) == ["duplicate"]


def test_an_edit_sent_before_its_original_in_one_batch_is_filed_after_it(desk: Desk) -> None:
    assert desk.outcomes(a_sale(2, edits=1), a_sale(1)) == ["edited", "stored"]
    assert desk.quarantine() == []


def test_an_edit_that_makes_nobody_takes_back_whom_the_original_made_in_the_same_batch(desk: Desk) -> None:
    desk.send([a_sale(1), a_sale(2, edits=1, seller=" ")])

    with desk.sessions() as session:
        entities = session.scalars(select(Entity)).all()
        differences = verify_portion(session, desk.project_id, 0).differences
    assert [entity for entity in entities if not entity.withdrawn] == []
    assert list(differences) == []


def test_the_second_edit_of_one_parent_is_a_conflict(desk: Desk) -> None:
    desk.send([a_sale(1)])

    assert desk.outcomes(a_sale(2, edits=1, sacks=5), a_sale(3, edits=1, sacks=6)) == ["edited", "conflict"]


def test_an_unknown_version_waits_until_it_is_published(desk: Desk) -> None:
    item = a_sale(1, version="2")
    before = desk.outcomes(item)

    desk.publish("sale", "2", SALE)

    assert before == ["quarantined"]
    assert [submission.form_version for submission in desk.submissions()] == ["2"]
    assert desk.outcomes(item) == ["duplicate"]


def test_many_items_of_all_sizes_get_their_receipts_in_the_order_in_which_they_were_sent(desk: Desk) -> None:
    items = [a_sale(number, sacks=number) for number in range(1, 131)]
    items[20] = {**a_sale(21), "answers": None, "xml": "<data"}
    items[90] = a_sale(91, remark="x" * 600_000)
    items[120] = {"answers": {}}

    receipts = desk.send(items).receipts

    odd = {20: "quarantined", 120: "refused"}
    assert [receipt["outcome"] for receipt in receipts] == [odd.get(place, "stored") for place in range(130)]
    ids = [receipt["instance_id"] for receipt in receipts]
    assert ids == [instance_id(number) if number != 121 else None for number in range(1, 131)]


def test_good_items_are_stored_beside_bad_ones(desk: Desk) -> None:
    items = [
        a_sale(1),
        "not an object",
        {"answers": {}},
        {"instance_id": "uuid:x", "form": "sale", "version": "1", "xml": "<data"},
        a_sale(2, form="unknown"),
        a_sale(3, nonsense=1),
        {**a_sale(4), "attachments": "many"},
        a_sale(5),
    ]

    answer = desk.send(items)

    assert [receipt["outcome"] for receipt in answer.receipts] == [
        "stored", "refused", "refused", "quarantined", "quarantined", "quarantined", "quarantined", "stored",
    ]  # fmt: skip
    assert all(receipt["reason"] for receipt in answer.receipts[1:-1])
    assert len(desk.submissions()) == 2
    assert {parked.reason for parked in desk.quarantine()} == {"unreadable", "unknown_form", "answers", "malformed"}


def test_a_page_of_a_network_s_login_is_no_answer_to_a_form(desk: Desk) -> None:
    page = {"instance_id": "uuid:x", "form": "sale", "version": "1", "xml": "<html><body>login</body></html>"}

    (receipt,) = desk.send([page]).receipts

    assert receipt["outcome"] == "quarantined"
    assert "‘html’" in receipt["reason"]
    assert [parked.reason for parked in desk.quarantine()] == ["unreadable"]


def test_what_nothing_dates_counts_nowhere_until_a_correction_says_when_it_was(desk: Desk) -> None:
    undated = a_sale(1, day="2026-1-1")
    del undated["recorded_at"]

    (receipt,) = desk.send([undated]).receipts
    without = open_days(desk)
    verified = differences(desk)
    desk.send([a_sale(2, edits=1, day="2026-01-01")])

    assert [(flag["code"], flag["place"]) for flag in receipt["flags"]] == [
        ("type", "/data/day"),
        ("required", "/data/day"),
    ]
    assert (without, verified) == (set(), [])
    assert open_days(desk) == {dt.date(2026, 1, 1)}


VISITED = """
    | survey  |         |         |           |
    | type    | name    | label   |           |
    | start   | start   |         |           |
    | end     | end     |         |           |
    | today   | today   |         |           |
    | text    | village | Village |           |
    | indicators |      |         |           |
    | name    | label   | aggregate |         |
    | visits  | Visits  | count   |           |
"""
AS_XML = {"xml": f"<data id='visit' version='1'><meta><instanceID>{instance_id(1)}</instanceID></meta></data>"}
AS_ANSWERS = {"instance_id": instance_id(1), "form": "visit", "version": "1", "answers": {"village": "Siby"}}


@pytest.mark.parametrize("undated", [AS_XML, AS_ANSWERS])
def test_what_nothing_dates_is_dated_neither_by_its_arrival_nor_by_an_edit_at_the_desk(
    desk: Desk, undated: dict[str, Any]
) -> None:
    desk.publish("visit", "1", VISITED)

    (receipt,) = desk.send([undated]).receipts
    before = desk.submissions()[0]
    edit(desk, {"village": "Kati"}, NOON + dt.timedelta(days=40))
    after = desk.submissions()[0]

    assert [flag["code"] for flag in receipt["flags"]] == ["required"]
    assert [flag[0] for flag in after.flags] == ["required"]
    assert (open_days(desk), differences(desk)) == (set(), [])
    assert (after.versions, after.recorded_at, after.day) == (2, before.recorded_at, before.day)

    edit(desk, {"end": "2026-10-05T09:00:00.000+00:00"}, NOON + dt.timedelta(days=41))

    assert desk.submissions()[0].recorded_at == dt.datetime(2026, 10, 5, 9, tzinfo=dt.UTC)
    assert (open_days(desk), differences(desk)) == ({dt.date(2026, 10, 5)}, [])


def test_answers_that_say_when_they_ended_are_dated_by_it(desk: Desk) -> None:
    desk.publish("visit", "1", VISITED)

    desk.send([{**AS_ANSWERS, "answers": {"end": "2026-10-05T09:00:00.000+00:00"}}])

    assert open_days(desk) == {dt.date(2026, 10, 5)}


def test_a_breach_is_a_flag_and_never_a_refusal(desk: Desk) -> None:
    (receipt,) = desk.send([a_sale(1, sacks=-3)]).receipts

    assert receipt["outcome"] == "stored"
    assert [(flag["code"], flag["place"]) for flag in receipt["flags"]] == [("constraint", "/data/sacks")]


def test_the_same_visit_saved_twice_counts_once(desk: Desk) -> None:
    full = {"price": 900, "remark": "dry"}
    first = a_sale(1, seller="Awa", **full)
    copy = {**a_sale(2, seller="Awa", **full), "recorded_at": first["recorded_at"]}

    desk.send([first])
    desk.send([copy])

    assert [submission.counts for submission in desk.submissions()] == [True, False]


def test_a_visit_dated_after_its_arrival_is_flagged(desk: Desk) -> None:
    late = {**a_sale(1), "recorded_at": (NOON + dt.timedelta(days=400)).isoformat()}

    (receipt,) = desk.send([late]).receipts

    assert [flag["code"] for flag in receipt["flags"]] == ["clock"]


def test_a_visit_that_would_count_more_than_a_day_after_its_arrival_is_flagged(desk: Desk) -> None:
    answer = desk.send([a_sale(1, day="2026-11-21"), a_sale(2, day="2062-11-20")])

    assert [[flag["code"] for flag in receipt["flags"]] for receipt in answer.receipts] == [[], ["clock"]]
    with desk.sessions() as session:
        assert verify_portion(session, desk.project_id, 0).differences == []


def test_a_visit_to_a_place_that_nobody_knows_is_flagged_as_long_as_nobody_does(desk: Desk) -> None:
    desk.publish("visit", "1", VISIT)

    def told(*places: Place) -> list[list[str]]:
        if places:
            put_places(desk, *places)
        with desk.sessions() as session:
            assert verify_portion(session, desk.project_id, 0).differences == []
        return [[flag[0] for flag in one.flags] for one in desk.submissions()]

    def visit(number: int, place: str) -> dict[str, Any]:
        return {**a_sale(number, form="visit"), "answers": {"day": "2026-11-01", "place": place}}

    siby, kati = a_place("S", "Siby"), a_place("K")
    desk.send([visit(1, "siby"), visit(2, "Nope"), visit(3, "")])
    without = told()
    with_one = told(kati)
    desk.send([visit(4, "K"), visit(5, "elsewhere")])
    with_both = told(kati, siby)

    assert without == [[], [], []]
    assert with_one == [["place"], ["place"], []]
    assert with_both == [[], ["place"], [], [], ["place"]]


def test_a_visit_of_which_nothing_counts_has_its_place_too(desk: Desk) -> None:
    desk.publish("talk", "1", TALK)
    put_places(desk, a_place("K"))

    receipts = desk.send(
        [{**a_sale(number, form="talk"), "answers": {"place": place}} for number, place in ((1, "K"), (2, "Nope"))]
    ).receipts

    assert [[flag["code"] for flag in receipt["flags"]] for receipt in receipts] == [[], ["place"]]
    assert [one.place for one in desk.submissions()] == ["K", "Nope"]
    with desk.sessions() as session:
        assert verify_portion(session, desk.project_id, 0).differences == []


def test_an_edit_of_which_only_its_filing_shows_where_its_chain_began_is_flagged_like_any_other(desk: Desk) -> None:
    desk.publish("visit", "1", VISIT)
    put_places(desk, a_place("K"))
    answers = {"day": "2026-11-01", "place": "Nope"}
    meta = f"<instanceID>{instance_id(2)}</instanceID><deprecatedID>{instance_id(1)}</deprecatedID>"
    xml = f"<data id='visit' version='1'><day>2026-11-01</day><place>Nope</place><meta>{meta}</meta></data>"

    receipts = desk.send(
        [
            {**a_sale(1, form="visit"), "answers": answers},
            {"xml": xml},
            {**a_sale(3, form="visit", edits=2), "answers": answers},
        ]
    ).receipts

    assert [receipt["outcome"] for receipt in receipts] == ["stored", "edited", "edited"]
    assert [[flag["code"] for flag in receipt["flags"]] for receipt in receipts] == [["place"]] * 3
    with desk.sessions() as session:
        assert verify_portion(session, desk.project_id, 0).differences == []


TALK = """
    | survey  |        |           |
    | type    | name   | label     |
    | text    | place  | Place     |
"""
VISIT = """
    | survey  |        |           |         |          |
    | type    | name   | label     |         |          |
    | date    | day    | Day       |         |          |
    | text    | place  | Place     |         |          |
    | indicators |     |           |         |          |
    | name    | label  | aggregate | date    | place    |
    | visits  | Visits | count     | ${day}  | ${place} |
"""


def test_a_clock_is_judged_by_the_moment_that_is_written_down_however_long_others_held_the_project(desk: Desk) -> None:
    fast = {**a_sale(1), "recorded_at": (NOON + dt.timedelta(minutes=12)).isoformat()}
    body = {"batch": "b1", "device": None, "sent_at": None, "items": [fast]}
    with desk.sessions() as session:
        prepared = prepare_batch(session, desk.project_id, body, b"b1", NOON)
        answer = store_batch(session, prepared, desk.device, lambda: NOON + dt.timedelta(minutes=5))
        session.commit()
        wrong = verify_portion(session, desk.project_id, 0).differences

    assert answer.received_at == NOON + dt.timedelta(minutes=5)
    assert answer.receipts[0]["flags"] == []
    assert wrong == []


TWICE_AS_MUCH = SALE.replace("| ${sacks}     |", "| ${sacks} * 2 |")
ONE_INDICATOR = "\n".join(line for line in SALE.splitlines() if "| sales " not in line)


@pytest.mark.parametrize("sheets", [TWICE_AS_MUCH, ONE_INDICATOR])
def test_a_version_published_while_a_batch_is_read_says_what_it_adds_to_figures(desk: Desk, sheets: str) -> None:
    answer = send_meanwhile(desk, [a_sale(1)], lambda: desk.publish("sale", "2", sheets))

    assert [receipt["outcome"] for receipt in answer.receipts] == ["stored"]
    assert differences(desk) == []


def test_a_version_published_while_a_batch_that_needs_it_is_read_keeps_nothing_waiting(desk: Desk) -> None:
    answer = send_meanwhile(desk, [a_sale(1, version="2")], lambda: desk.publish("sale", "2", SALE))

    assert [receipt["outcome"] for receipt in answer.receipts] == ["stored"]
    assert desk.quarantine() == []


def test_a_form_deleted_while_a_batch_is_read_takes_nothing_in(desk: Desk) -> None:
    def delete() -> None:
        with desk.sessions() as session:
            journal = open_journal(session, desk.project_id, None, NOON)
            delete_form(journal, "sale")
            journal.close()
            session.commit()

    answer = send_meanwhile(desk, [a_sale(1)], delete)

    assert [receipt["outcome"] for receipt in answer.receipts] == ["quarantined"]
    assert open_days(desk) == set()


def test_edits_of_edits_that_waited_for_the_first_are_filed_with_it_however_many(desk: Desk) -> None:
    most = 400
    waiting = desk.outcomes(*(a_sale(number, edits=number - 1, sacks=number) for number in range(2, most + 1)))

    outcomes = desk.outcomes(a_sale(1))

    assert (set(waiting), outcomes) == ({"quarantined"}, ["stored"])
    assert [(one.versions, one.current_instance_id) for one in desk.submissions()] == [(most, instance_id(most))]
    assert {parked.state for parked in desk.quarantine()} == {"resolved"}


def test_a_name_of_a_device_that_no_index_holds_costs_no_visit(desk: Desk) -> None:
    name = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(1000))
    body = {"batch": "b1", "device": name, "items": [a_sale(1)]}

    with desk.sessions() as session:
        prepared = prepare_batch(session, desk.project_id, body, b"b1", NOON)
        answer = store_batch(session, prepared, desk.device, NOON)
        session.commit()

    assert [receipt["outcome"] for receipt in answer.receipts] == ["stored"]


def test_a_receipt_lists_the_files_that_are_missing(desk: Desk) -> None:
    photo = {"name": "1.jpg", "sha256": "ab" * 32, "size": 3, "type": "image/jpeg"}

    (receipt,) = desk.send([{**a_sale(1, photo="1.jpg"), "attachments": [photo]}]).receipts

    assert receipt["missing"] == ["ab" * 32]
    assert desk.submissions()[0].missing == 1


FOLLOW_UP = """
    | survey |  |  |  |
    | type | name | label | save_to |
    | select_one_from_file people.csv | person | Person | |
    | text | seller | Name | seller |
    | entities | | |
    | list_name | entity_id | update_if |
    | people | ${person} | true() |
"""


def test_answers_sent_again_are_a_duplicate_though_the_lists_have_changed_since(desk: Desk) -> None:
    desk.publish("follow_up", "1", FOLLOW_UP)
    desk.send([a_sale(1, meta={"entity": {"id": "6a1e0f6e-0f3c-4d0e-9f6e-3d1f4b1c2a77"}})])
    answers = {"person": "6a1e0f6e-0f3c-4d0e-9f6e-3d1f4b1c2a77", "seller": "Awa T."}
    item = {"instance_id": instance_id(9), "form": "follow_up", "version": "1", "answers": answers}

    first = desk.outcomes(item)
    again = desk.outcomes(item)

    assert (first, again) == (["stored"], ["duplicate"])


def test_a_resend_that_announces_a_file_which_is_here_completes_the_submission(desk: Desk) -> None:
    photo = {"name": "1.jpg", "sha256": "cd" * 32, "size": 3, "type": "image/jpeg"}
    desk.send([a_sale(1, photo="1.jpg")])
    before = desk.submissions()[0].missing
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        keep_file(journal, "cd" * 32, 3, "image/jpeg")
        journal.close()
        session.commit()

    (receipt,) = desk.send([{**a_sale(1, photo="1.jpg"), "attachments": [photo]}]).receipts

    assert (before, receipt["outcome"], receipt["missing"]) == (1, "duplicate", [])
    assert desk.submissions()[0].missing == 0


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("edits", [None, 1])
def test_an_item_that_comes_twice_in_a_batch_lacks_what_the_second_announces(
    desk: Desk, held: bool, edits: int | None
) -> None:
    photo = {"name": "1.jpg", "sha256": "cd" * 32, "size": 3, "type": "image/jpeg"}
    desk.send([a_sale(1)])
    if held:
        with desk.sessions() as session:
            journal = open_journal(session, desk.project_id, None, NOON)
            keep_file(journal, "cd" * 32, 3, "image/jpeg")
            journal.close()
            session.commit()

    receipts = desk.send(
        [
            a_sale(2, edits=edits, photo="1.jpg"),
            a_sale(2, edits=edits, photo="1.jpg") | {"attachments": [photo]},
            a_sale(3),
            a_sale(3) | {"attachments": [photo]},
        ]
    ).receipts

    assert [receipt["outcome"] for receipt in receipts] == [
        "edited" if edits else "stored",
        "duplicate",
        "stored",
        "duplicate",
    ]
    assert {one.current_instance_id: one.missing for one in desk.submissions()} == (
        {instance_id(1): 0} if not edits else {}
    ) | dict.fromkeys((instance_id(2), instance_id(3)), 0 if held else 1)


def test_an_original_and_its_edit_in_one_batch_are_each_told_their_own_breaches(desk: Desk) -> None:
    receipts = desk.send([a_sale(1, sacks=-1), a_sale(2, edits=1, sacks=5)]).receipts

    assert [[flag["code"] for flag in receipt["flags"]] for receipt in receipts] == [["constraint"], []]


def test_loading_a_programme_says_how_many_waiting_submissions_it_filed(desk: Desk) -> None:
    desk.send([a_sale(1, version="2"), a_sale(2, version="2")])
    files = {"project.toml": b'name = "Siby"\n', "places.csv": b"code,name,level,parent\nML-2,Koulikoro,region,\n"}
    files["forms/sale.xlsx"] = a_workbook("sale", "2", SALE)

    with desk.sessions() as session:
        journal, report = load_programme(session, read_programme(files), None, NOON, desk.project_id)
        journal.close()
        session.commit()

    assert (report.published, report.released) == (["sale 2"], 2)


def test_an_absurdly_long_answer_that_cuts_figures_costs_nothing_but_itself(desk: Desk) -> None:
    village = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(200))

    outcome = desk.outcomes(a_sale(1, village=village))

    (submission,) = desk.submissions()
    assert outcome == ["stored"]
    assert [(flag[0], flag[1]) for flag in submission.flags] == [("type", "/data/village")]


def send_meanwhile(desk: Desk, items: list[Any], what: Callable[[], None]) -> BatchAnswer:
    """Send a batch, and have something else done when it was read and is not stored yet."""
    with desk.sessions() as session:
        prepared = prepare_batch(session, desk.project_id, {"batch": "b1", "items": items}, b"b1", NOON)
        what()
        answer = store_batch(session, prepared, desk.device, NOON)
        session.commit()
    return answer


def edit(desk: Desk, answers: dict[str, Any], now: dt.datetime) -> None:
    """As somebody at the desk changes some answers of the only submission."""
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, desk.device, now)
        around = Surroundings(session, desk.project_id, now)
        taken = take_up(around, desk.submissions()[0].id)
        ready = edited(around, taken, {**taken.answers, **answers}, f"uuid:{now:%j}")
        file_edit(journal, ready, taken.submission, "It was wrong", None)
        journal.close()
        session.commit()


def open_days(desk: Desk) -> set[dt.date]:
    with desk.sessions() as session:
        return set(session.scalars(select(Contribution.day).where(Contribution.closed.is_(None))))


def differences(desk: Desk) -> list[str]:
    with desk.sessions() as session:
        return list(verify_portion(session, desk.project_id, 0).differences)
