# ruff: noqa: E501 -- a form's table is as wide as its columns.
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms.findings import Faulty
from forms.form import NoLists
from forms.xforms.check import check
from forms.xforms.xform import compile_form
from tests.support.forms import NOW, UTC, Tables, an_instance, checked, compiled, xform_of

VISIT = compiled(
    """
    | survey |                 |           |                     |                    |                    |                  |                                  |          |         |                   |
    |        | type            | name      | label::English (en) | label::French (fr) | constraint         | calculation      | constraint_message::French (fr)  | required | default | relevant          |
    |        | start           | start     |                     |                    |                    |                  |                                  |          |         |                   |
    |        | today           | today     |                     |                    |                    |                  |                                  |          |         |                   |
    |        | deviceid        | deviceid  |                     |                    |                    |                  |                                  |          |         |                   |
    |        | start-geopoint  | where     |                     |                    |                    |                  |                                  |          |         |                   |
    |        | audit           | audit     |                     |                    |                    |                  |                                  |          |         |                   |
    |        | text            | who       | Name                | Nom                |                    |                  |                                  | yes      | Awa     |                   |
    |        | integer         | age       | Age of ${who}       | Âge de ${who}      | . < 120            |                  | Trop vieux                       |          |         | ${who} != ''      |
    |        | date            | on        | On                  | Le                 |                    |                  |                                  |          | today() |                   |
    |        | select_one yn   | ok        | OK?                 | D'accord ?         |                    |                  |                                  |          |         |                   |
    |        | select_multiple yn | all    | All                 | Tous               |                    |                  |                                  |          |         |                   |
    |        | rank yn         | order     | Order               | Ordre              |                    |                  |                                  |          |         |                   |
    |        | select_one_from_file villages.csv | village | Village | Village      |                    |                  |                                  |          |         |                   |
    |        | note            | thanks    | Thanks              | Merci              |                    |                  |                                  |          |         |                   |
    |        | image           | photo     | Photo               | Photo              |                    |                  |                                  |          |         |                   |
    |        | geopoint        | gps       | Place               | Lieu               |                    |                  |                                  |          |         |                   |
    |        | begin_group     | house     | House               | Maison             |                    |                  |                                  |          |         |                   |
    |        | begin_repeat    | people    | People              | Gens               |                    |                  |                                  |          |         |                   |
    |        | decimal         | muac      | MUAC                | PB                 |                    |                  |                                  |          |         |                   |
    |        | calculate       | late      |                     |                    |                    | \\${early} * 2    |                                  |          |         |                   |
    |        | calculate       | early     |                     |                    |                    | \\${muac} + 1     |                                  |          |         |                   |
    |        | end_repeat      |           |                     |                    |                    |                  |                                  |          |         |                   |
    |        | end_group       |           |                     |                    |                    |                  |                                  |          |         |                   |
    | choices |                |           |                     |                    |
    |        | list_name       | name      | label::English (en) | label::French (fr) |
    |        | yn              | yes       | Yes                 | Oui                |
    |        | yn              | no        | No                  | Non                |
    | settings |               |           |                     |                    |
    |        | form_id         | version   | form_title          | default_language   | name  | instance_name |
    |        | visit           | 2026112401 | A visit            | French (fr)        | visit | ${who}        |
""".replace("\\$", "$"),
    renames={"/data/who": "/data/name"},
)


def told(markdown: str) -> str:
    with pytest.raises(Faulty) as caught:
        compiled(markdown)
    return str(caught.value)


def test_a_form_says_what_it_is() -> None:
    assert (VISIT.form_id, VISIT.version, VISIT.title) == ("visit", "2026112401", "A visit")
    assert VISIT.languages == ("English (en)", "French (fr)")
    assert VISIT.default_language == "French (fr)"
    assert VISIT.xform.startswith(b"<?xml")


def test_paths_begin_with_data_whatever_the_root_element_is_called() -> None:
    assert all(path.startswith("/data/") for path in VISIT.fields)
    assert VISIT.root.tag == "visit"


def test_questions_have_their_types() -> None:
    types = {field.name: field.type for field in VISIT.fields.values()}

    assert types == {
        "start": "dateTime",
        "today": "date",
        "deviceid": "string",
        "where": "geopoint",
        "who": "string",
        "age": "int",
        "on": "date",
        "ok": "select1",
        "all": "select",
        "order": "rank",
        "village": "select1",
        "thanks": "string",
        "photo": "binary",
        "gps": "geopoint",
        "muac": "decimal",
        "late": "string",
        "early": "string",
        "audit": "binary",
        "instanceID": "string",
        "instanceName": "string",
    }


