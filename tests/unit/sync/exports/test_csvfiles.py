"""How the files of an archive are called."""

from __future__ import annotations

from collections.abc import Iterator

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


def test_a_log_is_read_as_it_comes_whatever_its_pieces() -> None:
    text = b"\xef\xbb\xbfevent,node,start\r\n" + 'form start,/data/é,1\r\n"a ""b""\nc",/data,2\r\n'.encode() * 3

    for size in (1, 2, 7, 1000):
        asked = 0

        def pieces(size: int = size) -> Iterator[bytes]:
            nonlocal asked
            for start in range(0, len(text), size):
                asked += 1
                yield text[start : start + size]

        found = _lines([Attached("uuid:1", "audit.csv", "", pieces())])
        assert [next(found)[1:4], next(found)[1:4]] == [["form start", "/data/é", "1"], ['a "b"\nc', "/data", "2"]]
        assert len(list(found)) == 4


def test_a_long_log_is_never_whole_in_memory() -> None:
    told = 0

    def pieces() -> Iterator[bytes]:
        nonlocal told
        yield b"event,node\n"
        for _ in range(1000):
            told += 1
            yield b"form start,/data\n" * 1000

    lines = _lines([Attached("uuid:1", "audit.csv", "", pieces())])

    next(lines)
    assert told < 20


def test_a_row_of_a_repeat_is_named_by_the_way_to_it() -> None:
    top = Table("Submissions", (), "/data", ())
    people = a_repeat(top, "visit", "people")
    loans = a_repeat(people, "visit", "people", "money", "loans")

    assert key_of(top, "uuid:1", []) == "uuid:1"
    assert key_of(people, "uuid:1", [2]) == "uuid:1/visit/people[3]"
    assert key_of(loans, "uuid:1", [2, 0]) == "uuid:1/visit/people[3]/money/loans[1]"
