"""OData as Excel, Power BI, ruODK and pyODK meet it: documents, rows, filters, pages, and who sees what."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from lxml import etree
from odatapy.client import EdmEnabledODataClient
from odatapy.client.responses import ClientResponse
from pyodk._utils.config import CentralConfig, Config
from pyodk.client import Client
from sqlalchemy import select
from werkzeug.serving import make_server

from forms.workbooks.workbook import read_workbook
from server import clock
from server.db import engine_of, session
from server.odata import options
from sync.accounts.roles import withdraw
from sync.exports.fields import SUBMISSIONS
from sync.journal import open_journal
from sync.models import Audit, DraftSubmission, FormDraft
from sync.models.database import begin_writing
from sync.projects.publish import publish_form
from tests.support.collect import a_filled_sale, multipart
from tests.support.exports import publish
from tests.support.projects import NOON, a_sale, instance_id
from tests.support.web import PASSWORD, House, Voice, refused, shown
from tests.support.workbooks import a_workbook, xlsx_of

VISIT = """
    | survey                |             |            |             |
    | type                  | name        | label      | identifying |
    | date                  | day         | Day        |             |
    | text                  | village     | Village    |             |
    | integer               | sacks       | Sacks      |             |
    | decimal               | price       | Price      |             |
    | dateTime              | at          | At         |             |
    | select_multiple crops | crops       | Crops      |             |
    | geopoint              | spot        | Spot       | no          |
    | begin_group           | head        | Head       |             |
    | text                  | head_name   | Name       | yes         |
    | integer               | head_age    | Age        |             |
    | end_group             | head        |            |             |
    | begin_repeat          | people      | People     |             |
    | text                  | nick        | Nick       |             |
    | integer               | age         | Age        |             |
    | begin_repeat          | loans       | Loans      |             |
    | integer               | amount      | Amount     |             |
    | end_repeat            | loans       |            |             |
    | end_repeat            | people      |            |             |
    | image                 | photo       | Photo      |             |
    | choices               |             |            |             |
    | list_name             | name        | label      |             |
    | crops                 | rice        | Rice       |             |
    | crops                 | millet      | Millet     |             |
"""
NAMED = """
    | settings |         |            |               |
    | form_id  | version | form_title | instance_name |
    | visit    | 2       | visit      | ${village}    |
