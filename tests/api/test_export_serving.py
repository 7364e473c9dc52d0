"""Exports on the wire: made once for all who ask, going on where they were cut, never whole when they are not."""

from __future__ import annotations

import http.client
import io
import os
import random
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyreadstat
import pytest
from flask import Flask
from openpyxl import load_workbook

from server.api.exports import export_file
from server.db import session
from server.settings import Settings
from sync.encryption.keys import make_key
from sync.exports import csvfiles
from sync.exports.exporting import prepare_export
from sync.exports.growing import Broken, Scratch
from sync.exports.options import Options
from sync.exports.rows import SubmissionRow
from sync.exports.source import Source, open_snapshot
from sync.exports.spss import write_sav
from sync.exports.workbook import write_workbook
from sync.intake.content import ContentStore, session_info
from sync.models import EncryptionKey
from sync.models.database import begin_writing
from tests.api.test_openrosa_submission import a_tablet
from tests.support.encrypting import encrypted_submission
from tests.support.exports import publish, read_csv, tables_in, with_visits
from tests.support.pages import Page, signed_in
from tests.support.projects import NOON, SALE, a_sale, instance_id
from tests.support.web import PASSWORD, House, Voice, refused
from tests.support.workbooks import a_workbook

SALES = "forms/sale/submissions"
PASSPHRASE = "karité de Siby"
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def send_sales(house: House, first: int, count: int) -> None:
    sales = [a_sale(number) for number in range(first, first + count)]
    assert set(house.amina.outcomes(*sales, batch=f"b{first}")) == {"stored"}


def files_of(app: Flask) -> Path:
    folder: Path = app.extensions["siby_exports"].files.folder
    return folder


@pytest.mark.parametrize("kind", ["csv.zip", "xlsx", "jsonl"])
@one_database
def test_a_cut_download_goes_on_from_the_same_bytes_though_more_has_arrived(house: House, kind: str) -> None:
    send_sales(house, 1, 50)
    whole = house.baraka.get(f"{SALES}.{kind}")
    body, tag = whole.get_data(), whole.headers["ETag"]
    send_sales(house, 100, 5)

    for cut in (1, 700, len(body) - 1):
        headers = {"If-Range": tag, "Range": f"bytes={cut}-"}
        rest = house.baraka.get(f"{SALES}.{kind}", headers=headers)

        assert rest.status_code == 206
        assert rest.headers["Content-Range"] == f"bytes {cut}-{len(body) - 1}/{len(body)}"
        assert body[:cut] + rest.get_data() == body
    now = house.baraka.get(f"{SALES}.{kind}")
    assert now.headers["ETag"] != tag
    assert (whole.headers["X-Total-Rows"], now.headers["X-Total-Rows"]) == ("50", "55")


@one_database
def test_a_range_of_a_file_that_nobody_names_is_the_whole_file(house: House) -> None:
    send_sales(house, 1, 5)
    tag = house.baraka.get(f"{SALES}.csv").headers["ETag"]

    for headers in (
        {"Range": "bytes=10-"},
        {"Range": "bytes=10-", "If-Range": '"another"'},
        {"Range": "bytes=10-", "If-Range": f"W/{tag}"},
        {"Range": "rows=10-", "If-Range": tag},
    ):
        assert house.baraka.get(f"{SALES}.csv", headers=headers).status_code == 200


@one_database
def test_a_range_past_the_end_of_the_file_is_none(house: House) -> None:
    send_sales(house, 1, 5)
    whole = house.baraka.get(f"{SALES}.csv")
    size = len(whole.get_data())

    answer = house.baraka.get(f"{SALES}.csv", headers={"Range": f"bytes={size}-", "If-Range": whole.headers["ETag"]})

    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{size}")


@one_database
def test_whoever_asks_about_an_export_is_told_of_no_length(house: House) -> None:
    send_sales(house, 1, 5)

    answer = house.baraka.ask("HEAD", f"{SALES}.csv.zip")

    assert (answer.status_code, answer.headers["X-Total-Rows"]) == (200, "5")
    assert "Content-Length" not in answer.headers


@one_database
def test_who_may_see_less_cannot_go_on_with_the_file_of_who_sees_more(house: House) -> None:
    with_visits(house, 4)
    tag = house.baraka.get("forms/visit/submissions.csv").headers["ETag"]

    answer = house.fanta.get("forms/visit/submissions.csv", headers={"If-Range": tag, "Range": "bytes=5-"})

    assert answer.status_code == 200
    assert b"who" not in answer.get_data()


