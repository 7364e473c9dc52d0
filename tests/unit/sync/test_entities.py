"""Entities: created, updated, held, withdrawn and brought back, the same for any order of arrival."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy import event as happening
from sqlalchemy.orm import Session

from forms.form import Flag
from forms.programmes.entitylists import EntityListFile, ListRow
from sync.entities.lists import WHOLE_AT_MOST, DatabaseLists
from sync.entities.reading import moments_of_properties, page_of_list, versions_of
from sync.entities.registers import add_property, change_places, make_list
from sync.entities.steps import Arrived, entities_differ, load_list, steps_differ
from sync.entities.writing import force_held, update_entity
from sync.journal import Journal
from sync.models import Entity, EntityList, Form, FormFile
from tests.support.figures import a_place
from tests.support.projects import NOON, SALE, Desk, a_desk, instance_id
from tests.support.registry import AWA, FANTA, NOW, Registry, Seen, a_creation, an_action, an_update

BRANCH = "b0000000-0000-4000-8000-000000000001"
THIRD = "6a000000-0000-4000-8000-000000000003"
DAY = dt.timedelta(days=1)
MALI, KATI = a_place("ML", "region"), a_place("ML-21", "cercle", "ML", ["Kati"])


@pytest.fixture
def registry(engine: Engine) -> Registry:
    return Registry.make(engine)


def test_a_creation_makes_an_entity(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(village="Siby")))

    assert registry.entities() == {AWA: Seen("Awa", {"village": "Siby"}, withdrawn=False)}
    assert registry.entity().version == 1


def test_a_list_that_nobody_declared_is_made_without_properties(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(village="Siby")))

    assert [(row.name, row.properties) for row in registry.rows(EntityList)] == [("people", [])]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("siby", True),  # in any case
        ("Awa OR nobody", True),
        ("NOT nobody", True),
        ("NOT siby", False),
        ("6A000000", True),  # the id
        (r"\old\ ", True),
        ('"is _"', True),
        ("100%", True),
        ("1000", False),  # a % is no placeholder
        ("village", False),  # a property's name
        ("nobody", False),
    ],
)
def test_a_search_looks_into_what_is_said_however_it_is_stored(registry: Registry, words: str, found: bool) -> None:
    registry.change(lambda journal: make_list(journal, "people"))
    registry.change(lambda journal: add_property(journal, "people", "village"))
    registry.change(lambda journal: add_property(journal, "people", "share"))
    registry.arrive(("registration", a_creation(village=r"Siby, the \old\ quarter", share="is _ 100%")))

    with Session(registry.engine) as session:
        page = page_of_list(session, registry.project_id, "people", now=NOW, search=words)

    assert [row.id for row in page.items] == ([AWA] if found else [])


def test_an_update_changes_only_what_it_touches(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(village="Siby", phone="1")))

    registry.arrive(("visit", an_update(base=1, phone="2")))

    assert registry.entity().data == {"village": "Siby", "phone": "2"}
    assert (registry.entity().version, registry.entity().conflict) == (2, None)


def test_an_update_may_change_the_label_and_a_blank_one_leaves_it(registry: Registry) -> None:
    registry.arrive(("registration", a_creation()))

    registry.arrive(("visit", an_update(label="Awa Traoré")), ("other", an_update(label="", phone="1")))

    assert registry.entity().label == "Awa Traoré"


def test_an_update_before_its_creation_is_held_and_released_when_it_arrives(registry: Registry) -> None:
    registry.arrive(("visit", an_update(phone="2")))
    held = (registry.states(), registry.entities())

    registry.arrive(("registration", a_creation(phone="1", village="Siby")))

    assert held == ({"visit": "held"}, {})
    assert registry.states() == {"registration": "applied", "visit": "applied"}
    assert registry.entity().data == {"village": "Siby", "phone": "2"}
    assert registry.entity().version == 2


def test_a_held_step_blocks_no_other_entity(registry: Registry) -> None:
    registry.arrive(("visit", an_update(AWA, phone="2")), ("registration", a_creation(FANTA, "Fanta")))

    assert set(registry.entities()) == {FANTA}


def test_an_upsert_creates_what_is_unknown_and_updates_what_is_known(registry: Registry) -> None:
    upsert = an_action(create=True, update=True, label="Awa", village="Siby")

    registry.arrive(("first", upsert))
    registry.arrive(("second", an_action(create=True, update=True, label="Awa T.", phone="1")))

    assert registry.entities() == {AWA: Seen("Awa T.", {"village": "Siby", "phone": "1"}, withdrawn=False)}
    assert registry.entity().version == 2


def test_an_upsert_that_came_before_the_creation_is_an_update_of_it(registry: Registry) -> None:
    registry.arrive(("upsert", an_action(create=True, update=True, label="Awa T.", phone="2")))

    registry.arrive(("registration", a_creation(phone="1", village="Siby")))

    assert registry.entities() == {AWA: Seen("Awa T.", {"village": "Siby", "phone": "2"}, withdrawn=False)}


def test_a_second_creation_is_flagged_and_the_first_stays(registry: Registry) -> None:
    registry.store("first")
    registry.store("second")
    registry.restore("first", a_creation(village="Siby"))

    registry.restore("second", a_creation(label="Binta", village="Kati"))

    assert registry.entities() == {AWA: Seen("Awa", {"village": "Siby"}, withdrawn=False)}
    assert registry.states() == {"first": "applied", "second": "held"}
    assert flags(registry) == {"first": [], "second": ["match"]}


def test_the_second_creation_takes_over_while_the_first_is_rejected(registry: Registry) -> None:
    registry.store("first")
    registry.store("second")
    registry.restore("first", a_creation())
    registry.restore("second", a_creation(label="Binta"))

    registry.withdraw("first")
    meanwhile = (registry.entities()[AWA], flags(registry))
    registry.restore("first", a_creation())

    assert meanwhile == (Seen("Binta", {}, withdrawn=False), {"first": [], "second": []})
    assert registry.entities()[AWA].label == "Awa"
    assert flags(registry) == {"first": [], "second": ["match"]}


def test_an_edit_that_only_updates_leaves_the_creation_to_the_other(registry: Registry) -> None:
    registry.store("first")
    registry.store("second")
    registry.restore("first", a_creation(village="Siby"))
    registry.restore("second", a_creation(label="Binta"))

    registry.restore("first", an_update(village="Kati"))

    assert registry.entities() == {AWA: Seen("Binta", {"village": "Kati"}, withdrawn=False)}
    assert flags(registry) == {"first": [], "second": []}


def test_steps_of_an_offline_branch_apply_in_their_order_whatever_the_order_of_arrival(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(visits="0")))

    registry.arrive(("third", an_update(base=3, trunk=1, branch=BRANCH, visits="3")))
    registry.arrive(("second", an_update(base=2, trunk=1, branch=BRANCH, visits="2")))
    before = (registry.entity().data, registry.states())
    registry.arrive(("first", an_update(base=1, trunk=1, branch=BRANCH, visits="1")))

    assert before == ({"visits": "0"}, {"registration": "applied", "third": "held", "second": "held"})
    assert registry.entity().data == {"visits": "3"}
    assert (registry.entity().version, registry.entity().conflict) == (4, None)


def test_an_entity_made_and_changed_offline_arrives_whole_in_any_order(registry: Registry) -> None:
    registry.arrive(("second", an_update(base=2, branch=BRANCH, visits="2")))
    registry.arrive(("registration", a_creation(visits="0")), ("first", an_update(base=1, branch=BRANCH, visits="1")))

    assert registry.entity().data == {"visits": "2"}
    assert registry.entity().conflict is None


def test_an_update_of_an_older_version_is_a_soft_conflict_where_it_touches_something_else(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1", village="Siby")))
    registry.arrive(("visit", an_update(base=1, phone="2")))

    registry.arrive(("late", an_update(base=1, village="Kati")))

    assert registry.entity().conflict == "soft"
    assert registry.entity().data == {"phone": "2", "village": "Kati"}


def test_an_update_of_an_older_version_is_a_hard_conflict_where_it_touches_the_same(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1")))
    registry.arrive(("visit", an_update(base=1, phone="2")))

    registry.arrive(("late", an_update(base=1, phone="3")))

    assert registry.entity().conflict == "hard"
    assert registry.entity().data == {"phone": "3"}


def test_updates_of_one_version_that_change_different_properties_are_merged(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1", village="Siby")))
    registry.arrive(("visit", an_update(base=1, phone="2", village="Siby")))

    registry.arrive(("late", an_update(base=1, phone="1", village="Kati")))

    assert registry.entity().data == {"phone": "2", "village": "Kati"}
    assert registry.entity().conflict == "soft"


def test_updates_of_one_version_that_say_the_same_are_no_hard_conflict(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1")))
    registry.arrive(("visit", an_update(base=1, phone="2")))

    registry.arrive(("late", an_update(base=1, phone="2")))

    assert (registry.entity().data, registry.entity().conflict) == ({"phone": "2"}, "soft")


def test_a_property_that_an_older_form_left_blank_is_not_emptied(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(village="Siby")))
    registry.arrive(("visit", an_update(base=1, phone="2")))

    registry.arrive(("late", an_update(base=1, phone="", village="Kati")))

    assert registry.entity().data == {"village": "Kati", "phone": "2"}


def test_what_was_built_on_a_rejected_update_loses_what_that_one_said_and_keeps_its_own(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1", village="Siby")))
    registry.arrive(("wrong", an_update(base=1, phone="9", village="Siby")))
    registry.arrive(("next", an_update(base=2, phone="9", village="Kati")))

    registry.withdraw("wrong")

    assert registry.entity().data == {"phone": "1", "village": "Kati"}


def test_a_later_step_of_a_branch_meets_what_others_changed_since_its_trunk(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1", visits="0")))
    registry.arrive(("other", an_update(base=1, phone="2")))
    registry.arrive(("first", an_update(base=1, trunk=1, branch=BRANCH, phone="1", visits="1")))

    registry.arrive(("second", an_update(base=2, trunk=1, branch=BRANCH, phone="1", visits="2")))

    assert registry.entity().data == {"phone": "2", "visits": "2"}
    assert registry.entity().conflict == "soft"


def test_a_step_whose_predecessor_never_comes_is_forced_after_its_time(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(visits="0")))
    registry.arrive(("second", an_update(base=2, trunk=1, branch=BRANCH, visits="2")))

    early = registry.change(lambda journal: force_held(journal, NOW))
    late = registry.change(lambda journal: force_held(journal, NOW + DAY))
    again = registry.change(lambda journal: force_held(journal, NOW + DAY))

    assert (early, late, again) == (0, 1, 0)
    assert (registry.entity().data, registry.states()["second"]) == ({"visits": "2"}, "forced")
    assert registry.rebuild() == 0


def test_a_forced_step_goes_back_to_its_place_when_its_predecessor_comes(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(visits="0")))
    registry.arrive(("second", an_update(base=2, trunk=1, branch=BRANCH, visits="2")))
    registry.change(lambda journal: force_held(journal, NOW + DAY))

    registry.arrive(("first", an_update(base=1, trunk=1, branch=BRANCH, visits="1", phone="1")))

    assert registry.entity().data == {"visits": "2", "phone": "1"}
    assert registry.entity().conflict is None


def test_an_update_that_waited_too_long_for_its_entity_makes_it_if_it_has_a_label(registry: Registry) -> None:
    registry.arrive(("visit", an_update(AWA, label="Awa", phone="2")), ("other", an_update(FANTA, phone="3")))

    forced = registry.change(lambda journal: force_held(journal, NOW + DAY))

    assert forced == 1
    assert registry.entities() == {AWA: Seen("Awa", {"phone": "2"}, withdrawn=False)}
    assert registry.states() == {"visit": "forced", "other": "held"}
    registry.arrive(("registration", a_creation(phone="1", village="Siby")))
    assert registry.entity().data == {"phone": "2", "village": "Siby"}


def test_a_conflict_that_somebody_settled_is_none_until_the_next(registry: Registry) -> None:
    registry.change(lambda journal: make_list(journal, "people"))
    registry.change(lambda journal: add_property(journal, "people", "phone"))
    registry.arrive(("registration", a_creation(phone="1")))
    registry.arrive(("visit", an_update(base=1, phone="2")), ("late", an_update(base=1, phone="3")))

    registry.change(lambda journal: update_entity(journal, "people", AWA, force=True, resolve=True))
    settled = (registry.entity().conflict, registry.entity().version)
    registry.arrive(("later", an_update(base=1, phone="4")))

    assert settled == (None, 3)
    assert registry.entity().conflict == "hard"
    assert registry.rebuild() == 0


@pytest.mark.parametrize("counted", [False, True])
def test_when_a_property_was_added_is_found_without_going_through_the_journal(
    registry: Registry, counted: bool
) -> None:
    registry.change(lambda journal: make_list(journal, "people"))
    registry.change(lambda journal: grow(journal, 3_000))
    registry.change(lambda journal: add_property(journal, "people", "phone"))
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "kind = 'list'" in statement:
            asked.append((statement, values))

    with Session(registry.engine) as session:
        if counted:
            session.connection().execute(text("ANALYZE"))
        happening.listen(registry.engine, "before_cursor_execute", note)
        moments = moments_of_properties(session, session.get_one(EntityList, (registry.project_id, "people")))
        happening.remove(registry.engine, "before_cursor_execute", note)
        [(statement, values)] = asked
        lite, cursor = registry.engine.dialect.name == "sqlite", session.connection().connection.cursor()
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if lite else ''}{statement}", values)
        plan = str(cursor.fetchall())

    assert moments.keys() == {"phone"}
    assert "ix_events_list" in plan


def grow(journal: Journal, count: int) -> None:
    for _ in range(count):
        journal.record("submitted", None, None)


def test_a_row_finds_its_devices_by_the_nearest_place_that_it_names(registry: Registry) -> None:
    registry.change(lambda journal: change_places(journal, [MALI, KATI], journal.record("places")))
    registry.arrive(("one", a_creation(AWA, commune="kati", region="ML")), ("two", a_creation(FANTA, village_code="?")))
    registry.arrive(("three", a_creation(THIRD, phone="1")))

    assert {row.id: row.place for row in registry.rows(Entity)} == {AWA: "ML-21", FANTA: "?", THIRD: None}
    registry.change(lambda journal: change_places(journal, [MALI], journal.record("places")))
    assert registry.entity().place == "ML"


def test_an_entity_belongs_to_whoever_sent_its_creation(registry: Registry) -> None:
    registry.store("registration")
    registry.restore("registration", a_creation())

    assert registry.entity().creator_id == 7


def test_two_updates_of_one_version_in_one_batch_are_a_conflict_too(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1")))

    registry.arrive(("visit", an_update(base=1, phone="2")), ("late", an_update(base=1, phone="3")))

    assert registry.entity().conflict == "hard"


def test_a_branch_that_is_overtaken_is_a_conflict(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1")))
    registry.arrive(("first", an_update(base=1, trunk=1, branch=BRANCH, visits="1")))
    registry.arrive(("other", an_update(base=2, phone="2")))

    registry.arrive(("second", an_update(base=2, trunk=1, branch=BRANCH, visits="2")))

    assert registry.entity().conflict == "soft"


def test_the_next_step_of_a_branch_follows_its_own_version_and_not_the_number_it_counts_in(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1")))
    registry.arrive(("other", an_update(base=1, phone="2")), ("more", an_update(base=2, phone="3")))
    registry.arrive(("first", an_update(base=3, trunk=3, branch=BRANCH, visits="1")))

    registry.arrive(("second", an_update(base=4, trunk=3, branch=BRANCH, visits="2")))

    assert (registry.entity().version, registry.entity().conflict) == (5, None)


def test_a_rejected_creation_withdraws_the_entity_and_restoring_brings_it_back(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(village="Siby")))
    registry.arrive(("visit", an_update(phone="2")))

    registry.withdraw("registration")
    meanwhile = registry.entity().withdrawn
    registry.restore("registration", a_creation(village="Siby"))

    assert meanwhile
    assert registry.entities() == {AWA: Seen("Awa", {"village": "Siby", "phone": "2"}, withdrawn=False)}


def test_a_rejected_update_is_undone_and_what_came_later_stays(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1", village="Siby")))
    registry.arrive(("wrong", an_update(base=1, phone="9", village="Kati")))
    registry.arrive(("right", an_update(base=2, phone="2")))

    registry.withdraw("wrong")

    assert registry.entity().data == {"phone": "2", "village": "Siby"}
    assert registry.entity().version == 4


def test_a_rejection_inside_a_branch_does_not_hold_what_follows(registry: Registry) -> None:
    registry.arrive(("registration", a_creation()))
    registry.arrive(("first", an_update(base=1, trunk=1, branch=BRANCH, visits="1")))

    registry.withdraw("first")
    registry.arrive(("second", an_update(base=2, trunk=1, branch=BRANCH, phone="2")))

    assert registry.entity().data == {"phone": "2"}


def test_an_edit_replaces_the_steps_of_its_submission_and_keeps_its_place(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1", village="Sibi")))
    registry.arrive(("visit", an_update(base=1, phone="2")))

    registry.arrive(("registration", a_creation(phone="5", village="Siby")))

    assert registry.entity().data == {"phone": "2", "village": "Siby"}


VISIT = """
    | survey  |         |         |         |
    | type    | name    | label   | save_to |
    | text    | village | Village | village |
    | text    | phone   | Phone   | phone   |
    | entities |        |         |         |
    | list_name | label |         |         |
    | people  | ${village} |     |         |