"""
SVC = "forms/visit.svc"


@pytest.fixture
def house(house: House) -> House:
    """The house, with the form `visit` in its project."""
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, read_workbook(a_workbook("visit", "1", VISIT), "visit.xlsx"))
        journal.close()
        session().commit()
    return house


def a_visit(number: int, **answers: Any) -> dict[str, Any]:
    return {
        "instance_id": instance_id(number),
        "form": "visit",
        "version": "1",
        "recorded_at": NOON.isoformat(),
        "answers": {"village": "Siby", "sacks": number, **answers},
    }


def rows(voice: Voice, path: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shown(voice.get(f"{SVC}/{path}", query_string=query))["value"]
    return found


def numbers(voice: Voice, **query: str) -> list[int]:
    return [row["sacks"] for row in rows(voice, "Submissions", **query)]


def test_the_service_document_names_the_tables(house: House) -> None:
    answer = house.fanta.get(SVC)

    assert answer.headers["OData-Version"] == "4.0"
    assert answer.content_type == "application/json; odata.metadata=minimal"
    root = f"http://localhost/v1/projects/{house.pid}/{SVC}"
    assert answer.get_json() == {
        "@odata.context": f"{root}/$metadata",
        "value": [
            {"name": name, "kind": "EntitySet", "url": name}
            for name in ("Submissions", "Submissions.people", "Submissions.people.loans")
        ],
    }


def test_a_row_has_every_question_in_its_group_and_null_where_nothing_was_said(house: House) -> None:
    house.amina.send(
        a_visit(1, day="2026-11-02", crops=["rice", "millet"], spot=[12.5, -8.25, 340, 4.5], head={"head_name": "Awa"})
    )

    (row,) = rows(house.baraka, "Submissions")

    assert row["__id"] == instance_id(1)
    system = row["__system"]
    assert system.pop("submissionDate") == system.pop("updatedAt")
    assert system == {
        "deletedAt": None,
        "submitterId": str(house.amina.actor_id),
        "submitterName": "Amina",
        "attachmentsPresent": 0,
        "attachmentsExpected": 0,
        "status": None,
        "reviewState": None,
        "deviceId": None,
        "edits": 0,
        "formVersion": "1",
    }
    assert row["day"] == "2026-11-02"
    assert row["crops"] == "rice millet"
    assert row["spot"] == {"type": "Point", "coordinates": [-8.25, 12.5, 340], "properties": {"accuracy": 4.5}}
    assert row["head"] == {"head_name": "Awa", "head_age": None}
    assert row["price"] is None
    assert row["meta"] == {"instanceID": instance_id(1), "instanceName": None} or "instanceName" not in row["meta"]
    assert row["people@odata.navigationLink"] == f"Submissions('{instance_id(1).replace(':', '%3A')}')/people"


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("sacks gt 2", [4, 3]),
        ("village eq 'Bamako'", [2]),
        ("village ne 'Bamako'", [4, 3, 1]),
        ("head/head_age eq null", [4, 3, 2]),
        ("head/head_age ne 40", [4, 3, 2]),
        ("not (head/head_age gt 50)", [4, 3, 2, 1]),
        ("contains(village, 'ama')", [2]),
        ("startswith(village,'Si') and sacks lt 4", [1]),
        ("not contains(village, 'x')", [4, 2, 1]),
        ("endswith(village,'o')", [2]),
        ("day ge 2026-11-02", [2]),
        ("month(day) eq 10", [1]),
        ("contains(crops, 'millet')", [1]),
        ("crops eq 'rice millet'", [1]),
        ("price eq 1.5 or sacks in (3, 4)", [4, 3, 1]),
        ("at gt 2026-11-01T09:30:00Z", [1]),
        ("at gt 2026-11-01T11:30:00 02:00", [1]),  # as it comes where nobody wrote the plus as %2B
        ("hour(at) eq 10", [1]),
        ("spot ne null", [1]),
        ("sacks add 1 eq 3", [2]),
        ("length(village) eq 6", [2]),
        ("__system/submissionDate lt now()", [4, 3, 2, 1]),
        ("__system/submissionDate gt 2026-01-01 and __system/edits eq 0", [4, 3, 2, 1]),
        ("year(__system/submissionDate) lt 2000", []),
        ("__id eq 'uuid:00000000-0000-0000-0000-000000000003'", [3]),
        ("__system/reviewState eq null", [4, 3, 2, 1]),
        ("__system/submitterName eq 'Amina' and __system/attachmentsExpected eq 0", [4, 3, 2]),
        ("tolower(village) eq 'siby'", [4, 1]),
    ],
)
def test_any_field_can_be_asked_for(house: House, filter_: str, expected: list[int]) -> None:
    house.amina.send(
        a_visit(
            1,
            day="2026-10-30",
            price=1.5,
            at="2026-11-01T10:00:00.000+00:00",
            head={"head_age": 40},
            crops=["rice", "millet"],
            spot=[12.5, -8.25],
            photo="a.jpg",
        ),
        a_visit(2, village="Bamako", day="2026-11-02"),
        a_visit(3, village=None),
        a_visit(4),
    )

    assert numbers(house.baraka, **{"$filter": filter_}) == expected


@pytest.mark.parametrize(
    ("filter_", "told"),
    [
        ("sackz gt 2", "sacks"),
        ("sacks gt 'two'", "number"),
        ("sacks gt", "end"),
        ("village", "‘village’ is not a condition"),
        ("concat(village, 'a')", "‘concat(village, 'a')’ is not a condition"),
        ("(" * 400 + "sacks eq 1" + ")" * 400, "deep"),
        ("spot gt 3", "map"),
        ("at gt 9999-12-31T23:59:59-14:00", "time"),
        ("at gt 0001-01-01T00:00:00+14:00", "time"),
        ("sacks eq " + "9" * 5000, "number"),
        (" or ".join(["sacks eq 1"] * 600), "parts"),
        ("sacks in (" + ",".join(["1"] * 1200) + ")", "parts"),
    ],
)
def test_a_filter_that_cannot_be_understood_is_told_why(house: House, filter_: str, told: str) -> None:
    answer = house.baraka.get(f"{SVC}/Submissions", query_string={"$filter": filter_})

    assert refused(answer) == 400.18
    assert told in answer.get_data(as_text=True)


def test_rows_can_be_ordered_by_any_field_and_paged_in_that_order(house: House) -> None:
    house.amina.send(*(a_visit(n, price=None if n == 3 else n % 4 / 2) for n in range(1, 8)))

    seen, query = [], {"$orderby": "price desc, village", "$top": "2"}
    answer = shown(house.baraka.get(f"{SVC}/Submissions", query_string=query))
    while True:
        seen += [row["sacks"] for row in answer["value"]]
        if "@odata.nextLink" not in answer:
            break
        answer = shown(house.baraka.get(local(answer["@odata.nextLink"])))

    assert seen == [7, 6, 2, 5, 1, 4, 3]
    assert numbers(house.baraka, **{"$orderby": "price"})[0] == 3


def test_following_the_links_gives_each_row_once_while_new_ones_arrive(house: House) -> None:
    people = [{"nick": f"n{n}", "age": n} for n in range(3)]
    house.amina.send(*(a_visit(n, people=people) for n in range(1, 21)))

    for table, per_row in (("Submissions", 1), ("Submissions.people", 3)):
        seen: list[str] = []
        answer = shown(house.baraka.get(f"{SVC}/{table}", query_string={"$top": "7", "$count": "true"}))
        before = answer["@odata.count"]
        while True:
            seen += [row["__id"] for row in answer["value"]]
            house.amina.send(a_visit(1000 + len(seen) + per_row * 100, people=people), batch=f"{table}{len(seen)}")
            if "@odata.nextLink" not in answer:
                break
            answer = shown(house.baraka.get(local(answer["@odata.nextLink"])))

        assert len(seen) == before
        assert len(set(seen)) == before


def test_the_rows_of_repeats_are_tables_that_join(house: House) -> None:
    house.amina.send(
        a_visit(
            1,
            people=[
                {"nick": "Awa", "age": 30, "loans": [{"amount": 5}, {"amount": 6}]},
                {"nick": "Ba", "age": 40, "loans": [{"amount": 7}]},
            ],
        ),
        a_visit(2, village="Bamako", people=[{"nick": "Cé", "age": 50}]),
    )

    people = rows(house.baraka, "Submissions.people")
    loans = rows(house.baraka, "Submissions.people.loans")

    assert [row["nick"] for row in people] == ["Cé", "Awa", "Ba"]
    assert [row["__Submissions-id"] for row in people] == [instance_id(2), instance_id(1), instance_id(1)]
    assert [row["amount"] for row in loans] == [5, 6, 7]
    assert [row["__Submissions-people-id"] for row in loans] == [people[1]["__id"]] * 2 + [people[2]["__id"]]
    assert people[1]["loans@odata.navigationLink"].endswith(f"/people('{people[1]['__id']}')/loans")
    there = rows(house.baraka, people[1]["loans@odata.navigationLink"])
    assert [row["amount"] for row in there] == [5, 6]
    one = rows(house.baraka, people[1]["loans@odata.navigationLink"].removesuffix("/loans"))
    assert [row["nick"] for row in one] == ["Awa"]
    asked = {"$filter": "age gt 35 and $root/Submissions/village ne 'Bamako'"}
    assert [row["nick"] for row in rows(house.baraka, "Submissions.people", **asked)] == ["Ba"]


def test_repeats_come_along_inside_the_row_on_demand(house: House) -> None:
    house.amina.send(a_visit(1, people=[{"nick": "Awa", "age": 30, "loans": [{"amount": 5}]}]))

    (row,) = rows(house.baraka, "Submissions", **{"$expand": "*"})
    flat = rows(house.baraka, "Submissions.people.loans")

    assert row["people"][0]["nick"] == "Awa"
    assert row["people"][0]["loans"][0]["amount"] == 5
    assert row["people"][0]["loans"][0]["__id"] == flat[0]["__id"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"$select": "sacks", "$expand": "people"}, {"sacks": 1, "people": [{"nick": "Awa", "age": 30}]}),
        ({"$select": "sacks", "$expand": "people($select=nick)"}, {"sacks": 1, "people": [{"nick": "Awa"}]}),
        ({"$select": "sacks, people", "$expand": "people($select=age)"}, {"sacks": 1, "people": [{"age": 30}]}),
        (
            {"$select": "village", "$expand": "people($select=nick;$expand=loans($select=amount))"},
            {"village": "Siby", "people": [{"nick": "Awa", "loans": [{"amount": 5}]}]},
        ),
        (
            {"$select": "sacks", "$expand": "*"},
            {"sacks": 1, "people": [{"nick": "Awa", "age": 30, "loans": [{"amount": 5}]}]},
        ),
        ({"$select": "sacks", "$expand": "*,people($select=age)"}, {"sacks": 1, "people": [{"age": 30}]}),
    ],
)
def test_columns_are_chosen_of_a_row_and_of_the_repeats_in_it(
    house: House, query: dict[str, str], expected: dict[str, Any]
) -> None:
    house.amina.send(a_visit(1, people=[{"nick": "Awa", "age": 30, "loans": [{"amount": 5}]}]))

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        return {
            name: [plain(inner) for inner in value] if isinstance(value, list) else value
            for name, value in row.items()
            if "@" not in name and not name.startswith("__")
        }

    (row,) = rows(house.baraka, "Submissions", **query)
    (same,) = rows(house.baraka, f"Submissions('{instance_id(1)}')", **query)

    assert plain(row) == expected
    assert row == same
    assert "__id" not in row
    assert row["people@odata.navigationLink"].endswith("/people")


def test_a_repeat_that_is_chosen_and_not_expanded_is_a_link(house: House) -> None:
    house.amina.send(a_visit(1, people=[{"nick": "Awa"}]))

    (row,) = rows(house.baraka, "Submissions", **{"$select": "people"})
    (person,) = rows(house.baraka, "Submissions.people", **{"$select": "nick,loans"})

    assert list(row) == ["people@odata.navigationLink"]
    assert list(person) == ["nick", "loans@odata.navigationLink"]


def test_a_repeat_comes_along_by_its_name_and_those_in_it_stay_links(house: House) -> None:
    house.amina.send(a_visit(1, people=[{"nick": "Awa", "age": 30, "loans": [{"amount": 5}]}]))

    (row,) = rows(house.baraka, "Submissions", **{"$expand": "people"})
    inside = house.baraka.get(f"{SVC}/Submissions.people", query_string={"$expand": "loans"})
    unknown = house.baraka.get(f"{SVC}/Submissions", query_string={"$expand": "peeple"})

    assert [inner["nick"] for inner in row["people"]] == ["Awa"]
    assert "loans@odata.navigationLink" in row["people"][0]
    assert "loans" not in row["people"][0]
    assert refused(inside) == 501.1
    assert refused(unknown) == 400.8
    assert "‘people’" in unknown.get_json()["message"]


def with_loans(house: House) -> None:
    """Three submissions, and in each two people with two loans."""
    for number in (1, 2, 3):
        people = [{"nick": f"{number}/{at}", "loans": [{"amount": 10 * number + at}] * 2} for at in (0, 1)]
        house.amina.send(a_visit(number, people=people), batch=f"b{number}")


@pytest.mark.parametrize("table", ["Submissions.people", "Submissions.people.loans"])
@pytest.mark.parametrize("key", ["__id", "parent"])
def test_the_rows_of_repeats_are_sought_and_ordered_by_their_keys(house: House, table: str, key: str) -> None:
    with_loans(house)
    listed = rows(house.baraka, table)
    if key == "parent":
        key = next(name for name in listed[0] if name.startswith("__Submissions-"))
    keys, wanted = [row[key] for row in listed], listed[3][key]

    found = rows(house.baraka, table, **{"$filter": f"{key} eq '{wanted}' and '-' ne '{key}'", "$count": "true"})
    others = rows(house.baraka, table, **{"$filter": f"not ({key} in ('{wanted}'))"})
    counted = house.baraka.get(f"{SVC}/{table}/$count", query_string={"$filter": f"{key} eq '{wanted}'"})
    nobody = rows(house.baraka, table, **{"$filter": f"{key} eq 'uuid:x'"})
    pages, link = [], f"/v1/projects/{house.pid}/{SVC}/{table}?$top=5&$orderby={key}%20desc"
    while link:
        page = shown(house.baraka.get(link))
        pages.append([row[key] for row in page["value"]])
        link = local(page["@odata.nextLink"]) if "@odata.nextLink" in page else ""

    assert found == [row for row in listed if row[key] == wanted]
    assert others == [row for row in listed if row[key] != wanted]
    assert counted.get_data(as_text=True) == str(len(found))
    assert nobody == []
    assert [len(page) for page in pages[:-1]] == [5] * (len(pages) - 1)
    assert [one for page in pages for one in page] == sorted(keys, reverse=True)


def test_rows_that_are_named_by_their_ids_are_found_among_any_number(house: House) -> None:
    with_loans(house)
    root, parent = "$root/Submissions/__id", "__Submissions-id"
    people = rows(house.baraka, "Submissions.people")
    one, two = instance_id(1), instance_id(2)
    house.baraka.put(f"forms/visit/submissions/{one}", data=an_edit_of(1), content_type="application/xml")

    def found(filter_: str, table: str = "Submissions.people") -> list[str]:
        return [row["nick"] for row in rows(house.baraka, table, **{"$filter": filter_})]

    assert numbers(house.baraka, **{"$filter": f"__id eq '{two}'"}) == [2]
    assert numbers(house.baraka, **{"$filter": f"'{two}' eq __id or __id eq 'uuid:x'"}) == [2]
    assert numbers(house.baraka, **{"$filter": f"__id in ('{one}','{two}','uuid:x') and sacks lt 9"}) == [2]
    assert numbers(house.baraka, **{"$filter": f"__id eq '{one}' and __id eq '{two}'"}) == []
    assert numbers(house.baraka, **{"$filter": "__id eq 'uuid:edited'"}) == []
    assert numbers(house.baraka, **{"$filter": f"__id eq '{one}'", "$count": "true"}) == [9]
    assert found(f"{parent} eq '{two}' and __id eq '{people[2]['__id']}'") == ["2/0"]
    assert found(f"{root} eq '{two}' and {parent} in ('{two}','{one}')") == ["2/0", "2/1"]
    assert found(f"{root} eq '{two}' and {parent} eq '{one}'") == []
    assert found(f"__id in ('{people[0]['__id']}','{people[3]['__id']}')") == ["3/0", "2/1"]


def an_edit_of(number: int) -> str:
    return (
        '<data id="visit" version="1"><village>Siby</village><sacks>9</sacks>'
        f"<meta><instanceID>uuid:edited</instanceID><deprecatedID>{instance_id(number)}</deprecatedID></meta></data>"
    )


def test_no_search_looks_into_the_keys_of_a_repeats_rows(house: House) -> None:
    with_loans(house)

    assert rows(house.baraka, "Submissions.people", **{"$search": "uuid"}) == []
    assert [row["nick"] for row in rows(house.baraka, "Submissions.people", **{"$search": '"3/0"'})] == ["3/0"]


def test_how_many_rows_there_are_is_a_number_in_plain_text(house: House) -> None:
    with_loans(house)
    first = f"Submissions('{instance_id(1)}')"
    person = rows(house.baraka, f"{first}/people")[1]["__id"]

    def count(path: str, **query: str) -> str:
        answer = house.baraka.get(f"{SVC}/{path}/$count", query_string=query, headers={"Accept": "text/plain"})
        assert (answer.content_type, answer.headers["OData-Version"]) == ("text/plain; charset=utf-8", "4.0")
        return answer.get_data(as_text=True)

    assert count("Submissions") == "3"
    assert count("Submissions", **{"$filter": "sacks gt 1", "$top": "1", "$skip": "1", "$orderby": "sacks"}) == "2"
    assert count("Submissions.people.loans") == "12"
    assert count(f"{first}/people") == "2"
    assert count(f"{first}/people('{person}')/loans") == "2"
    assert refused(house.baraka.get(f"{SVC}/{first}/$count")) == 404.1


def test_a_review_state_is_asked_for_as_the_schema_has_it(house: House) -> None:
    house.amina.send(a_visit(1), a_visit(2))
    house.baraka.patch(f"forms/visit/submissions/{instance_id(1)}", json={"reviewState": "approved"})
    state = "org.opendatakit.submission.ReviewState"

    assert numbers(house.baraka, **{"$filter": f"__system/reviewState eq {state}'approved'"}) == [1]
    assert numbers(house.baraka, **{"$filter": f"__system/reviewState in ({state}'approved',{state}'rejected')"}) == [1]


def test_a_whole_number_is_the_same_to_the_feed_and_to_filters_however_it_is_written(house: House) -> None:
    house.amina.send(a_visit(1, sacks="3.0"), a_visit(2, sacks="3"), a_visit(3, sacks="3.5"))

    assert numbers(house.baraka, **{"$filter": "sacks eq 3"}) == [3, 3]
    assert numbers(house.baraka) == [None, 3, 3]


def test_columns_can_be_chosen(house: House) -> None:
    house.amina.send(a_visit(1, head={"head_age": 40}))

    (row,) = rows(house.baraka, "Submissions", **{"$select": "sacks,head/head_age,__system/edits"})

    assert row == {"__system": {"edits": 0}, "sacks": 1, "head": {"head_age": 40}}
    assert refused(house.baraka.get(f"{SVC}/Submissions", query_string={"$select": "sackz"})) == 400.8
    assert set(rows(house.baraka, "Submissions", **{"$select": ","})[0]) > {"__id", "village"}


@pytest.mark.parametrize(
    "path",
    [
        f"{SVC}/Submissions?$select=__system/editz",
        f"{SVC}/Submissions.people?$select=__system",
        f"{SVC}/Submissions.people?$select=__system/edits",
        "datasets/people.svc/Entities?$select=__system/versions",
        "datasets/people.svc/Entities?$select=label/first",
        "datasets/people.svc/Entities?$select=labels",
    ],
)
def test_a_column_that_there_is_not_is_refused_also_where_there_are_no_rows(house: House, path: str) -> None:
    assert refused(house.baraka.get(path)) == 400.8


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("-null eq 1", []),
        ("null add null eq null", [2, 1]),
        ("substring(village,1,-5) eq ''", [2, 1]),
        ("substring(village,99999999999999) eq ''", [2, 1]),
        ("substring(village,2147483647) eq ''", [2, 1]),
        ("sacks in (2, null, 7)", [2]),
        ("head/head_age in (null, 5)", [2, 1]),
        ("not (sacks in (2, 7))", [1]),
        ("not (head/head_age in (2, 7))", [2, 1]),
        ("null in (1, null)", [2, 1]),
        ("village in ('Siby', village)", [2, 1]),
    ],
)
def test_what_hardly_anybody_would_ask_has_an_answer_on_both_databases(
    house: House, filter_: str, expected: list[int]
) -> None:
    house.amina.send(a_visit(1), a_visit(2))

    assert numbers(house.baraka, **{"$filter": filter_}) == expected


@pytest.mark.parametrize("order", ["null", "not true", "true", "sacks gt 1"])
def test_whatever_has_a_value_can_be_ordered_by(house: House, order: str) -> None:
    house.amina.send(a_visit(1), a_visit(2))
    query = {"$orderby": f"{order},sacks", "$top": "1"}

    first = shown(house.baraka.get(f"{SVC}/Submissions", query_string=query))
    second = shown(house.baraka.get(local(first["@odata.nextLink"])))

    assert [row["sacks"] for row in (*first["value"], *second["value"])] == [1, 2]


@pytest.mark.parametrize(
    ("order", "by"),
    [
        ("sacks", 2**70),
        ("sacks", "1e999999"),
        ("at", "9999-12-31T23:59:59-14:00"),
        ("at", "2026-01-01"),
        ("village", "\0"),
        ("null", 1),
    ],
)
def test_a_token_that_nobody_was_given_is_refused(house: House, order: str, by: object) -> None:
    token = "01" + base64.urlsafe_b64encode(json.dumps({"id": 5, "by": [by]}).encode()).decode()
    answer = house.baraka.get(f"{SVC}/Submissions", query_string={"$orderby": order, "$skiptoken": token})

    assert answer.status_code in (200, 400)


def test_a_viewer_sees_nothing_that_tells_who_somebody_is_and_cannot_ask_for_it(house: House) -> None:
    house.amina.send(a_visit(1, head={"head_name": "Awa Traoré", "head_age": 40}, spot=[12.5, -8.25]))

    (row,) = rows(house.fanta, "Submissions")

    assert row["head"] == {"head_age": 40}
    assert "photo" not in row
    assert row["spot"]["coordinates"] == [-8.25, 12.5]  # the workbook says that it does not tell
    assert row["__system"]["submitterName"] is None
    asked = house.fanta.get(f"{SVC}/Submissions", query_string={"$filter": "head/head_name eq 'Awa Traoré'"})
    assert refused(asked) == 400.18
    assert numbers(house.fanta, **{"$search": "Traoré"}) == []
    assert numbers(house.baraka, **{"$search": "traoré"}) == [1]
    assert b"head_name" not in house.fanta.get(f"{SVC}/$metadata").data


def test_the_name_of_an_instance_is_not_for_viewers(house: House) -> None:
    book = xlsx_of(VISIT + NAMED)
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, read_workbook(book, "visit.xlsx"))
        journal.close()
        session().commit()
    house.amina.send(a_visit(1) | {"version": "2"})

    seen, hidden = (rows(voice, "Submissions")[0]["meta"] for voice in (house.baraka, house.fanta))

    assert seen == {"instanceID": instance_id(1), "instanceName": "Siby"}
    assert hidden == {"instanceID": instance_id(1)}
    assert b"instanceName" not in house.fanta.get(f"{SVC}/$metadata").data


def test_deletion_shows_to_whoever_asks_and_edits_and_reviews_move_the_date(house: House) -> None:
    house.amina.send(a_visit(1), a_visit(2))
    before = rows(house.baraka, "Submissions")[0]["__system"]["updatedAt"]
    house.baraka.patch(f"forms/visit/submissions/{instance_id(1)}", json={"reviewState": "approved"})
    deleted = house.djeneba.ask("DELETE", f"forms/visit/submissions/{instance_id(2)}")

    assert deleted.status_code == 200
    assert numbers(house.baraka) == [1]
    assert numbers(house.baraka, **{"$filter": "__system/deletedAt ne null"}) == [2]
    changed = {
        "$filter": f"__system/updatedAt gt {before} and (__system/deletedAt eq null or __system/deletedAt ne null)"
    }
    assert numbers(house.baraka, **changed) == [2, 1]


def test_of_its_files_a_row_says_how_many_are_here_while_more_are_to_come_too(house: House) -> None:
    sales = "forms/sale.svc/Submissions"

    def told() -> tuple[int, int, int]:
        (row,) = shown(house.baraka.get(sales))["value"]
        here, expected = (row["__system"][f"attachments{which}"] for which in ("Present", "Expected"))
        query = {"$filter": f"__system/attachmentsPresent eq {here} and __system/attachmentsExpected eq {expected}"}
        return here, expected, len(shown(house.baraka.get(sales, query_string=query))["value"])

    def post(files: dict[str, bytes], *, more: bool) -> None:
        body, kind = multipart(a_filled_sale(1, photo="a.jpg"), files, more=more)
        assert house.amina.post("submission", data=body, content_type=kind).status_code == 201

    post({}, more=True)
    announced = told()
    post({"b.jpg": b"nobody asked for it"}, more=True)
    halfway = told()
    post({"a.jpg": b"a photo"}, more=False)

    assert (announced, halfway, told()) == ((0, 1, 1), (1, 2, 1), (2, 2, 1))


def test_reading_on_from_the_last_moment_finds_what_took_long_to_arrive_and_nothing_twice(house: House) -> None:
    sales, seen = f"forms/sale.svc/{SUBMISSIONS}", []

    def meanwhile() -> None:
        house.amina.send(a_sale(1))
        time.sleep(0.005)
        seen.append(shown(house.baraka.get(sales))["value"][0]["__system"]["updatedAt"])

    body, kind = multipart(a_filled_sale(2), {})
    sent = house.amina.post("submission", input_stream=Slow(body, meanwhile), content_type=kind)
    late = shown(house.baraka.get(sales, query_string={"$filter": f"__system/updatedAt gt {seen[0]}"}))["value"]

    assert sent.status_code == 201
    assert [row["__id"] for row in late] == [instance_id(2)]
    assert late[0]["__system"]["submissionDate"] == late[0]["__system"]["updatedAt"] > seen[0]


class Slow(io.BytesIO):
    """A body on whose way something else happens."""

    def __init__(self, content: bytes, meanwhile: Callable[[], None]) -> None:
        super().__init__(content)
        self.happens = [meanwhile]

    def read(self, size: int | None = -1) -> bytes:
        while self.happens:
            self.happens.pop()()
        return super().read(size)


def test_a_document_that_has_not_changed_is_not_sent_again(house: House) -> None:
    house.amina.send(a_visit(1))
    first = house.baraka.get(f"{SVC}/Submissions")
    same = house.baraka.get(f"{SVC}/Submissions", headers={"If-None-Match": first.headers["ETag"]})
    house.amina.send(a_visit(2), batch="b2")
    later = house.baraka.get(f"{SVC}/Submissions", headers={"If-None-Match": f"W/{first.headers['ETag']}"})

    assert (same.status_code, same.data) == (304, b"")
    assert later.status_code == 200


@pytest.mark.parametrize("path", [f"{SVC}/Submissions", "datasets/people.svc/Entities"])
def test_a_document_is_sent_again_once_somebody_in_it_is_called_otherwise(house: House, path: str) -> None:
    house.amina.send(a_visit(1), a_sale(2))
    first = house.baraka.get(path)
    house.djeneba.patch(f"app-users/{house.amina.actor_id}", json={"displayName": "Aminata"})

    later = house.baraka.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert later.status_code == 200
    assert "Aminata" in later.get_json()["value"][0]["__system"].values()


def test_a_question_that_is_called_as_what_each_row_has_stands_beside_it(house: House) -> None:
    own = """
        | survey      |          |       |
        | type        | name     | label |
        | text        | __id     | Id    |
        | begin_group | __system | Group |
        | integer     | edits    | Edits |
        | end_group   | __system |       |
    """
    publish(house.app, house.pid, "own", "1", own)
    answers = {"__id": "mine", "__system": {"edits": 7}}
    house.amina.send(a_visit(1, **answers) | {"form": "own", "answers": answers})

    (row,) = shown(house.baraka.get("forms/own.svc/Submissions?$filter=__id_2 eq 'mine'"))["value"]
    schema = etree.fromstring(house.baraka.get("forms/own.svc/$metadata").data)

    assert (row["__id"], row["__id_2"], row["__system"]["edits"], row["__system_2"]) == (
        *(instance_id(1), "mine", 0),
        {"edits": 7},
    )
    for of_type in schema.iterfind(".//{*}EntityType"):
        names = [each.get("Name") for each in of_type.iterfind("{*}Property")]
        assert len(set(names)) == len(names)


def test_an_option_that_is_left_empty_is_as_good_as_none(house: House) -> None:
    house.amina.send(a_visit(1, people=[{"nick": "Bah"}]))
    names = ("select", "expand", "filter", "orderby", "search", "top", "skip", "count", "skiptoken", "wkt", "format")

    plain = shown(house.baraka.get(f"{SVC}/Submissions"))
    empty = [shown(house.baraka.get(f"{SVC}/Submissions?${name}=")) for name in names]

    assert empty == [plain] * len(names)


def test_a_moment_at_the_edge_of_the_zones_is_in_the_feed_and_found(house: House) -> None:
    house.amina.send(a_visit(1, at="2026-02-03T10:00:00.000+14:00"), a_visit(2, at="2026-02-03T10:00:00.000Z"))

    (row,) = rows(house.baraka, "Submissions", **{"$filter": "at lt 2026-02-03T00:00:00Z"})

    assert row["at"] == "2026-02-03T10:00:00.000+14:00"


@pytest.mark.parametrize(
    ("end", "year", "order"),
    [("9999-12-31T23:59:59.000-12:00", 9999, [2, 1]), ("0001-01-01T00:00:00.000+14:00", 1, [1, 2])],
)
def test_a_moment_beyond_the_last_year_or_before_the_first_stands_at_its_end(
    house: House, end: str, year: int, order: list[int]
) -> None:
    house.amina.send(a_visit(1, at=end), a_visit(2, at="2026-02-03T10:00:00.000Z"), a_visit(3))
    middle = "2026-06-01T00:00:00Z"
    conditions = ("at ne null", "at eq null", f"at gt {middle}", f"year(at) eq {year}", f"date(at) eq {end[:10]}")

    found = [sorted(numbers(house.baraka, **{"$filter": condition})) for condition in conditions]

    assert found == [[1, 2], [3], [1] if year > 1 else [], [1], [1]]
    assert [number for number in numbers(house.baraka, **{"$orderby": "at"}) if number != 3] == order
    paged, page = [], shown(house.baraka.get(f"{SVC}/Submissions?$top=1&$orderby=at"))
    while link := page.get("@odata.nextLink"):
        paged += page["value"]
        page = shown(house.baraka.get(local(link)))
    assert [row["sacks"] for row in [*paged, *page["value"]] if row["sacks"] != 3] == order
    assert rows(house.baraka, "Submissions", **{"$filter": f"year(at) eq {year}"})[0]["at"] == end


def test_a_moment_is_no_finer_than_the_schema_says(house: House) -> None:
    house.amina.send(
        a_visit(1, at="2026-02-03T10:00:00.123456789+01:00"), a_visit(2, at="2026-02-03T10:00:00.1234567Z")
    )

    found = [row["at"] for row in rows(house.baraka, "Submissions")]

    assert found == ["2026-02-03T10:00:00.123456Z", "2026-02-03T10:00:00.123456+01:00"]


def test_an_hour_that_there_is_not_is_null_in_the_feed_and_in_filters(house: House) -> None:
    house.amina.send(a_visit(1, at="2026-02-03T24:00:00.000Z"), a_visit(2, at="2026-02-03T23:59:00.000Z"))

    (row,) = rows(house.baraka, "Submissions", **{"$filter": "at eq null"})

    assert (row["sacks"], row["at"]) == (1, None)
    assert numbers(house.baraka, **{"$filter": "at ge 2026-02-03T00:00:00Z"}) == [2]


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("Submissions?$apply=x", {}, 501.1),
        ("Submissions?$top=-1", {}, 400.8),
        ("Submissions?$skiptoken=01xx", {}, 400.8),
        ("Submissions?$expand=people($filter=age gt 1)", {}, 501.1),
        ("Submissions?$expand=people($select=nick;$top=1)", {}, 501.1),
        ("Submissions?$expand=people/$ref", {}, 501.1),
        ("Submissions?$expand=*($levels=2)", {}, 501.1),
        ("Submissions?$expand=people($select=nick", {}, 400.8),
        ("Submissions?$expand=people($select=nik)", {}, 400.8),
        ("Submissions?$expand=people($expand=lones)", {}, 400.8),
        ("Submissions?$expand=" + "people($expand=" * 100 + "people" + ")" * 100, {}, 400.8),
        ("Submissions?$format=xml", {}, 406.1),
        ("Submissions", {"Accept": "application/xml"}, 406.1),
        ("$metadata", {"Accept": "application/json"}, 406.1),
        ("Submissions", {"OData-MaxVersion": "3.0"}, 404.1),
        ("Submissions", {"OData-MaxVersion": "4x"}, 404.1),
        ("Submissions", {"OData-MaxVersion": "²"}, 404.1),
        ("Submissions?$search=" + "%20OR%20".join("a" * 60), {}, 400.18),
        ("Submissions?$orderby=" + ",".join(["sacks"] * 30), {}, 400.18),
        ("Submissions?$skiptoken=01eyJpZCI6dHJ1ZX0", {}, 400.8),
        ("Submissions.nothing", {}, 404.1),
        ("Submissions('uuid%3Anobody')", {}, 404.1),
        ("Submissions('x')/nothing", {}, 404.1),
    ],
)
def test_what_is_not_done_is_said(house: House, path: str, headers: dict[str, str], code: float) -> None:
    assert refused(house.baraka.get(f"{SVC}/{path}", headers=headers)) == code


def test_the_schema_is_whole(house: House) -> None:
    answer = house.baraka.get(f"{SVC}/$metadata", headers={"Accept": "application/xml"})
    document = etree.fromstring(answer.data)
    edm = "{http://docs.oasis-open.org/odata/ns/edm}"

    assert answer.content_type == "application/xml"
    types = {kind.get("Name") for kind in document.iter(f"{edm}EntityType", f"{edm}ComplexType")}
    named = {
        prop.get("Type", "").removeprefix("Collection(").removesuffix(")").removeprefix("org.opendatakit.user.visit.")
        for prop in document.iter(f"{edm}Property", f"{edm}NavigationProperty")
    }
    own = {name for name in named if not name.startswith(("Edm.", "org."))}
    assert own <= types
    of = {prop.get("Name"): prop.get("Type") for prop in document.iter(f"{edm}Property")}
    assert of["sacks"] == "Edm.Int64"
    assert of["price"] == "Edm.Decimal"
    assert of["spot"] == "Edm.GeographyPoint"
    assert of["at"] == "Edm.DateTimeOffset"
    assert of["crops"] == "Edm.String"


def test_the_schema_says_how_fine_moments_are_and_which_number_each_name_has(house: House) -> None:
    document = etree.fromstring(house.baraka.get(f"{SVC}/$metadata").data)
    edm = "{http://docs.oasis-open.org/odata/ns/edm}"

    moments = [prop for prop in document.iter(f"{edm}Property") if prop.get("Type") == "Edm.DateTimeOffset"]
    assert len(moments) == 4
    assert {prop.get("Precision") for prop in moments} == {"6"}
    listed = {
        kind.get("Name"): [(each.get("Name"), each.get("Value")) for each in kind]
        for kind in document.iter(f"{edm}EnumType")
    }
    assert listed["ReviewState"] == [("hasIssues", "0"), ("edited", "1"), ("rejected", "2"), ("approved", "3")]


def test_an_address_with_a_signature_shows_a_photo_and_nothing_else(house: House) -> None:
    photo = b"\xff\xd8\xff a photo"
    path = f"forms/visit/submissions/{instance_id(1)}/attachments/awa.jpg"
    house.amina.send(a_visit(1, photo="awa.jpg"))
    assert house.baraka.post(path, data=photo, content_type="image/jpeg").status_code == 200

    plain = rows(house.baraka, "Submissions")[0]["photo"]
    link = rows(house.baraka, "Submissions", links="true")[0]["photo"]
    stranger = house.app.test_client()
    seen = stranger.get(local(link))

    assert plain == "awa.jpg"
    assert (seen.status_code, seen.data) == (200, photo)
    assert seen.headers["Content-Disposition"].startswith("inline")  # whoever follows it in a report sees the picture
    assert "photo" not in rows(house.fanta, "Submissions", links="true")[0]
    assert refused(stranger.get(local(link)[:-2] + "xx")) == 403.1
    assert refused(stranger.get(local(link).replace("awa.jpg", "other.jpg"))) == 404.1
    with house.app.app_context():
        acts = session().scalars(select(Audit.subject).where(Audit.action == "submission.shown")).all()
        assert len(acts) == 1
        begin_writing(session())
        withdraw(session(), house.baraka.actor_id, house.pid, "coordinator")
        session().commit()
    assert refused(stranger.get(local(link))) == 403.1


def test_the_address_of_a_photo_that_has_not_come_holds_once_it_comes(house: House) -> None:
    house.amina.send(a_visit(1, photo="awa.jpg"))
    row = rows(house.baraka, "Submissions", links="true")[0]
    stranger = house.app.test_client()
    before = stranger.get(local(row["photo"]))
    path = f"forms/visit/submissions/{instance_id(1)}/attachments/awa.jpg"
    house.baraka.post(path, data=b"\xff\xd8\xff a photo", content_type="image/jpeg")

    after = stranger.get(local(row["photo"]))

    assert refused(before) == 404.1
    assert (row["__system"]["attachmentsPresent"], row["__system"]["attachmentsExpected"]) == (0, 1)
    assert (after.status_code, after.mimetype) == (200, "image/jpeg")


def test_an_address_of_a_photo_leads_nowhere_once_the_project_is_deleted(house: House) -> None:
    path = f"forms/visit/submissions/{instance_id(1)}/attachments/awa.jpg"
    house.amina.send(a_visit(1, photo="awa.jpg"))
    assert house.baraka.post(path, data=b"a photo", content_type="image/jpeg").status_code == 200
    link = rows(house.baraka, "Submissions", links="true")[0]["photo"]
    stranger = house.app.test_client()
    assert stranger.get(local(link)).status_code == 200

    assert house.sekou.delete(f"/v1/projects/{house.pid}").status_code == 200

    assert refused(stranger.get(local(link))) == 404.1


def test_an_address_of_a_photo_expires(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = b"a photo"
    path = f"forms/visit/submissions/{instance_id(1)}/attachments/awa.jpg"
    house.amina.send(a_visit(1, photo="awa.jpg"))
    house.baraka.post(path, data=photo, content_type="image/jpeg")
    link = rows(house.baraka, "Submissions", links="true")[0]["photo"]
    later = clock.now() + dt.timedelta(days=8)

    monkeypatch.setattr(clock, "now", lambda: later)

    assert refused(house.app.test_client().get(local(link))) == 403.1


@dataclass
class InProcess:
    """Carries the requests of an OData client to the application."""

    voice: Voice

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes) -> ClientResponse:
        answer = self.voice.ask(method, local(url), headers=headers, data=body)
        return ClientResponse(answer.status_code, dict(answer.headers), answer.data)


def test_a_real_client_reads_the_schema_and_types_the_rows_by_it(house: House) -> None:
    people = [{"nick": f"n{n}", "age": n} for n in range(3)]
    house.amina.send(*(a_visit(n, people=people, price=n / 2, day="2026-11-02") for n in range(1, 11)))
    root = f"http://localhost/v1/projects/{house.pid}/{SVC}"
    client = EdmEnabledODataClient(root, InProcess(house.baraka))

    sets = set(client.get_service_document().entity_sets)
    asked = client.entity_set_uri("Submissions").filter("price gt 2 and sacks le 8").orderby("sacks").top(2)
    found = list(client.iter_entities(asked))
    everybody = list(client.iter_entities(client.entity_set_uri("Submissions.people").top(7)))

    assert sets == {"Submissions", "Submissions.people", "Submissions.people.loans"}
    assert [row.get_value("sacks") for row in found] == [5, 6, 7, 8]
    assert {row.get_value("day") for row in found} == {dt.date(2026, 11, 2)}
    assert len(everybody) == 30


def test_pyodk_gets_the_tables(house: House, tmp_path: Path) -> None:
    house.amina.send(*(a_visit(n, people=[{"nick": "Awa", "age": 30}]) for n in range(1, 4)))
    server = make_server("127.0.0.1", 0, house.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    central = CentralConfig(
        base_url=f"http://127.0.0.1:{server.port}", username="baraka@example.org", password=PASSWORD
    )

    with Client(config=Config(central=central), cache_path=tmp_path / "cache.toml", project_id=house.pid) as pyodk:
        whole = pyodk.submissions.get_table(form_id="visit")
        asked = pyodk.submissions.get_table(form_id="visit", filter="sacks gt 1", top=1, count=True)
        repeat = pyodk.submissions.get_table(form_id="visit", table_name="Submissions.people")
    server.shutdown()
    thread.join()

    assert [row["sacks"] for row in whole["value"]] == [3, 2, 1]
    assert ([row["sacks"] for row in asked["value"]], asked["@odata.count"]) == ([3], 2)
    assert [row["nick"] for row in repeat["value"]] == ["Awa"] * 3


@pytest.mark.parametrize("agent", ["pyodk v1.3.0", "ruODK/1.5.1 httr/1.4.7"])
def test_a_client_that_follows_no_links_gets_all_rows_in_one_answer(
    house: House, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "LARGEST_PAGE", 2)
    house.amina.outcomes(*(a_visit(number) for number in range(20, 25)))
    query = {"$orderby": "village,sacks desc", "$count": "true"}

    paged = shown(house.baraka.get(f"{SVC}/Submissions", query_string=query))
    whole = shown(house.baraka.get(f"{SVC}/Submissions", query_string=query, headers={"User-Agent": agent}))

    assert len(paged["value"]) == 2
    assert "@odata.nextLink" in paged
    assert "@odata.nextLink" not in whole
    assert whole["@odata.context"] == paged["@odata.context"]
    assert len(whole["value"]) == whole["@odata.count"] == paged["@odata.count"] == 5
    assert len({row["__id"] for row in whole["value"]}) == len(whole["value"])


@pytest.mark.parametrize("path", [f"{SVC}/Submissions", "datasets/people.svc/Entities"])
def test_what_one_client_has_is_not_taken_for_what_another_gets(house: House, path: str) -> None:
    house.amina.outcomes(*(a_sale(number) for number in range(20, 25)))

    paged = house.baraka.get(path)
    whole = house.baraka.get(path, headers={"User-Agent": "curl/8.5", "If-None-Match": paged.headers["ETag"]})
    again = house.baraka.get(path, headers={"User-Agent": "curl/8.6", "If-None-Match": whole.headers["ETag"]})

    assert [answer.status_code for answer in (paged, whole, again)] == [200, 200, 304]
    assert all({"user-agent", "prefer"} <= set(answer.vary.as_set()) for answer in (paged, whole, again))


@pytest.mark.parametrize("agent", ["pyodk v1.2.1", "python-requests/2.32", "n8n"])
def test_a_client_that_follows_no_links_gets_all_entities_in_one_answer(
    house: House, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "LARGEST_PAGE", 2)
    house.amina.outcomes(*(a_sale(number) for number in range(20, 25)))
    path = "datasets/people.svc/Entities?$orderby=label desc&$count=true"

    paged = shown(house.baraka.get(path))
    whole = shown(house.baraka.get(path, headers={"User-Agent": agent}))

    assert len(paged["value"]) == 2
    assert "@odata.nextLink" not in whole
    assert whole["@odata.count"] == 5
    assert [row["label"] for row in whole["value"]] == sorted((row["label"] for row in whole["value"]), reverse=True)
    assert len({row["__id"] for row in whole["value"]}) == 5


@pytest.mark.parametrize("path", [f"{SVC}/Submissions", "datasets/people.svc/Entities"])
def test_as_many_rows_as_were_asked_for_come_in_one_answer_and_a_link_leads_to_the_others(
    house: House, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "LARGEST_PAGE", 2)
    house.amina.outcomes(*(a_visit(number) for number in range(7)), *(a_sale(number) for number in range(20, 27)))

    first = shown(house.baraka.get(f"{path}?$top=5&$count=true"))
    second = shown(house.baraka.get(local(first["@odata.nextLink"])))
    slices = [shown(house.baraka.get(f"{path}?$top=5&$skip={skip}"))["value"] for skip in (0, 5)]
    preferred = shown(house.baraka.get(f"{path}?$top=5", headers={"Prefer": "odata.maxpagesize=2"}))

    assert [len(document["value"]) for document in (first, second, preferred)] == [5, 2, 2]
    assert first["@odata.count"] == 7
    assert "@odata.nextLink" not in second
    rows = [row["__id"] for row in (*first["value"], *second["value"])]
    assert len(set(rows)) == 7
    assert [row["__id"] for part in slices for row in part] == rows


@pytest.mark.parametrize("path", [f"{SVC}/Submissions", "datasets/people.svc/Entities"])
def test_excel_and_power_bi_which_follow_every_link_get_as_many_rows_as_they_asked_for(
    house: House, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "LARGEST_PAGE", 2)
    house.amina.outcomes(*(a_visit(number) for number in range(7)), *(a_sale(number) for number in range(20, 27)))
    excel = {"User-Agent": "Microsoft.Data.Mashup (https://go.microsoft.com/fwlink/?LinkID=304225)"}

    top = [shown(house.baraka.get(f"{path}?$top={number}", headers=excel)) for number in (1, 2, 5)]
    page = shown(house.baraka.get(path, headers=excel))

    assert [len(document["value"]) for document in (*top, page)] == [1, 2, 5, 2]
    assert ["@odata.nextLink" in document for document in (*top, page)] == [False, False, False, True]


def test_excel_and_power_bi_get_no_more_rows_than_they_asked_for_where_a_page_is_made_of_several(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "LARGEST_PAGE", 2)
    house.amina.outcomes(*(a_visit(number) for number in range(7)))
    excel = {"User-Agent": "Microsoft.Data.Mashup", "Prefer": "odata.maxpagesize=4"}

    first = shown(house.baraka.get(f"{SVC}/Submissions?$top=5", headers=excel))
    sent, link = len(first["value"]), first.get("@odata.nextLink")
    while link:
        page = shown(house.baraka.get(local(link), headers=excel))
        sent, link = sent + len(page["value"]), page.get("@odata.nextLink")

    assert sent == 5


@pytest.mark.parametrize("path", [f"{SVC}/Submissions", "datasets/people.svc/Entities", "draft"])
@pytest.mark.parametrize(("top", "pages"), [(3, [2, 1]), (4, [2, 2]), (9, [2, 2, 2, 1])])
def test_excel_and_power_bi_get_no_more_rows_than_they_asked_for_in_short_pages_either(
    house: House, path: str, top: int, pages: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    excel = {"User-Agent": "Microsoft.Data.Mashup (https://go.microsoft.com/fwlink/?LinkID=304225)"}
    if path == "draft":
        monkeypatch.setattr(options, "LARGEST_PAGE", 2)
        path = a_tried_draft(house, 7)
    else:
        excel["Prefer"] = "odata.maxpagesize=2"
        house.amina.outcomes(*(a_visit(number) for number in range(7)), *(a_sale(number) for number in range(20, 27)))

    found, link = [], f"{path}?$top={top}&$count=true"
    while link:
        document = shown(house.baraka.get(link, headers=excel))
        found.append([row["__id"] for row in document["value"]])
        link = local(document["@odata.nextLink"]) if "@odata.nextLink" in document else ""

    assert [len(page) for page in found] == pages
    assert len({id_ for page in found for id_ in page}) == sum(pages)


def a_tried_draft(house: House, count: int) -> str:
    """Where the rows of a draft are that was tried out so often."""
    draft = a_workbook("tried", "1", "| survey | | |\n| type | name | label |\n| integer | n | N |")
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    token = shown(house.djeneba.post("forms", data=draft, headers={"Content-Type": kind}))["draftToken"]
    for number in range(count):
        filled = (
            f'<data id="tried" version="1"><n>1</n><meta><instanceID>{instance_id(number)}</instanceID></meta></data>'
        )
        sent = house.app.test_client().post(
            f"/v1/test/{token}/projects/{house.pid}/forms/tried/draft/submission",
            data={"xml_submission_file": (io.BytesIO(filled.encode()), "x.xml")},
        )
        assert sent.status_code == 201, sent.get_data()
    return "forms/tried/draft.svc/Submissions"


@pytest.mark.parametrize("path", [f"{SVC}/Submissions", "datasets/people.svc/Entities"])
def test_whoever_reads_a_long_answer_slowly_holds_no_connection(
    house: House, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "LARGEST_PAGE", 2)
    house.amina.outcomes(*(a_visit(number) for number in range(5)), *(a_sale(number) for number in range(20, 25)))
    pool: Any = engine_of(house.app).pool

    answer = house.baraka.get(f"{path}?$top=5", buffered=False)
    held = [pool.checkedout() for _ in answer.iter_encoded()]

    assert len(held) == 6
    assert not any(held)


def test_basic_with_a_token_for_a_password_is_how_excel_signs_in(house: House) -> None:
    shown_as = base64.b64encode(f"baraka@example.org:{house.baraka.token}".encode()).decode()

    answer = house.app.test_client().get(
        f"/v1/projects/{house.pid}/{SVC}/Submissions", headers={"Authorization": f"Basic {shown_as}"}
    )

    assert answer.status_code == 200


def test_questions_keep_their_columns_through_the_versions_of_a_form(house: House) -> None:
    house.amina.send(a_visit(1, village="Siby", people=[{"nick": "Awa", "age": 30}]))
    renamed = """
        | survey       |        |        |         |
        | type         | name   | label  | was     |
        | begin_group  | place  | Place  |         |
        | text         | hamlet | Hamlet | /data/village |
        | end_group    | place  |        |         |
        | integer      | sacks  | Sacks  |         |
        | begin_repeat | guests | Guests | people  |
        | text         | nick   | Nick   |         |
        | integer      | years  | Years  | age     |
        | end_repeat   | guests |        |         |
        | text         | odd-one.x | Odd |         |
        | text         | odd_one_x | Odd |         |
    """
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, read_workbook(a_workbook("visit", "2", renamed), "visit.xlsx"))
        journal.close()
        session().commit()
    new = {"place": {"hamlet": "Bamako"}, "sacks": 2, "guests": [{"nick": "Ba", "years": 5}], "odd-one.x": "a"}
    house.amina.send(a_visit(2) | {"version": "2", "answers": new}, batch="b2")

    found = rows(house.baraka, "Submissions")
    guests = rows(house.baraka, "Submissions.guests", **{"$filter": "years gt 4", "$orderby": "years"})

    assert [row["place"]["hamlet"] for row in found] == ["Bamako", "Siby"]
    assert (found[0]["odd_one_x"], found[0]["odd_one_x_2"]) == ("a", None)
    assert found[0]["crops"] is None
    assert [row["sacks"] for row in rows(house.baraka, "Submissions", **{"$filter": "place/hamlet eq 'Siby'"})] == [1]
    assert [(row["nick"], row["years"]) for row in guests] == [("Ba", 5), ("Awa", 30)]
    assert len(rows(house.baraka, "Submissions", **{"$filter": "odd_one_x eq 'a'"})) == 1


def test_an_entity_list_is_a_feed_too(house: House) -> None:
    house.amina.send(*(a_sale(n) for n in range(1, 8)))
    root = "datasets/people.svc"

    service = shown(house.baraka.get(root))
    schema = house.baraka.get(f"{root}/$metadata").data
    seen, answer = [], shown(house.baraka.get(f"{root}/Entities", query_string={"$top": "3", "$count": "true"}))
    while True:
        seen += [row["label"] for row in answer["value"]]
        if "@odata.nextLink" not in answer:
            break
        answer = shown(house.baraka.get(local(answer["@odata.nextLink"])))
    asked = {"$filter": "seller eq 'Awa 3' and __system/version eq 1", "$orderby": "label"}
    (one,) = shown(house.baraka.get(f"{root}/Entities", query_string=asked))["value"]

    assert [each["name"] for each in service["value"]] == ["Entities"]
    assert b'Name="seller"' in schema
    assert sorted(seen) == [f"Awa {n}" for n in range(1, 8)]
    assert (one["label"], one["seller"], one["__system"]["updates"]) == ("Awa 3", "Awa 3", 0)
    alone = shown(house.baraka.get(f"{root}/Entities('{one['__id']}')"))["value"]
    assert alone == [one]
    assert refused(house.baraka.get(f"{root}/Entities", query_string={"$filter": "sellr eq 'x'"})) == 400.18


def test_a_property_that_is_called_as_what_each_row_has_stands_beside_it(house: House) -> None:
    house.amina.send(a_sale(1))
    for name in ("_.id", "_.system", "a.b", "a-b"):
        shown(house.djeneba.post("datasets/people/properties", json={"name": name}))
    data = {"_.id": "mine", "_.system": "ours", "a.b": "first", "a-b": "second"}
    shown(house.djeneba.post("datasets/people/entities", json={"label": "Kadi", "data": data}))

    asked = {"$filter": "__id_2 eq 'mine' and __system_2 eq 'ours' and a_b eq 'first' and a_b_2 eq 'second'"}
    (row,) = shown(house.baraka.get("datasets/people.svc/Entities", query_string=asked))["value"]

    assert (row["__id_2"], row["__system_2"], row["a_b"], row["a_b_2"]) == ("mine", "ours", "first", "second")
    assert row["__system"]["version"] == 1
    assert shown(house.baraka.get(f"datasets/people.svc/Entities('{row['__id']}')"))["value"] == [row]


def test_what_was_tried_out_in_a_draft_is_a_feed_of_its_own(house: House) -> None:
    with house.app.app_context():
        book = read_workbook(a_workbook("visit", "9", VISIT), "visit.xlsx")
        begin_writing(session())
        session().add(
            FormDraft(
                project_id=house.pid,
                form_id="visit",
                version="9",
                title="visit",
                xform=book.xform,
                source=book.source,
                sheets=book.sheets.to_json(),
                md5="",
                sha256="draft",
                token="t",
                token_sha256=b"t",
                created_at=NOON,
            )
        )
        session().flush()
        for number in (1, 2):
            answers = {"sacks": number, "people": [{"nick": f"n{number}", "age": number}]}
            session().add(
                DraftSubmission(
                    project_id=house.pid,
                    form_id="visit",
                    instance_id=f"uuid:{number}",
                    number=number,
                    xml=b"",
                    answers=answers,
                    files={},
                    flags=[],
                    received_at=NOON,
                )
            )
        session().commit()

    def tried(path: str, **query: str) -> list[Any]:
        found: list[Any] = shown(house.baraka.get(f"forms/visit/draft.svc/{path}", query_string=query))["value"]
        return found

    assert [row["sacks"] for row in tried("Submissions")] == [2, 1]
    assert [row["sacks"] for row in tried("Submissions", **{"$filter": "sacks lt 2"})] == [1]
    assert [row["nick"] for row in tried("Submissions.people")] == ["n2", "n1"]
    assert [row["nick"] for row in tried("Submissions('uuid%3A1')/people")] == ["n1"]
    first = shown(house.baraka.get("forms/visit/draft.svc/Submissions.people?$top=1"))
    following = shown(house.baraka.get(local(first["@odata.nextLink"])))
    assert [row["nick"] for row in following["value"]] == ["n1"]
    assert house.baraka.get("forms/visit/draft.svc/Submissions/$count").get_data(as_text=True) == "2"
    assert house.baraka.get("forms/visit/draft.svc/Submissions.people/$count").get_data(as_text=True) == "2"

    file = house.baraka.get("forms/visit/draft/submissions.csv", query_string={"$filter": "sacks lt 2"})
    archive = zipfile.ZipFile(io.BytesIO(house.baraka.get("forms/visit/draft/submissions.csv.zip").data))
    lines = list(csv.DictReader(io.StringIO(file.get_data(as_text=True))))
    inside = list(csv.DictReader(io.StringIO(archive.read("visit-people.csv").decode())))
    assert [(row["sacks"], row["KEY"]) for row in lines] == [("1", "uuid:1")]
    assert [(row["nick"], row["PARENT_KEY"]) for row in inside] == [("n2", "uuid:2"), ("n1", "uuid:1")]
    assert file.headers["Content-Disposition"].startswith('attachment; filename="visit.csv"')


def local(link: str) -> str:
    """The path and query of a link of the feed."""
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"
