"""How the files of an archive are called."""

from __future__ import annotations

from sync.exports.csvfiles import Attached, _lines, file_names
from sync.exports.fields import Table
from sync.exports.flat import key_of


def a_repeat(parent: Table, *path: str) -> Table:
    return Table(".".join(path), path, "/data/" + "/".join(path), (), parent, path[len(parent.path) :])


def test_a_second_repeat_of_the_same_name_gets_a_number() -> None:
    top = Table("Submissions", (), "/data", ())
    people = a_repeat(top, "visit", "people")
    tables = [top, people, a_repeat(people, "visit", "people", "loans"), a_repeat(top, "loans"), a_repeat(top, "LOANS")]

    assert [name for _, name in file_names("a/form", tables)] == [
        *("a_form.csv", "a_form-people.csv", "a_form-loans.csv", "a_form-loans~1.csv", "a_form-LOANS~2.csv")
    ]


def test_an_audit_log_that_is_no_csv_spoils_no_other() -> None:
    broken = b"event,node\r\nform start,/data\r\n" + b"a" * 200_000 + b",b\r\n"
    logs = [Attached(f"uuid:{number}", "audit.csv", "", iter([text])) for number, text in enumerate((broken, broken))]

    found = [line[:3] for line in _lines(logs)]

    assert [line[0] for line in found] == ["uuid:0", "uuid:0", "uuid:1", "uuid:1"]
    assert found[2][1:] == ["form start", "/data"]


def test_a_row_of_a_repeat_is_named_by_the_way_to_it() -> None:
    top = Table("Submissions", (), "/data", ())
    people = a_repeat(top, "visit", "people")
    loans = a_repeat(people, "visit", "people", "money", "loans")

    assert key_of(top, "uuid:1", []) == "uuid:1"
    assert key_of(people, "uuid:1", [2]) == "uuid:1/visit/people[3]"
    assert key_of(loans, "uuid:1", [2, 0]) == "uuid:1/visit/people[3]/money/loans[1]"
