"""Answers as JSON, and the instance that a client would have made of them."""

import datetime as dt
import json
import time
import uuid
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from forms.findings import Faulty
from forms.form import NoLists
from forms.workbooks.workbook import read_workbook
from forms.xforms.answers import answers_of, attachments_named, fingerprint, instance_from
from forms.xforms.check import check
from forms.xforms.entities import entity_actions
from forms.xforms.instance import Instance, read_instance
from forms.xforms.xform import Form
from tests.support.forms import compiled
from tests.support.workbooks import a_workbook

BAMAKO = ZoneInfo("Africa/Bamako")
RECORDED = dt.datetime(2026, 11, 20, 16, 2, 11, tzinfo=dt.UTC)
IID = "uuid:6a0f35d2-8f4e-4c4b-9c0e-0c9f1b1e2d3c"
VISIT = """
    | survey                 |          |       |                     |                 |              |           |
    | type                   | name     | label | relevant            | calculation     | default      | save_to   |
    | start                  | start    |       |                     |                 |              |           |
    | today                  | today    |       |                     |                 |              |           |
    | deviceid               | device   |       |                     |                 |              |           |
    | text                   | village  | V     |                     |                 |              |           |
    | select_multiple topics | topics   | T     |                     |                 |              |           |
    | geopoint               | point    | P     |                     |                 |              |           |
    | integer                | sacks    | S     |                     |                 | 3            |           |
    | decimal                | weight   | W     |                     |                 |              |           |
    | date                   | day      | D     |                     |                 |              |           |
    | image                  | photo    | Ph    |                     |                 |              |           |
    | note                   | hint     | Read  |                     |                 |              |           |
    | calculate              | kilos    |       |                     | ${sacks} * 50   |              |           |
    | calculate              | code     |       |                     | once(uuid())    |              |           |
    | begin_group            | sale     | Sale  | ${kilos} > 100      |                 |              |           |
    | text                   | buyer    | B     |                     |                 |              |           |
    | integer                | price    | P     | ${buyer} != ''      |                 |              |           |
    | calculate              | income   |       |                     | ${price} * ${kilos} |          |           |
    | end_group              | sale     |       |                     |                 |              |           |
    | begin_repeat           | people   | P     |                     |                 |              |           |
    | text                   | full     | N     |                     |                 |              | full_name |
    | select_one sex         | sex      | X     |                     |                 |              |           |
    | calculate              | tag      |       |                     | concat(${full}, '/', position(..)) |  |        |
    | end_repeat             | people   |       |                     |                 |              |           |
    | choices                |          |       |                     |                 |              |           |
    | list_name              | name     | label |                     |                 |              |           |
    | topics                 | market   | M     |                     |                 |              |           |
    | topics                 | gov      | G     |                     |                 |              |           |
    | sex                    | female   | F     |                     |                 |              |           |
    | sex                    | male     | M     |                     |                 |              |           |
    | entities               |          |       |                     |                 |              |           |
    | list_name              | label    | create_if |                 |                 |              |           |
    | people                 | ${full}  | ${sex} = 'female' |         |                 |              |           |
"""


@cache
def the_form() -> Form:
    return read_workbook(a_workbook("visit", "7", VISIT), "visit.xlsx").form


def made(answers: Any, instance_id: str = IID, **more: Any) -> Instance:
    given = {"recorded_at": RECORDED, "tz": BAMAKO, "lists": NoLists(), **more}
    return read_instance(instance_from(the_form(), answers, instance_id=instance_id, **given))


def text(instance: Instance, path: str) -> str | None:
    element = instance.root.find(path)
    return None if element is None else element.text or ""


def faults_of(answers: Any) -> list[str]:
    with pytest.raises(Faulty) as caught:
        made(answers)
    return [f"{finding.place}: {finding.fault}" for finding in caught.value.findings]


# JSON → XML


