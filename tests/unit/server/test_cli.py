"""The command `siby`: each step of an installation's life, with sentences for whatever does not work."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import pytest
from pysqlite3 import dbapi2 as sqlite

from migrations import schema
from server.cli import main
from tests.support.people import GATHERING
from tests.support.projects import SALE, a_sale, instance_id
from tests.support.workbooks import a_workbook


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1]


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["siby", *arguments])
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run


@pytest.fixture
def loaded(run: Run, tmp_path: Path) -> Run:
    """An installation with one project."""
    programme = tmp_path / "programme"
    (programme / "forms").mkdir(parents=True)
    (programme / "statements").mkdir()
    (programme / "project.toml").write_text('name = "Siby"\ntime_zone = "Africa/Bamako"\nlanguages = ["en"]\n')
    (programme / "forms" / "sale.xlsx").write_bytes(a_workbook("sale", "1", SALE))
    (programme / "statements" / "results.en.md").write_text("{{ sacks }} sacks\n")
    assert run("init").code == 0
    done = run("load", "programme")
    assert done.code == 0, done.err
    return run


def test_before_init_every_command_says_what_to_do(run: Run) -> None:
    for command in (("load", "."), ("user", "add", "a@example.org"), ("serve",), ("statement", "results")):
        done = run(*command)

        assert done.code != 0
        assert "siby init" in done.err
        assert "Traceback" not in done.err


def test_init_may_be_repeated(run: Run, tmp_path: Path) -> None:
    assert [run("init").code, run("init").code, run("migrate").code] == [0, 0, 0]
    assert (tmp_path / "siby-data" / "siby.sqlite").exists()
    assert (tmp_path / "siby-data").stat().st_mode & 0o077 == 0


def test_why_nobody_can_be_served_at_an_address_is_said(run: Run) -> None:
    run("init")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        at_a_taken_port = run("serve", "--port", str(port))
        at_a_strange_address = run("serve", "--host", "192.0.2.1", "--port", str(port))

    assert at_a_taken_port.err.startswith(f"Error: 127.0.0.1:{port} cannot be listened on: Address already in use.")
    assert at_a_strange_address.err.startswith(f"Error: 192.0.2.1:{port} cannot be listened on: ")
    assert "already in use" not in at_a_strange_address.err


@pytest.mark.parametrize("command", [("init",), ("migrate",), ("serve", "--port")])
def test_a_folder_that_others_could_look_into_is_closed_to_them(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    run("init")
    (tmp_path / "siby-data").chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as taken:  # so that nothing is served for ever
        run(*command, *([str(taken.getsockname()[1])] if command[0] == "serve" else []))

    assert (tmp_path / "siby-data").stat().st_mode & 0o777 == 0o700


def test_loading_again_changes_nothing(loaded: Run) -> None:
    done = loaded("load", "programme")

    assert "Nothing was different" in done.out
    assert done.code == 0


@pytest.mark.parametrize(("other", "says"), [("0", "devices get it from now on"), ("1", "devices go on getting ‘2’")])
def test_a_folder_with_an_older_version_of_a_form_says_so(loaded: Run, tmp_path: Path, other: str, says: str) -> None:
    forms = tmp_path / "programme" / "forms"
    (forms / "sale.xlsx").write_bytes(a_workbook("sale", "2", SALE))
    newer = loaded("load", "programme")
    (forms / "sale.xlsx").write_bytes(a_workbook("sale", other, SALE))

    older = loaded("load", "programme")

    assert newer.code == 0
    assert "older" not in newer.err
    assert older.code == 0
    assert f"Warning: sale: Version ‘{other}’ is older than ‘2’" in older.err
    assert says in older.err


def test_a_faulty_programme_is_told_with_every_fault(loaded: Run, tmp_path: Path) -> None:
    (tmp_path / "programme" / "project.toml").write_text("name = 7\ncounts = 'all'\n")

    done = loaded("load", "programme")

    assert done.code == 1
    assert "name" in done.err
    assert "counts" in done.err


def test_a_statement_whose_indicator_is_gone_says_where_and_what_to_do(loaded: Run, tmp_path: Path) -> None:
    without = "".join(line for line in SALE.splitlines(keepends=True) if "| ${sacks}" not in line)
    (tmp_path / "sale.xlsx").write_bytes(a_workbook("sale", "2", without))
    assert loaded("form", "publish", "sale.xlsx", "--ignore-warnings").code == 0

    done = loaded("statement", "results")

    assert done.code == 1
    assert done.err.splitlines()[1:] == [
        "statements/results.en.md, row 1: ‘sacks’ is not an indicator. "
        "Take it out of the text, or bring back the form that it came from."
    ]


def test_a_token_stands_alone_on_the_last_line(loaded: Run) -> None:
    for command in (
        ("user", "add", "baraka@example.org", "--admin", "--token"),
        ("user", "token", "baraka@example.org"),
        ("device", "add", "T1"),
    ):
        done = loaded(*command)

        assert done.code == 0, done.err
        assert done.last.startswith("siby_")
        assert len(done.last) == 48


def test_a_device_gets_a_code_to_scan(loaded: Run) -> None:
    done = loaded("device", "add", "T1", "--to", "https://siby.example.org")

    assert "█" in done.err
    assert len(done.out.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("user", "add", "no address"), "e-mail"),
        (("user", "role", "nobody@example.org", "viewer"), "siby user add"),
        (("user", "add", "x@example.org", "--role", "king"), "king"),
        (("device", "revoke", "T9"), "siby device add"),
        (("device", "add", "T1", "--to", "data.example.org"), "‘data.example.org’ is not an address that begins with"),
        (("login-link", "nobody@example.org", "--to", "ftp://example.org"), "an address that begins with http://"),
        (("statement", "nothing"), "there is results"),
        (("statement", "results", "--as-of", "tomorrow"), "moment"),
        (("statement", "results", "--project", "9"), "'9'"),
        (("statement", "results", "--lang", "de"), "‘results’ is not written in ‘de’; it is in en."),
        (("load", "nowhere"), "nowhere"),
        (("unheard",), "unheard"),
    ],
)
def test_what_does_not_work_is_said_with_the_remedy(loaded: Run, command: tuple[str, ...], words: str) -> None:
    done = loaded(*command)

    assert done.code in (1, 2)
    assert words in done.err
    assert "Traceback" not in done.err


def test_what_belongs_to_another_account_is_said_so(loaded: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(folder: Path) -> dict[str, bytes]:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("server.cli.files_of", closed)

    done = loaded("load", "programme")

    assert done.code == 1
    assert done.err == "Error: Permission denied: programme\nIs this the account that it belongs to?\n"


def test_a_person_gets_a_role_a_link_and_is_shut_out(loaded: Run) -> None:
    assert loaded("user", "add", "fanta@example.org", "--role", "viewer").code == 0
    assert loaded("user", "role", "fanta@example.org", "coordinator").code == 0
    link = loaded("login-link", "fanta@example.org", "--to", "https://siby.example.org")
    assert link.out.startswith("https://siby.example.org/sign-in/link/siby_")
    assert loaded("user", "disable", "fanta@example.org").code == 0
    assert loaded("login-link", "fanta@example.org").code == 1


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_from_a_stick_goes_the_same_way_as_one_over_the_net(loaded: Run, tmp_path: Path, packed: bool) -> None:
    loaded("device", "add", "T1")
    body = json.dumps({"batch": "stick", "items": [a_sale(1), a_sale(2, version="9"), 7]}).encode()
    file = tmp_path / ("batch.json.gz" if packed else "batch.json")
    file.write_bytes(gzip.compress(body) if packed else body)

    first = loaded("intake", str(file), "--device", "T1")
    again = loaded("intake", str(file), "--device", "T1")

    assert first.code == 3, first.err
    assert "1 stored" in first.out
    assert "1 quarantined" in first.out
    assert f"item 2 ({instance_id(2)}): quarantined: There is no version '9'" in first.out
    assert "item 3: refused: An item is a JSON object" in first.out
    assert (again.code, again.out) == (3, first.out)
    assert "4.0 sacks" in loaded("statement", "results", "--lang", "en").out


def test_a_batch_from_a_stick_is_dated_when_it_is_written(loaded: Run, tmp_path: Path) -> None:
    loaded("device", "add", "T1")
    (tmp_path / "batch.json").write_text(json.dumps({"batch": "stick", "items": [a_sale(1)]}))
    database = tmp_path / "siby-data" / "siby.sqlite"
    with closing(sqlite.connect(database, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = Timer(3, other.execute, ["ROLLBACK"])
        before = time.time()
        release.start()
        done = loaded("intake", "batch.json", "--device", "T1")
        release.join()
        ((received_at,),) = other.execute("SELECT received_at FROM submissions").fetchall()

    assert done.out.splitlines() == ["1 stored"], done.err
    assert dt.datetime.fromisoformat(f"{received_at}+00:00").timestamp() >= before + 2.9


@pytest.mark.parametrize("written", [None, "T1", "a tablet that nobody knows"])
def test_a_batch_says_itself_whose_it_is_or_nobody_does(loaded: Run, tmp_path: Path, written: str | None) -> None:
    loaded("device", "add", "T1")
    (tmp_path / "batch.json").write_text(json.dumps({"batch": "stick", "device": written, "items": [a_sale(1)]}))

    first, again = loaded("intake", "batch.json"), loaded("intake", "batch.json")

    assert first.out.splitlines() == ["1 stored"], first.err
    assert again.out == first.out
    assert loaded("device", "add", "T2").code == 0


def test_a_device_with_chosen_forms_files_nothing_for_others_from_a_stick_either(loaded: Run, tmp_path: Path) -> None:
    loaded("device", "add", "T1")
    (tmp_path / "batch.json").write_text(json.dumps({"batch": "stick", "items": [a_sale(1)]}))
    with closing(sqlite.connect(tmp_path / "siby-data" / "siby.sqlite")) as database:
        database.execute("UPDATE actors SET assigned_only = 1 WHERE name = 'T1'")
        database.commit()

    done = loaded("intake", "batch.json", "--device", "T1")

    assert (done.code, done.out.splitlines()[0]) == (3, "1 quarantined")


def test_a_batch_from_a_stick_says_which_files_are_missing(loaded: Run, tmp_path: Path) -> None:
    photo = {"name": "sacks.jpg", "sha256": "0" * 64, "size": 5}
    body = json.dumps({"batch": "stick", "items": [a_sale(1), a_sale(2) | {"attachments": [photo]}]})
    (tmp_path / "batch.json").write_text(body)

    done = loaded("intake", "batch.json")

    assert (done.code, done.out.splitlines()) == (0, ["2 stored", f"item 2 ({instance_id(2)}): files still missing: 1"])


def test_a_batch_from_a_stick_that_is_too_large_is_told_how_large_one_may_be(loaded: Run, tmp_path: Path) -> None:
    (tmp_path / "many.json").write_text(json.dumps({"batch": "stick", "items": [a_sale(1)] * 501}))
    (tmp_path / "large.json.gz").write_bytes(gzip.compress(b" " * 9_000_000))

    for name in ("many.json", "large.json.gz"):
        done = loaded("intake", name)

        assert done.code == 1
        assert "at most 500 items and 8 MB, unpacked (SIBY_BATCH_ITEMS, SIBY_BATCH_MB)" in done.err


def test_a_file_that_is_no_batch_is_told(loaded: Run, tmp_path: Path) -> None:
    loaded("device", "add", "T1")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")

    done = loaded("intake", "photo.jpg", "--device", "T1")

    assert done.code == 1
    assert "not JSON" in done.err


def test_what_is_derived_is_verified_and_rebuilt(loaded: Run, tmp_path: Path) -> None:
    loaded("device", "add", "T1")
    (tmp_path / "batch.json").write_text(json.dumps({"batch": "b", "items": [a_sale(n) for n in range(1, 4)]}))
    loaded("intake", "batch.json", "--device", "T1")

    assert loaded("indicators", "verify").code == 0
    rebuilt = loaded("indicators", "rebuild")
    assert rebuilt.code == 0
    assert "3 submissions; 0 things were different." in rebuilt.out


def test_the_doctor_finds_an_installation_well(loaded: Run) -> None:
    done = loaded("doctor")

    assert done.code == 0, done.out
    assert "BAD" not in done.out
    assert "Project 1, Siby" in done.out


def test_a_folder_that_can_only_be_read_is_told_before_a_tablet_sends_anything(
    loaded: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name != "siby.sqlite")  # root may all things

    served, examined = loaded("serve"), loaded("doctor")

    assert (served.code, examined.code) == (1, 1)
    assert served.err.startswith("Error: Nothing can be written to siby-data/siby.sqlite. Is this the account")
    assert "BAD  Nothing can be written to siby-data/siby.sqlite" in examined.out


def test_what_has_to_be_written_is_the_database_that_is_used_and_no_copy_of_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: "sqlite" not in Path(path).name)  # root may all things
    (tmp_path / "siby-data").mkdir()
    (tmp_path / "siby-data" / "siby.sqlite.old").touch()
    monkeypatch.setenv("SIBY_DATABASE", "sqlite:///other.db")
    run("init")

    beside_a_copy = run("doctor")
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name != "other.db")
    read_only = run("doctor")

    assert "Nothing can be written" not in beside_a_copy.out
    assert "BAD  Nothing can be written to other.db" in read_only.out


def test_the_doctor_says_what_is_missing(run: Run) -> None:
    done = run("doctor")

    assert done.code == 1
    assert "siby init" in done.out


def test_an_unknown_setting_stops_every_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIBY_PORTS", "1")

    done = run("doctor")

    assert done.code == 1
    assert "ports" in done.err


def test_help_and_version_are_there(run: Run) -> None:
    assert "login-link" in run("--help").out
    assert run("--version").out.strip() == "0.1.0"
    assert run("serve", "-h").code == 0


def test_a_form_is_published_from_a_file(loaded: Run, tmp_path: Path) -> None:
    workbook = "| survey |\n| type | name | label |\n| select_one_from_file prices.csv | price | Price |"
    (tmp_path / "visit.xlsx").write_bytes(a_workbook("visit", "1", workbook))
    (tmp_path / "prices.csv").write_text("name,label\n10,Ten\n")
    (tmp_path / "wrong.xlsx").write_bytes(a_workbook("wrong", "1", workbook.replace("label", "lable", 1)))

    done = loaded("form", "publish", "visit.xlsx", "--media", "prices.csv")
    again = loaded("form", "publish", "visit.xlsx", "--project", "Siby")
    wrong = loaded("form", "publish", "wrong.xlsx")

    assert (done.code, done.last) == (0, "Published visit 1")
    assert (again.code, again.last) == (0, "visit 1 is published already.")
    assert wrong.code != 0
    assert "Traceback" not in wrong.err
    lines = [line for line in wrong.err.splitlines() if line.strip()]
    assert len(lines) == len(set(lines)), "each fault is told once"


def test_the_doctor_says_whether_forms_are_tried_with_odk_validate(
    loaded: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.upkeep.checkup.java", lambda: None)

    (said,) = [line for line in loaded("doctor").out.splitlines() if "No Java" in line]
    assert said.startswith("todo")
    assert "pyxform alone" in said


def test_the_doctor_says_where_codes_and_links_lead(loaded: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Set SIBY_PUBLIC_URL" in loaded("doctor").out

    monkeypatch.setenv("SIBY_PUBLIC_URL", "https://data.example.org")

    assert "lead to https://data.example.org" in loaded("doctor").out


def test_a_list_is_compared_loaded_and_its_pairs_are_shown(loaded: Run, tmp_path: Path) -> None:
    (tmp_path / "programme" / "forms" / "gathering.xlsx").write_bytes(a_workbook("gathering", "1", GATHERING))
    assert loaded("load", "programme").code == 0
    rows = ("first_name,last_name,birth_year,phone,village,commune", "Awa,Diarra,1990,76000001,Siby,Siby")
    (tmp_path / "one.csv").write_text("\n".join(rows))
    (tmp_path / "two.csv").write_text("\n".join([*rows, "Oumou,Keita,1975,,Kati,Kati"]).replace("Diarra", "Jara"))
    assert "1 made" in loaded("people", "import", "one.csv").out

    told = loaded("people", "import", "two.csv", "--preview").out
    assert "1 new" in told
    assert "Awa Diarra (Siby)" in told
    done = loaded("people", "import", "two.csv")
    assert "2 made" in done.out
    assert "because of it: 1." in done.out

    shown = loaded("people", "matches", "--lang", "fr").out
    assert "Open pairs: 1, of which" in shown
    assert "Awa Jara (Siby)" in shown
    assert "village" in shown
    assert "Version 1" in loaded("people", "train").out


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("people", "import", "faulty.csv"), "prenom"),
        (("people", "import", "faulty.csv", "--list", "nowhere"), "nowhere"),
        (("people", "matches", "--list", "nowhere"), "nowhere"),
        (("people", "train", "--list", "nowhere"), "nowhere"),
        (("people", "matches"), "matching"),
    ],
)
def test_what_does_not_work_with_people_is_said(
    loaded: Run, tmp_path: Path, command: tuple[str, ...], words: str
) -> None:
    (tmp_path / "faulty.csv").write_text("prenom\nAwa")
    if words == "prenom":
        (tmp_path / "programme" / "forms" / "gathering.xlsx").write_bytes(a_workbook("gathering", "1", GATHERING))
        assert loaded("load", "programme").code == 0

    done = loaded(*command)

    assert done.code == 1
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_backup_is_made_looked_through_and_restored(
    loaded: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "copies").mkdir()
    made = loaded("backup", "copies")
    assert made.code == 0, made.err
    [file] = (tmp_path / "copies").iterdir()
    assert "not encrypted" in made.last
    assert loaded("backup", str(file)).code != 0, "it replaces no other"

    whole = loaded("backup", "verify", str(file))
    assert "Whole: 1 project, 0 submissions, 0 people and devices, 0 files." in whole.out
    assert "The last backup was made 0 hours ago" in loaded("doctor").out

    refused = loaded("restore", str(file))
    assert refused.code != 0
    assert "empty" in refused.err
    monkeypatch.setenv("SIBY_FOLDER", str(tmp_path / "new"))
    done = loaded("restore", str(file))
    assert done.code == 0, done.err
    assert "epoch" in done.last
    assert "Siby" in loaded("load", "programme").out


def test_after_an_update_a_backup_comes_before_the_migrations(loaded: Run, tmp_path: Path) -> None:
    schema.downgrade(f"sqlite:///{tmp_path / 'siby-data' / 'siby.sqlite'}", "0018")

    advised, made, done = loaded("serve"), loaded("backup", "before.tar.zst"), loaded("migrate")

    assert (advised.code, "Make a backup" in advised.err) == (1, True)
    assert (made.code, made.out.startswith("Saved to before.tar.zst: 1 project, ")) == (0, True), made.err
    assert done.out.startswith("Done: 0019")
    assert "The last backup was made 0 hours ago" in loaded("doctor").out


def test_what_is_no_whole_backup_is_said_in_a_sentence(loaded: Run, tmp_path: Path) -> None:
    assert loaded("backup", "whole.tar.zst").code == 0
    (tmp_path / "cut.tar.zst").write_bytes((tmp_path / "whole.tar.zst").read_bytes()[:-100])
    (tmp_path / "other.zip").write_bytes(b"PK")

    for name in ("cut.tar.zst", "other.zip"):
        done = loaded("backup", "verify", name)
        assert done.code == 1
        assert "Error: " in done.err
        assert "Traceback" not in done.err
    assert loaded("backup", "verify").code != 0


def test_the_clock_of_an_installation_for_practice_goes_back_before_the_first_change_and_only_on_after_it(
    run: Run, tmp_path: Path
) -> None:
    run("init")
    assert "2025-04-01 08:00 UTC (a clock for practice" in run("clock", "2025-04-01T08:00").out
    (tmp_path / "programme").mkdir()
    (tmp_path / "programme" / "project.toml").write_text('name = "Siby"\nlanguages = ["en"]\n')
    assert run("load", "programme").code == 0

    earlier, ahead, odd = run("clock", "2025-03-01"), run("clock", "2125-01-01"), run("clock", "yesterday")
    assert "Choose a time after the beginning of 1970." in run("clock", "0001-01-01").err
    later, right = run("clock", "2025-05-01T00:00+00:00"), run("clock", "true")

    assert "The last change here is of 2025-04-01 08:00 UTC" in earlier.err
    assert "never ahead" in ahead.err
    assert "‘yesterday’ is no moment" in odd.err
    assert later.out.startswith("2025-05-01 00:00 UTC")
    assert "practice" not in right.out
    assert "practice" not in run("clock").out