def test_metadata_calculations_and_notes_are_told_apart_from_questions() -> None:
    fields = VISIT.fields.values()

    assert {f.name for f in fields if f.metadata} == {
        "start", "today", "deviceid", "where", "audit", "instanceID", "instanceName",
    }  # fmt: skip
    assert {f.name for f in fields if f.calculated} == {"late", "early", "instanceName"}
    assert {f.name for f in fields if f.readonly} == {"thanks", "instanceID"}


def test_a_renamed_question_keeps_its_identity() -> None:
    assert VISIT.fields["/data/who"].identity == "/data/name"
    assert VISIT.by_identity["/data/name"].path == "/data/who"
    assert VISIT.by_identity["/data/age"].path == "/data/age"


def test_a_question_knows_the_repeat_around_it() -> None:
    assert VISIT.repeats == ("/data/house/people",)
    assert VISIT.fields["/data/house/people/muac"].repeat == "/data/house/people"
    assert VISIT.fields["/data/age"].repeat is None


def test_labels_and_messages_are_by_language() -> None:
    assert VISIT.fields["/data/age"].labels == {"English (en)": "Age of ${who}", "French (fr)": "Âge de ${who}"}
    assert VISIT.binds["/data/age"].constraint_messages == {"French (fr)": "Trop vieux"}
    assert VISIT.choices["yn"]["yes"].labels == {"English (en)": "Yes", "French (fr)": "Oui"}
    assert VISIT.choice_label("/data/ok", "no", NoLists()) == "Non"
    assert VISIT.choice_label("/data/ok", "no", NoLists(), "English (en)") == "No"


def test_a_form_without_languages_has_its_labels_under_none() -> None:
    form = compiled("""
        | survey |               |      |       |
        |        | type          | name | label |
        |        | select_one yn | q    | Well? |
        | choices |              |      |       |
        |        | list_name     | name | label |
        |        | yn            | yes  | Yes   |
    """)

    assert (form.languages, form.default_language) == ((), "")
    assert form.fields["/data/q"].labels == {"": "Well?"}
    assert form.choices["yn"]["yes"].labels == {"": "Yes"}


def test_choices_inside_and_outside_the_form_are_told_apart() -> None:
    assert (VISIT.fields["/data/ok"].itemset, VISIT.fields["/data/ok"].external) == ("yn", False)
    assert (VISIT.fields["/data/village"].itemset, VISIT.fields["/data/village"].external) == ("villages", True)
    assert list(VISIT.choices["yn"]) == ["yes", "no"]


def test_rules_that_never_or_always_hold_are_left_out() -> None:
    form = compiled("""
        | survey |         |      |       |          |          |            |
        |        | type    | name | label | required | relevant | constraint |
        |        | integer | a    | A     | false()  | true()   | true()     |
        |        | integer | b    | B     | true()   | 1 = 2    |            |
    """)

    assert (form.binds["/data/a"].required, form.binds["/data/a"].relevant) == (None, None)
    assert form.binds["/data/a"].constraint is None
    assert form.binds["/data/b"].required is not None
    assert form.binds["/data/b"].relevant is not None


def test_calculations_come_after_what_they_read() -> None:
    order = [bind.path.rpartition("/")[2] for bind in VISIT.calculations]

    assert order.index("early") < order.index("late")


def test_a_circle_of_calculations_is_a_finding() -> None:
    assert "in a circle: " in told("""
        | survey |           |      |             |
        |        | type      | name | calculation |
        |        | calculate | a    | ${b} + 1    |
        |        | calculate | b    | ${a} + 1    |
    """)


def test_a_circle_of_what_is_shown_and_calculated_names_the_questions() -> None:
    found = told("""
        | survey |             |      |       |             |             |
        |        | type        | name | label | calculation | relevant    |
        |        | begin_group | home |       |             | ${rich} = 1 |
        |        | integer     | cows | Cows  |             |             |
        |        | end_group   | home |       |             |             |
        |        | calculate   | rich |       | ${cows} > 9 |             |
    """)

    assert "Rules depend on each other in a circle: " in found
    assert "‘cows’ in ‘home’" in found
    assert "‘rich’" in found


def test_every_circle_is_named() -> None:
    found = told("""
        | survey |         |      |       |          |
        |        | type    | name | label | relevant |
        |        | integer | a    | A     | ${b} = 1 |
        |        | integer | b    | B     | ${a} = 1 |
        |        | integer | c    | C     | ${d} = 1 |
        |        | integer | d    | D     | ${c} = 1 |
    """)

    assert found.count("in a circle") == 2