def test_answers_become_the_instance_that_a_client_would_have_made() -> None:
    instance = made(
        {
            "village": "Siby",
            "topics": ["market", "gov"],
            "point": [12.3714, -8.3308, 0, 4.5],
            "sacks": 4,
            "weight": 12.5,
            "day": "2026-11-20",
            "sale": {"buyer": "UN/WFP", "price": 250},
            "people": [{"full": "Awa", "sex": "female"}, {"full": "Moussa", "sex": "male"}],
        },
        deprecated_id="uuid:before",
        device_id="collect:abc",
    )

    assert (instance.form_id, instance.version) == ("visit", "7")
    assert (instance.instance_id, instance.deprecated_id) == (IID, "uuid:before")
    found = {path: text(instance, path) for path in ("topics", "point", "sacks", "weight", "kilos", "sale/income")}
    assert found == {
        "topics": "market gov",
        "point": "12.3714 -8.3308 0 4.5",
        "sacks": "4",
        "weight": "12.5",
        "kilos": "200",
        "sale/income": "50000",
    }
    assert [element.findtext("tag") for element in instance.root.findall("people")] == ["Awa/1", "Moussa/2"]
    assert check(the_form(), instance, NoLists(), RECORDED, BAMAKO) == []


def test_times_and_the_device_are_filled_in_where_the_form_asks_for_them() -> None:
    late = dt.datetime(2026, 11, 20, 23, 30, tzinfo=dt.UTC)

    instance = made({}, recorded_at=late, tz=ZoneInfo("Asia/Tokyo"), device_id="collect:abc")

    assert text(instance, "start") == "2026-11-21T08:30:00.000+09:00"
    assert text(instance, "today") == "2026-11-21"
    assert text(instance, "device") == "collect:abc"


def test_where_nothing_says_when_it_was_no_times_are_filled_in() -> None:
    instance = made({"start": "2026-01-01T00:00:00.000+00:00"}, dated=False, device_id="collect:abc")

    assert text(instance, "start") == "2026-01-01T00:00:00.000+00:00"
    assert text(instance, "today") == ""
    assert text(instance, "device") == "collect:abc"


def test_times_that_were_sent_stand() -> None:
    instance = made({"start": "2026-01-01T00:00:00.000+00:00", "today": None})

    assert text(instance, "start") == "2026-01-01T00:00:00.000+00:00"
    assert text(instance, "today") == ""


@pytest.mark.parametrize(("answers", "sacks"), [({}, "3"), ({"sacks": None}, ""), ({"sacks": 0}, "0")])
def test_a_default_fills_what_was_not_said_and_null_is_a_blank(answers: dict[str, Any], sacks: str) -> None:
    assert text(made(answers), "sacks") == sacks


def test_what_is_not_relevant_is_left_out_and_reads_as_blank() -> None:
    small = made({"sacks": 1, "sale": {"buyer": "WFP", "price": 5}})
    unsold = made({"sacks": 4, "sale": {"price": 5}})

    assert text(small, "sale") is None
    assert text(unsold, "sale/price") is None
    assert text(unsold, "sale/income") == ""


def test_a_calculation_that_can_be_worked_out_again_is() -> None:
    assert text(made({"sacks": 2, "kilos": "999"}), "kilos") == "100"


def test_a_calculation_may_be_sent_as_the_number_that_it_is() -> None:
    assert text(made({"sacks": 2, "kilos": 999, "code": 7}), "kilos") == "100"
    assert text(made({"code": 7.5}), "code") == "7.5"
    assert faults_of({"kilos": [7]}) == [
        "answers.kilos: This is a list, which does not answer a question of type calculated."
    ]


def test_a_calculation_is_stored_by_its_type_and_may_read_the_id_of_its_instance() -> None:
    form = compiled("""
        | survey |           |       |       |                      |            |
        |        | type      | name  | label | calculation          | bind::type |
        |        | date      | day   | D     |                      |            |
        |        | calculate | due   |       | date(${day} + 30)    | date       |
        |        | decimal   | paid  | P     |                      |            |
        |        | calculate | whole |       | ${paid}              | int        |
        |        | calculate | mine  |       | ${instanceID}        |            |
    """)

    given = {"day": "2026-11-01", "paid": 12345678.9}
    xml = instance_from(form, given, instance_id=IID, recorded_at=RECORDED, tz=BAMAKO, lists=NoLists())

    answers = answers_of(form, read_instance(xml))
    assert answers == {**given, "due": "2026-12-01", "whole": 12345678, "mine": IID}


def test_a_value_made_once_is_kept_when_it_is_sent() -> None:
    assert text(made({"code": "K-1"}), "code") == "K-1"
    assert text(made({}), "code")


def test_the_same_answers_make_the_same_instance() -> None:
    answers = {"people": [{"full": "Awa", "sex": "female"}]}

    assert made(answers).sha256 == made(answers).sha256
    assert made(answers).sha256 != made(answers, "uuid:another").sha256