"""


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    desk = a_desk(engine, tmp_path / "files")
    desk.publish("visit", "1", VISIT)
    return desk


def a_visit(number: int, attributes: str, edits: int | None = None, **said: str) -> dict[str, Any]:
    """An item that says this of Awa."""
    answers = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
    entity = f'<e:entity dataset="people" id="{AWA}" {attributes}><e:label>Awa</e:label></e:entity>'
    xml = (
        '<data id="visit" version="1" xmlns:e="http://www.opendatakit.org/xforms/entities">'
        f"{answers}<meta><instanceID>{instance_id(number)}</instanceID>{entity}</meta></data>"
    )
    item = {"instance_id": instance_id(number), "form": "visit", "version": "1", "xml": xml}
    return item | {"recorded_at": NOON.isoformat()} | ({"edits": instance_id(edits)} if edits is not None else {})


def said_of_awa(desk: Desk) -> tuple[dict[str, Any], int, str | None]:
    with desk.sessions() as session:
        entity = session.get_one(Entity, (desk.project_id, "people", AWA))
        return entity.data, entity.version, entity.conflict


def test_a_correction_is_not_undone_by_a_visit_that_only_passed_on_what_was_said_before(desk: Desk) -> None:
    desk.send([a_visit(1, 'create="1"', village="Siby", phone="1")])
    desk.send([a_visit(2, 'update="1" baseVersion="1"', village="Siby", phone="2")])

    desk.send([a_visit(3, 'create="1"', edits=1, village="Kati", phone="1")])

    assert said_of_awa(desk) == ({"village": "Kati", "phone": "2"}, 3, None)


def test_a_visit_that_saw_the_correction_may_take_it_back(desk: Desk) -> None:
    desk.send([a_visit(1, 'create="1"', village="Siby", phone="1")])
    desk.send([a_visit(2, 'create="1"', edits=1, village="Kati", phone="1")])

    desk.send([a_visit(3, 'update="1" baseVersion="1"', village="Siby", phone="2")])
    without = said_of_awa(desk)
    desk.send([a_visit(4, 'update="1" baseVersion="3"', village="Siby", phone="2")])

    assert without == ({"village": "Kati", "phone": "2"}, 3, None)
    assert said_of_awa(desk) == ({"village": "Siby", "phone": "2"}, 4, None)


def test_a_visit_and_its_correction_in_one_batch_do_what_they_do_apart(desk: Desk) -> None:
    desk.send([a_visit(1, 'create="1"', village="Siby", phone="1"), a_visit(2, 'create="1"', edits=1, village="Kati")])

    desk.send([a_visit(3, 'update="1" baseVersion="1"', village="Siby", phone="2")])

    assert said_of_awa(desk)[:2] == ({"village": "Kati", "phone": "2"}, 3)


def test_a_correction_of_the_first_step_of_a_branch_reaches_those_that_passed_it_on(desk: Desk) -> None:
    branch = f'trunkVersion="1" branchId="{BRANCH}"'
    desk.send([a_visit(1, 'create="1"', village="Siby", phone="1")])
    steps = [
        a_visit(base + 1, f'update="1" baseVersion="{base}" {branch}', village="Kati", phone=str(base))
        for base in (1, 2, 3)
    ]
    desk.send(steps)

    desk.send([a_visit(5, f'update="1" baseVersion="1" {branch}', edits=2, village="Kita", phone="1")])

    assert said_of_awa(desk)[0] == {"village": "Kita", "phone": "3"}


def test_each_step_of_a_branch_was_made_upon_the_version_that_the_one_before_it_gave(desk: Desk) -> None:
    branch = f'trunkVersion="1" branchId="{BRANCH}"'
    desk.send([a_visit(1, 'create="1"', village="Siby", phone="1")])
    desk.send([a_visit(9, 'update="1" baseVersion="1"', village="Kita", phone="1")])

    desk.send([a_visit(base + 1, f'update="1" baseVersion="{base}" {branch}', phone=str(base)) for base in (2, 1)])

    with desk.sessions() as session:
        found = versions_of(session, session.scalars(select(Entity)).one())
    assert [(each.version, each.base_version) for each in found] == [(1, None), (2, 1), (3, 1), (4, 3)]


def test_an_edit_that_names_another_entity_withdraws_the_first_one(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(AWA)))

    registry.arrive(("registration", a_creation(FANTA, "Fanta")))

    assert {id_: seen.withdrawn for id_, seen in registry.entities().items()} == {AWA: True, FANTA: False}


def test_an_edit_that_names_another_entity_comes_before_what_was_said_of_that_since(registry: Registry) -> None:
    registry.arrive(("two women", a_creation()))
    registry.arrive(("her sister", a_creation(FANTA)))
    registry.arrive(("a visit", an_update(village="Siby")))
    registry.arrive(("a later visit", an_update(FANTA, village="Kati")))

    registry.arrive(("a visit", an_update(FANTA, village="Siby")))

    assert registry.entity(FANTA).data == {"village": "Kati"}
    assert registry.rebuild() == 0


def test_the_same_actions_again_change_nothing(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1")))
    before = registry.entity()

    registry.arrive(("registration", a_creation(phone="1")))

    assert (registry.entity().version, registry.entity().event) == (before.version, before.event)


def test_rows_of_a_repeat_apply_in_the_order_of_the_form(registry: Registry) -> None:
    registry.arrive(("registration", a_creation()))

    registry.arrive(
        *(("visit", an_update(path=f"/data/stop[{number}]/entity", stop=str(number))) for number in (10, 2, 1, 9, 11))
    )

    assert registry.entity().data == {"stop": "11"}
    assert registry.entity().version == 6


def test_an_entity_carries_the_event_that_changed_it_last(registry: Registry) -> None:
    registry.arrive(("registration", a_creation()))
    registry.arrive(("other", a_creation(FANTA, "Fanta")))
    created = {row.id: row.event for row in registry.rows(Entity)}

    registry.withdraw("registration")

    assert created == {AWA: 1, FANTA: 2}
    assert {row.id: row.event for row in registry.rows(Entity)} == {AWA: 3, FANTA: 2}


def test_a_faulty_action_is_passed_over(registry: Registry) -> None:
    faulty = an_action(create=True)
    object.__setattr__(faulty, "flags", (Flag("constraint", faulty.path, "no label"),))

    registry.arrive(("registration", faulty))

    assert registry.entities() == {}


def test_a_rebuild_of_what_is_right_changes_nothing(registry: Registry) -> None:
    registry.arrive(("registration", a_creation(phone="1")), ("held", an_update(FANTA, phone="2")))
    registry.arrive(("visit", an_update(base=1, phone="2")), ("late", an_update(base=1, phone="3")))
    before = [(row.id, row.version, row.event, row.conflict) for row in registry.rows(Entity)]

    assert registry.rebuild() == 0
    assert [(row.id, row.version, row.event, row.conflict) for row in registry.rows(Entity)] == before


def test_what_is_wrong_is_found_and_a_rebuild_mends_it(registry: Registry, engine: Engine) -> None:
    registry.arrive(("registration", a_creation(phone="1")), ("other", a_creation(FANTA, "Fanta")))
    with Session(engine) as session:
        session.execute(update(Entity).where(Entity.id == AWA).values(data={"phone": "broken"}))
        session.commit()
        found = entities_differ(session, registry.project_id)

    mended = registry.rebuild()

    assert (found, mended) == ({("people", AWA)}, 1)
    with Session(engine) as session:
        assert entities_differ(session, registry.project_id) == set()
    assert registry.entity().data == {"phone": "1"}
    assert registry.entity().version == 2


def test_steps_that_differ_from_what_a_submission_asks_are_found(registry: Registry, session: Session) -> None:
    registry.arrive(("registration", a_creation(phone="1")), ("visit", an_update(phone="2")))
    first, second = registry.ids["registration"], registry.ids["visit"]

    asked = [Arrived(first, 1, [a_creation(phone="1")]), Arrived(second, 2, [an_update(phone="3")])]

    assert steps_differ(session, registry.project_id, asked) == {second}


def test_publishing_declares_lists_and_a_later_version_takes_no_property_away(engine: Engine, tmp_path: Path) -> None:
    desk = a_desk(engine, tmp_path / "files")
    desk.publish("sale", "2", SALE.replace("| seller       |", "| full_name    |") + MATCHING)

    with desk.sessions() as session:
        (people,) = session.scalars(select(EntityList))

    assert people.properties == ["seller", "full_name"]
    assert people.matching == {"full_name": "full_name"}


MATCHING = """
    | matching  |           |           |
    | list_name | property  | role      |
    | people    | full_name | full_name |