def test_defaults_that_are_worked_out_are_actions() -> None:
    defaults = {action.path: action for action in VISIT.actions if action.name == "setvalue"}

    assert defaults["/data/on"].events == ("odk-instance-first-load",)
    assert defaults["/data/on"].value is not None
    assert defaults["/data/on"].value.text == "today()"
    assert VISIT.root.findtext("who") == "Awa"


def test_a_calculation_on_a_trigger_is_an_action_of_the_question_that_fires_it() -> None:
    form = compiled("""
        | survey |           |      |       |             |         |
        |        | type      | name | label | calculation | trigger |
        |        | text      | a    | A     |             |         |
        |        | calculate | b    |       | now()       | ${a}    |
    """)

    (action,) = form.actions
    assert (action.path, action.trigger, action.events) == ("/data/b", "/data/a", ("xforms-value-changed",))
    assert form.calculations == ()


def test_the_template_has_each_repeat_once_and_no_namespaces() -> None:
    assert len(VISIT.root.findall("house/people")) == 1
    assert all("}" not in name for element in VISIT.root.iter() for name in (element.tag, *element.attrib))


def test_entities_are_declared_with_what_they_save() -> None:
    form = compiled("""
        | survey |              |        |       |         |
        |        | type         | name   | label | save_to |
        |        | text         | town   | T     |         |
        |        | begin_repeat | people | P     |         |
        |        | text         | who    | W     | fname   |
        |        | integer      | age    | A     | age     |
        |        | end_repeat   |        |       |         |
        | entities |            |        |       |
        |        | list_name    | label  | repeat |
        |        | people       | ${who} | ${people} |
    """)

    (entity,) = form.entities
    assert (entity.list_name, entity.repeat, entity.path) == ("people", "/data/people", "/data/people/meta/entity")
    assert entity.saves == {"fname": "/data/people/who", "age": "/data/people/age"}
    assert entity.label == "../../../who"
    assert form.entities_version is not None
    assert not any("entity" in path for path in form.fields)


@pytest.mark.parametrize(
    ("xform", "words"),
    [
        (b"", "not a readable XForm"),
        (b"<html/>", "no model"),
        (b"<!DOCTYPE x><x/>", "DOCTYPE"),
        (b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "DOCTYPE"),
    ],
)
def test_what_is_no_xform_is_refused(xform: bytes, words: str) -> None:
    with pytest.raises(Faulty, match=words):
        compile_form(xform)


def test_every_faulty_rule_of_a_form_is_told_with_its_place() -> None:
    told_of = told("""
        | survey |         |      |       |                |             |                  |
        |        | type    | name | label | constraint     | calculation | relevant         |
        |        | integer | age  | Age   | . < limit(3)   |             | /data/agee > 1   |
        |        | calculate | c  |       |                | 1 +         |                  |
    """)

    assert "/data/age, column constraint: There is no function ‘limit()’." in told_of
    assert "/data/age, column relevant: ‘/data/agee’ is not a question of this form. Did you mean ‘age’?" in told_of
    assert "/data/c, column calculation: The expression ends too early" in told_of


def test_a_choice_filter_is_checked_too() -> None:
    assert "/data/b, column choice_filter: ‘/data/x’ is not a question" in told("""
        | survey |                |      |       |                  |
        |        | type           | name | label | choice_filter    |
        |        | select_one yn  | b    | B     | kind = /data/x   |
        | choices |               |      |       |      |
        |        | list_name      | name | label | kind |
        |        | yn             | yes  | Yes   | a    |
    """)


BY_HAND = """
    <h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
            xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms">
      <h:head><h:title>By hand</h:title><model>
        <instance>
          <visit id="by_hand" version="1"><who/><house><roof/><well/></house>
            <orx:meta><orx:instanceID/><orx:instanceName/></orx:meta></visit>
        </instance>
        <instance id="wells"><root>
          <group of="a"><well id="w1">Market</well></group><group of="b"><well id="w2">School</well></group>
        </root></instance>
        <bind id="named" nodeset="/visit/who" type="string"/>
        <bind nodeset="/visit/house/roof" relevant="/visit/who != ''"/>
        <bind nodeset="/visit/orx:meta/orx:instanceID" jr:preload="uid"/>
        <bind nodeset="/visit/orx:meta/orx:instanceName" calculate="/visit/who"/>
      </model></h:head>
      <h:body>
        <input bind="named"><label>Who?</label></input>
        <group ref="/visit/house"><label>House</label>
          <input ref="roof"><label>Roof</label></input>
          <select1 ref="./well"><label>Well</label>
            <itemset nodeset="instance('wells')/root/group/well"><value ref="."/><label ref="."/></itemset></select1>
        </group>
      </h:body>
    </h:html>
"""