def test_each_entity_has_an_id_of_its_own_that_a_resend_does_not_change() -> None:
    answers = {"people": [{"full": "Awa", "sex": "female"}, {"full": "Fanta", "sex": "female"}]}

    first, again, other = (
        [action.entity_id for action in entity_actions(the_form(), made(answers, iid))] for iid in (IID, IID, "uuid:x")
    )

    assert first == again
    assert len({*first, *other}) == 4
    assert all(uuid.UUID(entity_id).version == 5 for entity_id in first)


def test_an_edit_names_its_entities_by_the_instance_that_it_began_with() -> None:
    answers = {"people": [{"full": "Awa", "sex": "female"}]}

    first = made(answers)
    edit = made(answers, "uuid:edit", deprecated_id=IID, first_id=IID)

    assert edit.instance_id == "uuid:edit"
    assert [action.entity_id for action in entity_actions(the_form(), edit)] == [
        action.entity_id for action in entity_actions(the_form(), first)
    ]


def test_an_entity_is_created_where_its_condition_holds() -> None:
    instance = made({"people": [{"full": "Awa", "sex": "female"}, {"full": "Moussa", "sex": "male"}]})

    (action,) = entity_actions(the_form(), instance)

    assert (action.label, dict(action.data), action.path) == (
        "Awa",
        {"full_name": "Awa"},
        "/data/people[1]/meta/entity",
    )


def test_the_id_of_an_entity_may_be_sent() -> None:
    sent = "11111111-2222-4333-8444-555555555555"
    instance = made({"people": [{"full": "Awa", "sex": "female", "meta": {"entity": {"id": sent, "baseVersion": 3}}}]})

    (action,) = entity_actions(the_form(), instance)

    assert (action.entity_id, action.base_version) == (sent, 3)


# A form that looks people up and updates them


AWA = "11111111-2222-4333-8444-555555555555"
FOLLOW_UP = """
    | survey | | | | | | | |
    | type | name | label | relevant | calculation | default | trigger | save_to |
    | select_one_from_file people.csv | person | Known | | | | | |
    | text | full | Name | | | | | full_name |
    | text | village | Village | | | | | village |
    | calculate | before | | | pulldata('people', 'village', 'name', ${person}) | | | |
    | dateTime | asked | Asked | | | now() | | |
    | calculate | moved | | | concat('to ', ${village}) | | ${village} | |
    | integer | many | How many | | | | | |
    | begin_repeat | rows | R | ${many} > 1 | | | | |
    | integer | x | X | | | | | |
    | integer | y | Y | ${x} > 1 | | | | |
    | calculate | z | | | ${x} * ${many} | | | |
    | end_repeat | rows | | | | | | |
    | calculate | total | | | sum(${z}) | | | |
    | calculate | counted | | | count(${rows}) | | | |
    | text | late | Late | ${total} > 5 | | | | |
    | entities | | | | |
    | list_name | label | entity_id | create_if | update_if |
    | people | ${full} | coalesce(${person}, uuid()) | ${person} = '' | ${person} != '' |
"""


class People:
    """An entity list of one person."""

    awa: ClassVar = {"name": AWA, "label": "Awa", "__version": "4", "__trunkVersion": "3", "village": "Siby"}

    def find(self, list_name: str, column: str, value: str) -> Sequence[etree._Element]:
        return [item for item in self.whole(list_name) if item.findtext(column) == value]

    def whole(self, list_name: str) -> etree._Element:
        root = etree.Element("root")
        item = etree.SubElement(root, "item")
        for column, text in self.awa.items():
            etree.SubElement(item, column).text = text
        return root

    def is_entities(self, list_name: str) -> bool:
        return True


@cache
def follow_up() -> Form:
    return read_workbook(a_workbook("follow", "1", FOLLOW_UP), "follow.xlsx").form


def followed(answers: Any) -> Instance:
    raw = instance_from(follow_up(), answers, instance_id=IID, recorded_at=RECORDED, tz=BAMAKO, lists=People())
    return read_instance(raw)


def test_a_known_person_is_looked_up_and_updated() -> None:
    instance = followed({"person": AWA, "full": "Awa", "village": "Kita"})

    (action,) = entity_actions(follow_up(), instance)
    assert text(instance, "before") == "Siby"
    assert (action.entity_id, action.create, action.update) == (AWA, False, True)
    assert (action.base_version, action.trunk_version) == (4, 3)
    assert action.data == {"full_name": "Awa", "village": "Kita"}