"""

CENTRES = EntityListFile(
    ("village",),
    (
        ListRow("c0000000-0000-4000-8000-000000000001", "Siby", {"village": "ML-2-1"}),
        ListRow("c0000000-0000-4000-8000-000000000002", "Kati", {}),
    ),
)


def test_a_list_file_makes_entities_and_loading_it_again_changes_nothing(registry: Registry) -> None:
    first = load(registry, CENTRES)
    again = load(registry, CENTRES)

    assert (first, again) == (True, False)
    assert [(row.label, row.version) for row in registry.rows(Entity)] == [("Siby", 1), ("Kati", 1)]
    assert registry.rows(EntityList)[0].properties == ["village"]


def test_a_row_that_left_the_list_file_is_withdrawn_and_one_that_changed_follows(registry: Registry) -> None:
    load(registry, CENTRES)
    first, _ = CENTRES.rows

    load(registry, EntityListFile(("village",), (ListRow(first.entity_id, "Siby", {"village": "ML-2-9"}),)))

    assert [(row.label, row.data, row.withdrawn) for row in registry.rows(Entity)] == [
        ("Siby", {"village": "ML-2-9"}, False),
        ("Kati", {}, True),
    ]


def test_what_a_form_said_of_a_row_outlives_a_new_list_file(registry: Registry) -> None:
    load(registry, CENTRES)
    first, second = CENTRES.rows
    registry.arrive(("visit", an_update(first.entity_id, list_name="centres", village="ML-2-3")))

    load(registry, EntityListFile(("village",), (ListRow(first.entity_id, "Siby II", {"village": "ML-2-9"}), second)))

    centre = registry.entity(first.entity_id)
    assert (centre.label, centre.data) == ("Siby II", {"village": "ML-2-3"})


def test_a_form_finds_an_entity_by_name_label_and_property(registry: Registry, session: Session) -> None:
    load(registry, CENTRES)
    lists = DatabaseLists(session, registry.project_id, no_files)

    found = [
        [item.findtext("label") for item in lists.find("centres", column, value)]
        for column, value in (
            ("name", CENTRES.rows[0].entity_id),
            ("label", "Kati"),
            ("village", "ML-2-1"),
            ("village", ""),
            ("name", "unknown"),
        )
    ]

    assert found == [["Siby"], ["Kati"], ["Siby"], ["Kati"], []]
    assert lists.is_entities("centres")
    assert not lists.is_entities("fruits")


def test_a_withdrawn_entity_is_not_found(registry: Registry, session: Session) -> None:
    registry.arrive(("registration", a_creation()))
    registry.withdraw("registration")

    lists = DatabaseLists(session, registry.project_id, no_files)
    lists.preload("people", [AWA])

    assert list(lists.find("people", "name", AWA)) == []
    whole = lists.whole("people")
    assert whole is not None
    assert len(whole) == 0


def test_what_was_preloaded_is_found(registry: Registry, session: Session) -> None:
    registry.arrive(("registration", a_creation(phone="1")), ("other", a_creation(FANTA, "Fanta")))
    lists = DatabaseLists(session, registry.project_id, no_files)

    lists.preload("people", [AWA, FANTA, "unknown"])

    assert [item.findtext("label") for item in lists.find("people", "name", FANTA)] == ["Fanta"]
    assert list(lists.find("people", "name", "unknown")) == []


def test_an_attached_csv_file_is_looked_into_by_any_column(registry: Registry, session: Session) -> None:
    attach(registry, session, "fruits.csv", "a" * 64)
    files = {"a" * 64: "name,label,Nom complet\nmango,Mangue,x\nkarite,Karité\x07,y\n".encode()}

    lists = DatabaseLists(session, registry.project_id, files.__getitem__)
    whole = lists.whole("fruits")

    assert [item.findtext("name") for item in lists.find("fruits", "label", "Mangue")] == ["mango"]
    assert whole is not None
    assert [[cell.tag for cell in item] for item in whole] == [["name", "label"]] * 2
    assert [item.findtext("label") for item in whole] == ["Mangue", "Karité"]
    assert lists.whole("unknown") is None
    assert list(lists.find("unknown", "name", "mango")) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("wells.xml", "<root><item><id>w1</id><title>Marché</title></item></root>"),
        ("wells.geojson", '{"features": [{"id": "w1", "properties": {"title": "Marché"}, "geometry": null}]}'),
    ],
)
def test_attached_files_of_other_kinds_are_looked_into_as_well(
    registry: Registry, session: Session, name: str, content: str
) -> None:
    attach(registry, session, name, name.ljust(64, "c"))

    lists = DatabaseLists(session, registry.project_id, lambda _: content.encode())

    assert [item.findtext("title") for item in lists.find("wells", "id", "w1")] == ["Marché"]
    whole = lists.whole("wells")
    assert whole is not None
    assert len(whole) == 1


def test_a_list_beyond_the_bound_is_looked_into_but_never_given_whole(registry: Registry, session: Session) -> None:
    attach(registry, session, "towns.csv", "b" * 64)
    rows = "".join(f"t{number},Town {number}\n" for number in range(WHOLE_AT_MOST + 1))

    lists = DatabaseLists(session, registry.project_id, lambda _: b"name,label\n" + rows.encode())

    assert [item.findtext("label") for item in lists.find("towns", "name", "t77")] == ["Town 77"]
    assert lists.whole("towns") is None


def load(registry: Registry, file: EntityListFile) -> bool:
    def act(journal: Journal) -> bool:
        return load_list(journal, "centres", file, journal.record("definition"))

    return registry.change(act)


def attach(registry: Registry, session: Session, name: str, sha256: str) -> None:
    project_id = registry.project_id
    session.add(Form(project_id=project_id, form_id="sale", title="Sale", version="1", event=1, created_at=NOW))
    session.flush()
    session.add(FormFile(project_id=project_id, form_id="sale", name=name, type="text/csv", sha256=sha256, event=1))
    session.flush()


def no_files(sha256: str) -> bytes:
    raise AssertionError(f"nobody attached {sha256}")


def flags(registry: Registry) -> dict[str, list[str]]:
    return {name: [flag[0] for flag in row.flags] for name, row in registry.submissions().items()}


def test_each_of_two_corrections_in_a_row_is_told_from_the_other(desk: Desk) -> None:
    desk.publish("visit", "1", VISIT)
    desk.send([a_visit(1, 'create="1"', village="Siby", phone="1")])
    desk.send([a_visit(2, 'update="1" baseVersion="1"', village="Siby", phone="2")])
    desk.send([a_visit(3, 'create="1"', edits=1, village="Kati", phone="1")])
    _, between, _ = said_of_awa(desk)
    desk.send([a_visit(4, 'update="1" baseVersion="1"', edits=2, village="Siby", phone="20")])

    desk.send([a_visit(5, f'update="1" baseVersion="{between}"', village="Kati", phone="2")])

    assert said_of_awa(desk)[0] == {"village": "Kati", "phone": "20"}