def test_a_form_written_by_hand_may_name_its_questions_in_any_way_that_clients_read() -> None:
    form = compile_form(BY_HAND.encode())

    assert {path: field.labels[""] for path, field in form.fields.items() if not field.metadata} == {
        "/data/who": "Who?",
        "/data/house/roof": "Roof",
        "/data/house/well": "Well",
    }
    assert form.binds["/data/meta/instanceName"].calculate is not None
    told = [checked(form, who="Awa", house={"well": well}) for well in ("School", "Elsewhere")]
    assert [[flag.code for flag in flags] for flags in told] == [[], ["choice"]]


def test_a_bind_may_be_written_from_the_root_of_the_record() -> None:
    form = compile_form(BY_HAND.replace('nodeset="/visit/', 'nodeset="').encode())

    assert form.binds.keys() == compile_form(BY_HAND.encode()).binds.keys()
    assert list(form.fields) == list(compile_form(BY_HAND.encode()).fields)
    assert [flag.code for flag in checked(form, who="", house={"roof": "straw"})] == ["relevant"]


@pytest.mark.parametrize("stored", [".", "@id", "concat(a, 'b')", "jr:itext(x)"])
def test_what_is_stored_of_a_choice_may_be_worked_out(stored: str) -> None:
    chosen = BY_HAND.replace("root/group/well", "root/group/well[. != '']").replace(
        'value ref="."', f'value ref="{stored}"'
    )

    assert compile_form(chosen.encode()).itemsets["/data/house/well"].value == stored


def test_a_choice_of_a_file_may_name_its_text_in_each_language() -> None:
    form = compile_form(
        BY_HAND.replace(
            '<instance id="wells">',
            """
            <itext><translation lang="fr"><text id="w1"><value>Puits</value></text></translation></itext>
            <instance id="trees" src="jr://file/trees.xml"/><instance id="wells">""",
        )
        .replace("instance('wells')/root/group/well", "instance('trees')/root/item")
        .replace('<value ref="."/><label ref="."/>', '<value ref="name"/><label ref="jr:itext(text)"/>')
        .replace('calculate="/visit/who"', """calculate="jr:choice-name(/visit/house/well, '/visit/house/well')\"""")
        .encode()
    )
    trees = Tables(trees=[{"name": "k", "text": "w1"}])

    assert form.choice_label("/data/house/well", "k", trees) == "Puits"
    assert form.choice_label("/data/house/well", "k", trees, "bm") == "-"
    assert form.choice_label("/data/house/well", "z", trees) == ""


def test_a_group_without_a_reference_takes_no_question_s_place() -> None:
    grouped = BY_HAND.replace("<h:body>", "<h:body><group><label>All</label>").replace("</h:body>", "</group></h:body>")

    form = compile_form(grouped.encode())

    assert form.headings == {"/data": {"": "All"}, "/data/house": {"": "House"}}
    assert list(form.fields) == list(compile_form(BY_HAND.encode()).fields)


def test_a_form_without_an_id_is_refused() -> None:
    xform = xform_of("""
        | survey |         |      |       |
        |        | type    | name | label |
        |        | integer | age  | Age   |
    """)

    with pytest.raises(Faulty, match="has no id"):
        compile_form(xform.replace(b' id="visit"', b""))
    with pytest.raises(Faulty, match="id is longer than 500 bytes"):
        compile_form(xform.replace(b' id="visit"', b' id="' + b"v" * 501 + b'"'))


def test_the_same_words_in_two_places_are_one_calculation() -> None:
    form = compiled("""
        | survey |              |        |       |                  |
        |        | type         | name   | label | calculation      |
        |        | begin_repeat | people | P     |                  |
        |        | integer      | age    | A     |                  |
        |        | calculate    | here   |       | count(${people}) |
        |        | end_repeat   |        |       |                  |
        |        | calculate    | all    |       | count(${people}) |
    """)
    alone: Any = form.binds["/data/people/here"].calculate

    assert alone.depends_on == {"/data/people"}
    assert [bind.path for bind in form.calculations] == ["/data/people/here", "/data/all"]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(VISIT.xform)),
    st.integers(0, 60),
    st.sampled_from(
        [b"", b"<", b'"', b"/data/x", b"instance('", b"'", b"<instance/>", b' calculate="."', b" id=''", b"\xff"]
    ),
)
def test_no_damaged_xform_makes_the_compiler_raise_anything_but_a_finding(start: int, length: int, put: bytes) -> None:
    damaged = VISIT.xform[:start] + put + VISIT.xform[start + length :]

    with suppress(Faulty):
        check(compile_form(damaged), an_instance(VISIT), NoLists(), NOW, UTC)