def test_an_unknown_person_is_created_under_an_id_that_a_resend_keeps() -> None:
    first, again = (entity_actions(follow_up(), followed({"full": "Fanta"}))[0] for _ in range(2))

    assert (first.create, first.update, first.flags) == (True, False, ())
    assert first.entity_id == again.entity_id


def test_what_was_looked_up_on_the_tablet_is_kept() -> None:
    assert text(followed({"person": AWA, "before": "Ouélessébougou"}), "before") == "Ouélessébougou"


def test_dynamic_defaults_and_triggered_values_are_worked_out() -> None:
    instance = followed({"village": "Kita"})

    assert text(instance, "asked") == "2026-11-20T16:02:11.000+00:00"
    assert text(instance, "moved") == "to Kita"
    assert text(followed({}), "moved") == ""


def test_relevance_and_calculations_are_worked_out_in_the_order_of_their_dependence() -> None:
    shown = followed({"many": 2, "rows": [{"x": 1, "y": 5}, {"x": 2, "y": 7}], "late": "yes"})
    hidden = followed({"many": 1, "rows": [{"x": 1, "y": 5}, {"x": 2, "y": 7}], "late": "yes"})

    told = answers_of(follow_up(), shown)
    assert told["rows"] == [{"x": 1, "z": "2"}, {"x": 2, "y": 7, "z": "4"}]
    assert (told["total"], told["counted"], told["late"]) == ("6", "2", "yes")
    told = answers_of(follow_up(), hidden)
    assert "rows" not in told
    assert (told["total"], told["counted"], told.get("late")) == ("0", "0", None)


# Faults


@pytest.mark.parametrize(
    ("answers", "place"),
    [
        ({"vilage": "x"}, "answers.vilage"),
        ({"people": [{"full": "x"}, {"sexe": "x"}]}, "answers.people[1].sexe"),
        ({"people": {"full": "x"}}, "answers.people"),
        ({"people": ["x"]}, "answers.people[0]"),
        ({"people": [None]}, "answers.people[0]"),
        ({"sale": []}, "answers.sale"),
        ({"village": 5}, "answers.village"),
        ({"village": True}, "answers.village"),
        ({"village": ["x"]}, "answers.village"),
        ({"village": {"x": 1}}, "answers.village"),
        ({"village": "a\x00b"}, "answers.village"),
        ({"village": "a\x1bb"}, "answers.village"),
        ({"village": "a\ud800b"}, "answers.village"),
        ({"village": "a\ufffe"}, "answers.village"),
        ({"sacks": 1.5}, "answers.sacks"),
        ({"sacks": True}, "answers.sacks"),
        ({"sacks": [1]}, "answers.sacks"),
        ({"sacks": 2**63}, "answers.sacks"),
        ({"sacks": -(10**400)}, "answers.sacks"),
        ({"weight": float("nan")}, "answers.weight"),
        ({"weight": float("inf")}, "answers.weight"),
        ({"topics": ["market", 5]}, "answers.topics[1]"),
        ({"topics": ["two words"]}, "answers.topics[0]"),
        ({"topics": [""]}, "answers.topics[0]"),
        ({"topics": 5}, "answers.topics"),
        ({"point": [12.3]}, "answers.point"),
        ({"point": [12.3, "8"]}, "answers.point"),
        ({"point": [12.3, float("nan")]}, "answers.point"),
        ({"point": {"lat": 1}}, "answers.point"),
        ({"meta": {"instanceID": 5}}, "answers.meta.instanceID"),
        ({"meta": {"entity": {}}}, "answers.meta.entity"),
        ({"people": [{"meta": {"entity": {"uuid": "x"}}}]}, "answers.people[0].meta.entity.uuid"),
        ({"people": [{"meta": {"entity": {"id": ["x"]}}}]}, "answers.people[0].meta.entity.id"),
        ([], "answers"),
        ("text", "answers"),
        (None, "answers"),
    ],
)
def test_a_key_or_a_type_that_is_wrong_is_named_by_its_path(answers: Any, place: str) -> None:
    (fault,) = faults_of(answers)

    assert fault.startswith(f"{place}: ")