@one_database
def test_the_same_data_are_the_same_bytes_also_when_they_are_made_anew(house: House) -> None:
    with_visits(house, 12)
    for kind in ("csv", "csv.zip", "xlsx", "jsonl", "geojson", "kml", "sav.zip"):
        first = house.baraka.get(f"forms/visit/submissions.{kind}")
        body = first.get_data()
        for path in files_of(house.app).iterdir():
            path.unlink()
        again = house.baraka.get(f"forms/visit/submissions.{kind}")

        assert (kind, again.headers["ETag"]) == (kind, first.headers["ETag"])
        assert again.get_data() == body, kind


@one_database
def test_whoever_asks_for_the_same_at_once_shares_one_making(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    send_sales(house, 1, 30)
    made: list[Source] = []
    began, go_on = threading.Event(), threading.Event()

    def slowly(source: Source, *rest: Any) -> int:
        made.append(source)
        began.set()
        go_on.wait(20)
        return original(source, *rest)

    original = csvfiles.write_csv
    monkeypatch.setattr("sync.exports.exporting.write_csv", slowly)
    answers: list[bytes] = []

    def ask() -> None:
        voice = Voice(house.app.test_client(), house.baraka.token, house.baraka.actor_id, house.pid)
        answers.append(voice.get(f"{SALES}.csv").get_data())

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert began.wait(20)
    go_on.set()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert len(answers) == 5
    assert len(set(answers)) == 1
    assert len(read_csv(answers[0])) == 30


def held_up(monkeypatch: pytest.MonkeyPatch, write: Callable[..., Any] = write_workbook) -> threading.Event:
    """No such file is written before what this gives is set."""
    go_on = threading.Event()

    def slowly(*given: Any) -> Any:
        go_on.wait(20)
        return write(*given)

    monkeypatch.setattr(f"sync.exports.exporting.{write.__name__}", slowly)
    return go_on


@one_database
@pytest.mark.parametrize("sought", ["", "?%24filter=__system%2FsubmissionDate+lt+now%28%29"])
def test_whoever_was_told_to_ask_again_gets_that_file_once_though_more_has_arrived(
    house: House, sought: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = f"{SALES}.xlsx{sought}"
    send_sales(house, 1, 30)
    go_on = held_up(monkeypatch)
    monkeypatch.setattr("server.api.exports.export_file", partial(export_file, patience=0.1))
    first = house.baraka.get(file)
    send_sales(house, 100, 5)
    again = house.baraka.get(file)
    other = house.baraka.ask("HEAD", f"{SALES}.xlsx?labels=fr")
    go_on.set()
    monkeypatch.setattr("server.api.exports.export_file", export_file)
    somebody_else = house.fanta.get(file)
    owed = house.baraka.get(file)
    later = house.baraka.get(file)

    assert [refused(answer) for answer in (first, again)] == [503.1, 503.1]
    assert (first.headers["Retry-After"], other.headers["X-Total-Rows"]) == ("30", "35")
    assert [len([*load_workbook(io.BytesIO(answer.get_data()))["sale"].rows]) for answer in (owed, later)] == [31, 36]
    assert somebody_else.headers["X-Total-Rows"] == "35"


def is_made(house: House) -> bool:
    return any(path.suffix == ".part" for path in files_of(house.app).iterdir())


@one_database
def test_a_file_that_nobody_waits_for_any_more_is_not_made_further(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.exports.growing._CHECK_EVERY", 1)
    monkeypatch.setattr("server.api.exports.export_file", partial(export_file, patience=0.1))
    send_sales(house, 1, 5)
    go_on = held_up(monkeypatch)
    asked = [voice.get(f"{SALES}.xlsx") for voice in (house.baraka, house.djeneba)]

    first = house.baraka.ask("DELETE", f"{SALES}.xlsx")
    waited_for = is_made(house)
    strangers = [house.baraka.ask("DELETE", f"{SALES}.{file}") for file in ("xlsx", "xlsx?labels=fr")]
    last = house.djeneba.ask("DELETE", f"{SALES}.xlsx")

    assert [refused(answer) for answer in asked] == [503.1, 503.1]
    assert (first.get_json(), last.get_json()) == ({"success": True}, {"success": True})
    assert [answer.status_code for answer in strangers] == [404, 404]
    assert (waited_for, is_made(house)) == (True, False)
    go_on.set()
    monkeypatch.setattr("server.api.exports.export_file", export_file)
    assert len([*load_workbook(io.BytesIO(house.baraka.get(f"{SALES}.xlsx").get_data()))["sale"].rows]) == 6


@one_database
def test_an_export_that_nobody_waits_for_is_none_that_failed_whatever_it_broke_on(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()

    def breaks(*_: Any) -> int:
        go_on.wait(20)
        raise FileNotFoundError("scratch")

    monkeypatch.setattr("sync.exports.exporting.write_workbook", breaks)
    monkeypatch.setattr("server.api.exports.export_file", partial(export_file, patience=0.1))
    send_sales(house, 1, 3)
    house.baraka.get(f"{SALES}.xlsx")
    making = [thread for thread in threading.enumerate() if thread.name == "export"]

    house.baraka.ask("DELETE", f"{SALES}.xlsx")
    go_on.set()
    for thread in making:
        thread.join(20)

    assert len(making) == 1
    assert house.app.extensions["siby_exports"].failures == {}
    assert "export_failed" not in caplog.text


@one_database
def test_a_page_says_that_a_file_is_being_made_and_asks_again_until_it_comes(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_sales(house, 1, 3)
    go_on = held_up(monkeypatch, write_sav)
    monkeypatch.setattr("server.pages.project.data._PATIENCE_SECONDS", 0.1)
    client = signed_in(house, language="en")
    waiting = client.get(f"/projects/{house.pid}/exports/sale.sav")
    csrf = {"__csrf": Page(waiting.get_data(as_text=True)).hidden["__csrf"]}
    stopped = client.post(f"/projects/{house.pid}/exports/sale.sav/stop", data=csrf, follow_redirects=True)
    half_made = is_made(house)
    client.get(f"/projects/{house.pid}/exports/sale.sav")
    go_on.set()
    monkeypatch.setattr("server.pages.project.data._PATIENCE_SECONDS", 20)
    come = client.get(f"/projects/{house.pid}/exports/sale.sav")

    assert (waiting.status_code, waiting.headers["Refresh"]) == (503, "20")
    assert "asks for it again every 20 seconds" in waiting.get_data(as_text=True)
    assert not half_made
    assert "You wait no more for this file: sale, SPSS, with labels." in stopped.get_data(as_text=True)
    (tmp_path / "sale.sav").write_bytes(come.get_data())
    assert len(pyreadstat.read_sav(str(tmp_path / "sale.sav"))[0]) == 3


@one_database
def test_a_page_does_not_ask_for_ever_for_a_file_that_cannot_be_made(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_sales(house, 1, 3)
    monkeypatch.setattr("sync.exports.exporting.write_sav", lambda *_: 1 / 0)

    told = signed_in(house, language="en").get(f"/projects/{house.pid}/exports/sale.sav")

    assert told.status_code == 503
    assert "Refresh" not in told.headers


@one_database
def test_an_export_that_breaks_raises_to_the_server(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    send_sales(house, 1, 10)

    def broken(_source: Source, sink: Any) -> int:
        sink.write(b"KEY\r\n")
        sink.flush()
        time.sleep(1)  # somebody reads it meanwhile
        raise RuntimeError("lost")

    with monkeypatch.context() as patched:
        patched.setattr("sync.exports.exporting.write_csv", broken)
        with pytest.raises(Broken):
            house.baraka.get(f"{SALES}.csv").get_data()

    assert len(read_csv(house.baraka.get(f"{SALES}.csv").get_data())) == 10


@one_database
def test_a_workbook_leaves_while_its_rows_are_read(house: House, settings: Settings) -> None:
    sales = [a_sale(number, remark=random.Random(number).randbytes(500).hex()) for number in range(400)]
    assert set(house.amina.outcomes(*sales)) == {"stored"}
    with house.app.app_context():
        snapshot = open_snapshot(session().get_bind(), session_info(ContentStore(settings.files_folder, 0)))  # type: ignore[arg-type]
    export = prepare_export(snapshot, house.pid, "sale", Options(format="xlsx"), NOON)
    sink, sent, read = io.BytesIO(), list[int](), export.source.submissions

    def watched() -> Iterator[SubmissionRow]:
        for row in read():
            sent.append(sink.tell())
            yield row

    export.source.submissions = watched  # type: ignore[method-assign]
    export.write(sink, Scratch(settings.folder, lambda _: None))
    snapshot.close()

    assert sent[0] < sent[-1] < sink.tell()


BREAKING = """
import time
import sync.exports.exporting as exporting

def broken(source, sink):
    sink.write(b"KEY\\r\\n" * 100_000)
    sink.flush()
    time.sleep(1)
    raise RuntimeError("lost")

exporting.write_csv = broken
from server.cli import main
main()
"""


def test_no_client_takes_an_export_that_broke_for_whole(tmp_path: Path) -> None:
    programme = tmp_path / "programme"
    (programme / "forms").mkdir(parents=True)
    (programme / "project.toml").write_text('name = "Siby"\n')
    (programme / "forms" / "sale.xlsx").write_bytes(a_workbook("sale", "1", SALE))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIBY_")}
    environment = kept | {"SIBY_RESERVE_MB": "0", "SIBY_WORKERS": "1"}
    command = [sys.executable, "-c", BREAKING]

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    run("init")
    run("load", "programme")
    token = run("user", "add", "a@example.org", "--admin", "--token").split()[-1]
    serving = subprocess.Popen(
        [*command, "serve", "--port", "0"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert serving.stdout is not None
        port = int(serving.stdout.readline().strip().rsplit(":", 1)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", f"/v1/projects/1/{SALES}.csv", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()

        assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, "chunked")
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
    finally:
        serving.kill()
        serving.wait()


@one_database
def test_a_row_too_few_is_an_export_that_broke(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    send_sales(house, 1, 10)
    monkeypatch.setattr("sync.exports.exporting.write_csv", lambda *_: 9)

    assert refused(house.baraka.get(f"{SALES}.csv")) == 503.1


@one_database
def test_a_full_disk_is_said_before_the_first_byte(house: House) -> None:
    send_sales(house, 1, 2)
    house.app.extensions["siby_exports"].files.reserve = 10**18

    assert refused(house.baraka.get(f"{SALES}.csv")) == 507.1
    assert not [path for path in files_of(house.app).iterdir() if path.suffix == ".part"]


def test_what_arrives_meanwhile_is_not_in_the_export_and_nothing_is_lost(house: House, settings: Settings) -> None:
    send_sales(house, 1, 120)
    with house.app.app_context():
        engine = session().get_bind()
        snapshot = open_snapshot(engine, session_info(ContentStore(settings.files_folder, 0)))  # type: ignore[arg-type]
    export = prepare_export(snapshot, house.pid, "sale", Options(format="csv.zip"), NOON)
    sink = io.BytesIO()
    send_sales(house, 200, 40)  # between the count and the first row
    assert (
        house.baraka.patch(f"{SALES}/{a_sale(5)['instance_id']}", json={"reviewState": "rejected"}).status_code == 200
    )

    class Watched(io.RawIOBase):
        """Sends more while the file is written."""

        sent = 300

        def write(self, data: bytes) -> int:  # type: ignore[override]
            if Watched.sent < 303:
                Watched.sent += 1
                send_sales(house, Watched.sent * 10, 3)
            return sink.write(data)

    export.write(Watched(), Scratch(settings.folder, lambda _: None))
    snapshot.close()

    rows = tables_in(sink.getvalue())["sale.csv"]
    assert export.facts.rows == len(rows) == 120
    assert {row["KEY"] for row in rows} == {a_sale(number)["instance_id"] for number in range(1, 121)}
    assert {row["ReviewState"] for row in rows} == {""}


@one_database
def test_a_browser_needs_the_token_of_its_page_to_post(house: House) -> None:
    send_sales(house, 1, 1)
    client, secure = house.app.test_client(), {"base_url": "https://localhost"}
    credentials = {"email": "baraka@example.org", "password": PASSWORD}
    csrf = client.post("/v1/sessions", json=credentials, **secure).get_json()["csrf"]
    path = f"/v1/projects/{house.pid}/{SALES}.csv"

    assert client.get(path, **secure).status_code == 200
    assert client.post(path, **secure).status_code == 403
    assert client.post(path, data={"__csrf": csrf}, **secure).status_code == 200


@one_database
def test_encrypted_submissions_are_listed_and_opened_for_whoever_has_the_passphrase(house: House) -> None:
    key = make_key(PASSPHRASE)
    with house.app.app_context():
        begin_writing(session())
        session().add(
            EncryptionKey(
                project_id=house.pid, id=77, public=key.public, private=key.private, hint=None, created_at=NOON
            )
        )
        session().commit()
    photo = b"\xff\xd8secret"
    xml = (
        b'<data id="sale" version="1"><seller>Awa</seller><sacks>7</sacks><photo>p.jpg</photo>'
        b"<meta><instanceID>uuid:e1</instanceID></meta></data>"
    )
    sent = encrypted_submission(
        key.public, xml, form_id="sale", version="1", instance_id="uuid:e1", media={"p.jpg": photo}
    )
    send_sales(house, 1, 2)
    assert a_tablet(house).post(sent.manifest, sent.files).status == 201

    closed = tables_in(house.baraka.get(f"{SALES}.csv.zip").get_data())["sale.csv"]
    answer = house.baraka.post(f"{SALES}.csv.zip", data={"77": PASSPHRASE})
    opened = answer.get_data()

    (row,) = [row for row in closed if row["KEY"] == "uuid:e1"]
    assert (row["Status"], row["seller"]) == ("not decrypted", "")
    (row,) = [row for row in tables_in(opened)["sale.csv"] if row["KEY"] == "uuid:e1"]
    assert (row["Status"], row["seller"], row["sacks"]) == ("", "Awa", "7")
    assert zipfile.ZipFile(io.BytesIO(opened)).read("media/p.jpg") == photo
    in_json = house.baraka.post(f"{SALES}.csv.zip", json={"77": PASSPHRASE})
    assert tables_in(in_json.get_data()) == tables_in(opened)
    in_json.close()
    assert refused(house.baraka.post(f"{SALES}.csv", data={"77": "another one"})) == 400.12
    assert "ETag" not in answer.headers
    answer.close()
    kept = b"".join(path.read_bytes() for path in files_of(house.app).iterdir() if path.is_file())
    assert b"Awa," not in kept


LISTED = """
    | survey    |       |       |         |
    | type      | name  | label | save_to |
    | text      | k1    | K one | k1      |
    | integer   | sacks | Sacks |         |
    | entities  |       |       |         |
    | list_name | label |       |         |
    | folk      | ${k1} |       |         |
"""
SAID_WHO = """
    | matching  |          |           |
    | list_name | property | role      |
    | folk      | k1       | full_name |
"""


def test_what_another_form_says_identifies_people_is_in_no_file_that_a_viewer_gets(house: House) -> None:
    publish(house.app, house.pid, "reg", "1", LISTED)
    told = {"form": "reg", "version": "1", "recorded_at": "2026-11-19T12:00:00+00:00"}
    house.amina.outcomes({"instance_id": instance_id(1), **told, "answers": {"k1": "Awa Diarra", "sacks": 3}})
    before = house.fanta.get("forms/reg/submissions.csv")

    publish(house.app, house.pid, "other", "1", LISTED + SAID_WHO)
    after = house.fanta.get("forms/reg/submissions.csv", headers={"If-None-Match": before.headers["ETag"]})
    office = house.baraka.get("forms/reg/submissions.csv")

    assert b"Awa Diarra" in before.get_data()
    assert (after.status_code, b"Awa Diarra" in after.get_data()) == (200, False)
    assert b"Awa Diarra" in office.get_data()


def test_exports_that_break_between_two_rows_leave_room_for_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []  # as the frames of an error hold on to what was in them

    def breaks(source: Source, *_: Any) -> int:
        held.append(source.submissions())
        raise OSError(f"after {next(held[-1]).instance_id}")

    send_sales(house, 1, 3)
    with monkeypatch.context() as broken:
        broken.setattr("sync.exports.exporting.write_workbook", breaks)
        failed = [house.baraka.get(f"{SALES}.xlsx?labels={language}") for language in ("en", "fr", "")]

    whole = house.baraka.get(f"{SALES}.xlsx")

    assert [answer.status_code for answer in failed] == [500, 500, 500]
    assert len([*load_workbook(io.BytesIO(whole.get_data()))["sale"].rows]) == 4
