"""What a submission does to entity lists, by the ODK Entities specification."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms.workbooks.workbook import Workbook, read_workbook
from forms.xforms.entities import EntityAction, entity_actions
from forms.xforms.instance import read_instance
from tests.support.workbooks import a_workbook

AWA = "6a0f35d2-8f4e-4c4b-9c0e-0c9f1b1e2d3c"
SIBY = "11111111-2222-4333-8444-555555555555"
REGISTRY = """
    | survey                            |            |       |                        |
    | type                              | name       | label | save_to                |
    | text                              | hamlet     | Where | households#hamlet      |
    | begin_group                       | about      | About |                        |
    | integer                           | size       | Size  | households#size        |
    | end_group                         | about      |       |                        |
    | begin_repeat                      | people     | P     |                        |
    | text                              | full       | Name  | people#full_name       |
    | begin_group                       | more       | More  |                        |
    | select_one sex                    | sex        | Sex   | people#sex             |
    | end_group                         | more       |       |                        |
    | end_repeat                        | people     |       |                        |
    | choices                           |            |       |                        |
    | list_name                         | name       | label |                        |
    | sex                               | female     | Woman |                        |
    | entities                          |            |       |                        |
    | list_name                         | label      |       |                        |
    | households                        | ${hamlet}  |       |                        |
    | people                            | ${full}    |       |                        |
"""


@cache
def the_form() -> Workbook:
    return read_workbook(a_workbook("registry", "1", REGISTRY), "registry.xlsx")


def actions(inside: str) -> list[EntityAction]:
    xml = f'<data id="registry" version="1" xmlns:e="http://www.opendatakit.org/xforms/entities">{inside}</data>'
    return entity_actions(the_form().form, read_instance(xml.encode()))


def household(attributes: str, label: str = "Siby 4") -> str:
    entity = f'<e:entity dataset="households" {attributes}><e:label>{label}</e:label></e:entity>'
    return f"<hamlet>Siby</hamlet><about><size>7</size></about><meta>{entity}</meta>"


def test_a_new_entity_has_its_label_and_its_properties() -> None:
    (action,) = actions(household(f'id="uuid:{SIBY.upper()}" create="1"'))

    assert action == EntityAction(
        list_name="households",
        entity_id=SIBY,
        create=True,
        update=False,
        label="Siby 4",
        data={"hamlet": "Siby", "size": "7"},
        base_version=None,
        trunk_version=None,
        branch_id=None,
        path="/data/meta/entity",
    )


def test_an_update_says_what_it_started_from() -> None:
    (action,) = actions(household(f'id="{SIBY}" update="1" baseVersion="3" trunkVersion="2" branchId="{AWA}"'))

    assert (action.create, action.update) == (False, True)
    assert (action.base_version, action.trunk_version, action.branch_id) == (3, 2, AWA)


def test_both_at_once_is_an_upsert() -> None:
    (action,) = actions(household(f'id="{SIBY}" create="true" update="TRUE" baseVersion=""'))

    assert (action.create, action.update, action.base_version) == (True, True, None)


@pytest.mark.parametrize("attributes", ["", 'create=""', 'create="0" update="false"'])
def test_an_entity_that_is_neither_created_nor_updated_is_no_action(attributes: str) -> None:
    assert actions(household(f'id="{SIBY}" {attributes}')) == []


def test_each_iteration_of_a_repeat_has_its_own_entity() -> None:
    found = actions(
        "<people><full>Awa</full><more><sex>female</sex></more>"
        f'<meta><e:entity id="{AWA}" create="1"><e:label>Awa</e:label></e:entity></meta></people>'
        "<people><full>Moussa</full></people>"
        f'<people><full/><meta><e:entity id="{SIBY}" update="1"/></meta></people>'
    )

    assert [(action.entity_id, dict(action.data), action.path) for action in found] == [
        (AWA, {"full_name": "Awa", "sex": "female"}, "/data/people[1]/meta/entity"),
        (SIBY, {"full_name": ""}, "/data/people[3]/meta/entity"),
    ]


def test_a_question_that_was_not_relevant_leaves_its_property_alone() -> None:
    (action,) = actions(f'<meta><e:entity id="{SIBY}" update="1"/></meta>')

    assert action.data == {}


@pytest.mark.parametrize(
    ("attributes", "label", "codes"),
    [
        ('id="seventeen" create="1"', "A", ["type"]),
        ('create="1"', "A", ["type"]),
        (f'id="{SIBY}" create="1"', "", ["required"]),
        (f'id="{SIBY}" create="1"', "  ", ["required"]),
        (f'id="{SIBY}" update="1" baseVersion="three"', "A", ["type"]),
        (f'id="{SIBY}" update="1" trunkVersion="-1"', "A", ["type"]),
        ('id="" create="1" baseVersion="x"', "", ["type", "required", "type"]),
    ],
)
def test_a_faulty_action_is_flagged_and_does_nothing(attributes: str, label: str, codes: list[str]) -> None:
    (action,) = actions(household(attributes, label))

    assert [flag.code for flag in action.flags] == codes
    assert not action.create
    assert not action.update


def test_an_update_needs_no_label() -> None:
    (action,) = actions(household(f'id="{SIBY}" update="1"', ""))

    assert (action.flags, action.label, action.update) == ((), None, True)


def test_an_encrypted_submission_does_nothing_that_could_be_read() -> None:
    xml = '<data id="registry" version="1" encrypted="yes"><meta><entity id="x" create="1"/></meta></data>'

    assert entity_actions(the_form().form, read_instance(xml.encode())) == []


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_no_attribute_makes_it_raise(text: str) -> None:
    written = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")

    (action,) = actions(household(f'id="{written}" create="1" baseVersion="{written}" branchId="{written}"', written))

    assert action.flags