def test_all_faults_are_told_at_once_and_a_near_name_is_suggested() -> None:
    with pytest.raises(Faulty) as caught:
        made({"vilage": "x", "sacks": "x", "weight": [], "people": [{"ful": 1}]})

    assert [finding.place for finding in caught.value.findings] == [
        "answers.vilage",
        "answers.weight",
        "answers.people[0].ful",
    ]
    assert caught.value.findings[0].remedy == "Did you mean ‘village’?"


def test_thirty_thousand_names_that_the_form_has_not_are_told_at_once_and_only_the_first_of_them() -> None:
    began = time.process_time()
    with pytest.raises(Faulty) as caught:
        made({f"village_{number}": "x" for number in range(30_000)})

    assert len(caught.value.findings) == 100
    assert time.process_time() - began < 2  # looking for a near name of each would take several times as long


def test_a_text_that_is_no_number_is_taken_and_flagged_when_it_is_checked() -> None:
    instance = made({"sacks": "four"})

    assert [flag.code for flag in check(the_form(), instance, NoLists(), RECORDED, BAMAKO)] == ["type"]


@pytest.mark.parametrize("bad", ["a\x00b", "a\ud800"])
def test_an_instance_id_that_xml_cannot_hold_is_a_finding(bad: str) -> None:
    with pytest.raises(Faulty):
        made({}, bad)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["village", "sacks", "topics", "point", "people", "full", "sale", "meta", "entity", "id", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
@example({"people": [{"meta": {"entity": {"create": 10**30}}}]})
def test_no_json_raises_anything_but_findings(answers: Any) -> None:
    try:
        raw = instance_from(the_form(), answers, instance_id=IID, recorded_at=RECORDED, tz=BAMAKO, lists=NoLists())
    except Faulty:
        return
    assert read_instance(raw).instance_id == IID


# XML → JSON, and the law


PERSON = st.fixed_dictionaries(
    {},
    optional={
        "full": st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10),
        "sex": st.none() | st.sampled_from(["female", "male"]),
    },
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "village": st.none()
        | st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t\r"), min_size=1, max_size=20),
        "topics": st.none() | st.lists(st.sampled_from(["market", "gov"]), min_size=1, max_size=2, unique=True),
        "point": st.none() | st.lists(st.integers(-90, 90) | st.floats(-90, 90), min_size=2, max_size=4),
        "sacks": st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
        "weight": st.none() | st.floats(-1e15, 1e15) | st.integers(-(10**9), 10**9),
        "day": st.none() | st.dates().map(str),
        "photo": st.none() | st.sampled_from(["1699.jpg", "été.jpg"]),
        "sale": st.fixed_dictionaries(
            {}, optional={"buyer": st.sampled_from(["WFP", "x y"]), "price": st.integers(0, 10**6)}
        ),
        "people": st.lists(PERSON, max_size=3),
    },
)


@given(ANSWERS)
def test_answers_come_back_from_the_instance_that_was_made_of_them(answers: dict[str, Any]) -> None:
    first = made(answers)
    told = answers_of(the_form(), first)
    again = made(json.loads(json.dumps(told)))

    assert again.canonical_sha256 == first.canonical_sha256
    assert answers_of(the_form(), again) == told
    for name in answers.keys() & {"village", "topics", "point", "sacks", "weight", "day", "photo"}:
        value = answers[name]
        blank = isinstance(value, str) and value.isspace()
        assert told[name] == (None if blank else value)


def instance_of(inside: str) -> Instance:
    return read_instance(f'<data id="visit" version="7">{inside}</data>'.encode())


def test_answers_mirror_the_form() -> None:
    found = answers_of(
        the_form(),
        instance_of(
            "<village>Siby</village><topics>gov market</topics><point>12.3 -8.0 0 4.5</point><sacks>4</sacks>"
            "<weight>12.10</weight><photo/><sale><buyer>WFP</buyer></sale><people><full>Awa</full></people><people/>"
            f"<meta><instanceID>{IID}</instanceID></meta>"
        ),
    )

    assert found == {
        "village": "Siby",
        "topics": ["gov", "market"],
        "point": [12.3, -8.0, 0, 4.5],
        "sacks": 4,
        "weight": 12.1,
        "photo": None,
        "sale": {"buyer": "WFP"},
        "people": [{"full": "Awa"}, {}],
    }


@pytest.mark.parametrize(
    ("inside", "answers"),
    [
        ("<sacks>many</sacks>", {"sacks": "many"}),
        ("<sacks>9223372036854775808</sacks>", {"sacks": "9223372036854775808"}),
        ("<weight>0.1234567890123456789</weight>", {"weight": "0.1234567890123456789"}),
        ("<weight>1.23456789E7</weight>", {"weight": 12345678.9}),
        ("<weight>1.0E-4</weight>", {"weight": 0.0001}),
        ("<point>here</point>", {"point": "here"}),
        ("<village> Siby\n</village>", {"village": " Siby\n"}),
        ("<village>  </village>", {"village": None}),
        ("<unknown>x</unknown>", {}),
    ],
)
def test_what_is_not_of_its_type_is_told_as_it_was_written(inside: str, answers: dict[str, Any]) -> None:
    assert answers_of(the_form(), instance_of(inside)) == answers


def test_an_encrypted_submission_has_no_answers() -> None:
    instance = read_instance(
        b'<data id="visit" version="7" encrypted="yes"><base64EncryptedKey>x</base64EncryptedKey>'
        b"<encryptedXmlFile>submission.xml.enc</encryptedXmlFile><media><file>1.jpg.enc</file></media></data>"
    )

    assert answers_of(the_form(), instance) == {}
    assert fingerprint(the_form(), instance) is None
    assert attachments_named(the_form(), instance) == ["submission.xml.enc", "1.jpg.enc"]


def test_files_are_named_by_their_questions_and_the_audit() -> None:
    instance = instance_of("<photo>1699.jpg</photo><meta><audit>audit.csv</audit></meta>")

    assert attachments_named(the_form(), instance) == ["1699.jpg", "audit.csv"]


# Double saves


SAVED = "<village>Siby</village><topics>gov</topics><sacks>4</sacks><weight>2</weight><day>2026-11-20</day>"


def test_two_saves_of_one_visit_have_one_fingerprint() -> None:
    first = instance_of(f"<start>2026-11-20T08:00:00Z</start>{SAVED}<kilos>200</kilos><code>a</code>")
    second = instance_of(f"<start>2026-11-20T09:00:00Z</start>{SAVED}<kilos>200</kilos><code>b</code><photo/>")

    found = fingerprint(the_form(), first)
    assert found is not None
    assert len(found) == 16
    assert found == fingerprint(the_form(), second)


@pytest.mark.parametrize("written", ["2.0", "2.00", "+2", "02", "2.", "0.2e1", " 2 "])
def test_a_number_is_the_same_however_it_is_written(written: str) -> None:
    other = SAVED.replace("<weight>2<", f"<weight>{written}<")

    assert fingerprint(the_form(), instance_of(other)) == fingerprint(the_form(), instance_of(SAVED))


@pytest.mark.parametrize("other", ["2.01", "-2", "20", "2e2", "٢", "2 2", "two", "2" * 50])
def test_another_number_is_another_visit(other: str) -> None:
    changed = SAVED.replace("<weight>2<", f"<weight>{other}<")

    assert fingerprint(the_form(), instance_of(changed)) != fingerprint(the_form(), instance_of(SAVED))


@pytest.mark.parametrize(
    "other",
    [
        SAVED.replace("Siby", "Kita"),
        SAVED + "<photo>1.jpg</photo>",
        SAVED + "<people><full>Awa</full></people>",
        SAVED.replace("<weight>2</weight>", "<photo>2</photo>"),
    ],
)
def test_another_answer_is_another_visit(other: str) -> None:
    assert fingerprint(the_form(), instance_of(other)) != fingerprint(the_form(), instance_of(SAVED))


def test_the_same_name_in_another_iteration_is_another_visit() -> None:
    first = instance_of(SAVED + "<people><full>Awa</full></people><people/>")
    second = instance_of(SAVED + "<people/><people><full>Awa</full></people>")

    assert fingerprint(the_form(), first) != fingerprint(the_form(), second)


def test_four_answers_tell_nothing() -> None:
    assert fingerprint(the_form(), instance_of(SAVED.replace("<weight>2</weight>", ""))) is None


def test_namespaces_are_those_of_clients() -> None:
    raw = instance_from(
        the_form(),
        {"people": [{"full": "Awa", "sex": "female"}]},
        instance_id=IID,
        recorded_at=RECORDED,
        tz=BAMAKO,
        lists=NoLists(),
    )

    root = etree.fromstring(raw)

    assert root.find("{http://openrosa.org/xforms}meta/{http://openrosa.org/xforms}instanceID") is not None
    assert root.find("people/meta/{http://www.opendatakit.org/xforms/entities}entity") is not None
