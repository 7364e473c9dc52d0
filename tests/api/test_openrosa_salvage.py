"""Posts to the real server over links that break, at the same moment, and by hands that mean no good."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from demo.serving import HOST, Serving
from forms.workbooks.workbook import read_workbook
from migrations.schema import upgrade
from sync.accounts.installation import found_installation
from sync.accounts.people import add_device
from sync.intake.content import ContentStore, session_info
from sync.models import Attachment, Quarantined, StoredFile, Submission, SubmissionVersion
from sync.models.database import begin_writing, open_engine
from sync.projects.publish import create_project, publish_form
from tests.support.collect import (
    Collect,
    Filled,
    Heard,
    LinkBroken,
    Wire,
    a_filled_sale,
    a_part,
    head,
    hear,
    joined,
    multipart,
    sha256_of,
)
from tests.support.databases import new_name
from tests.support.projects import NOON, SALE
from tests.support.workbooks import a_workbook

SMALL, LARGE = b"\xff\xd8small" * 500, b"\xff\xd8large" * 50_000


class House:
    """An installation and its server, in which every test has an office of its own."""

    def __init__(self, engine: Engine, url: str, folder: Path) -> None:
        self.engine = engine
        self.files = folder / "files"
        with self.session() as session:
            begin_writing(session)
            found_installation(session, NOON)
            session.commit()
        settings = {"SIBY_FOLDER": str(folder), "SIBY_DATABASE": url, "SIBY_RESERVE_MB": "0", "SIBY_WORKERS": "2"}
        self.serving = Serving(folder, {**os.environ, **settings}, a_free_port())

    def session(self) -> Session:
        return Session(self.engine, info=session_info(ContentStore(self.files, reserve=0)))


class Office:
    """A project of the installation, and the token of one tablet."""

    def __init__(self, house: House) -> None:
        self.engine = house.engine
        self.files = house.files
        self.serving = house.serving
        with house.session() as session:
            begin_writing(session)
            journal = create_project(session, {"name": "Siby", "time_zone": "Africa/Bamako"}, None, NOON)
            publish_form(journal, read_workbook(a_workbook("sale", "1", SALE), "sale.xlsx"))
            journal.close()
            session.commit()
            self.project = journal.project_id
            begin_writing(session)
            self.token = add_device(session, self.project, "tablet", NOON)[1].token
            session.commit()

    @property
    def base(self) -> str:
        return f"/v1/key/{self.token}/projects/{self.project}"

    def tablet(self, wire: Wire | None = None) -> Collect:
        return Collect(wire or Wire(self.serving.port), self.base)

    def tablet_at_the_root(self, wire: Wire) -> Collect:
        """As KoboCollect is set up: the server's address, a name, and a password."""
        signed = base64.b64encode(f"tablet:{self.token}".encode()).decode()
        return Collect(wire, "", {"Authorization": f"Basic {signed}"})

    def all(self, query: Any) -> list[Any]:
        model = query.column_descriptions[0]["entity"]
        with Session(self.engine) as session:
            return list(session.scalars(query.where(model.project_id == self.project)))

    def count(self, model: Any) -> int:
        return len(self.all(select(model)))

    def present(self) -> dict[str, str]:
        """The files that are here, by name."""
        return {row.name: row.sha256 for row in self.all(select(Attachment).where(Attachment.present.is_(True)))}

    def cut_off(self, body: bytes, kind: str, after: int) -> None:
        """Send so much of a body, and hang up."""
        headers = {"Content-Type": kind, "Content-Length": str(len(body))}
        with socket.create_connection((HOST, self.serving.port), timeout=30) as connection:
            connection.sendall(head("POST", f"{self.base}/submission", headers) + body[:after])

    def say(self, *sent: bytes) -> Heard | None:
        """Send these bytes and give the answer, if there is one: it may have come before the last of them were sent."""
        with socket.create_connection((HOST, self.serving.port), timeout=30) as connection:
            with contextlib.suppress(OSError):
                for piece in sent:
                    connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)
            try:
                return hear(connection)
            except (OSError, LinkBroken):
                return None

    def post(self, body: bytes, kind: str, **headers: str) -> Heard | None:
        all_headers = {"Content-Type": kind, "Content-Length": str(len(body))}
        all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.say(head("POST", f"{self.base}/submission", all_headers), body)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with contextlib.ExitStack() as leaving:
        if request.param == "sqlite":
            url = f"sqlite:///{folder / 'siby.sqlite'}"
        else:
            postgres, name = request.getfixturevalue("postgres"), new_name()
            url = postgres.create(name)
            leaving.callback(postgres.drop, name)
        upgrade(url)
        engine = open_engine(url)
        leaving.callback(engine.dispose)
        house = House(engine, url, folder)
        leaving.callback(house.serving.stop)
        leaving.callback(house.serving.kill)
        house.serving.start()
        yield house


@pytest.fixture
def office(house: House) -> Office:
    return Office(house)


def until(true: Any) -> None:
    """Wait for what the server does after the client has gone."""
    end = time.monotonic() + 15
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


# Links that break.


def test_what_arrived_whole_is_kept_when_the_connection_dies(office: Office) -> None:
    sale = a_filled_sale(photo="a.jpg")
    body, kind = multipart(sale, {"a.jpg": SMALL, "b.jpg": LARGE, "c.jpg": SMALL[:-1]})

    office.cut_off(body, kind, body.index(LARGE) + len(LARGE) // 2)

    until(lambda: office.count(Submission) == 1)
    assert office.present() == {"a.jpg": sha256_of(SMALL)}
    (row,) = office.all(select(Submission))
    assert row.missing == 0, "the form names a.jpg alone"
    advised = office.tablet().head()
    assert advised.status == 204
    until(lambda: 1_000_000 <= int(office.tablet().head().headers["x-openrosa-accept-content-length"]) <= 2_000_000)
    assert list((office.files / "parts").iterdir()) == [], "nothing half is left behind"

    assert office.tablet().send(Filled(sale, {"a.jpg": SMALL, "b.jpg": LARGE, "c.jpg": SMALL[:-1]}))
    assert office.present() == {"a.jpg": sha256_of(SMALL), "b.jpg": sha256_of(LARGE), "c.jpg": sha256_of(SMALL[:-1])}


def test_retries_add_up_on_a_link_that_breaks_at_the_same_point_again_and_again(office: Office) -> None:
    photos = {f"{number}.jpg": SMALL + bytes([number]) for number in range(8)}
    filled = Filled(a_filled_sale(photo="0.jpg"), photos)
    whole, _ = multipart(filled.xml, photos)
    third = len(whole) // 3

    for start in range(0, 8, 2):  # each try gets a third through; what comes first differs
        names = [*photos][start:] + [*photos][:start]
        body, kind = multipart(filled.xml, {name: photos[name] for name in names})
        office.cut_off(body, kind, third)
    until(lambda: len(office.present()) == 8)

    assert office.count(Submission) == 1
    assert office.all(select(Submission.missing)) == [0]


def test_a_form_that_did_not_arrive_whole_leaves_nothing(office: Office) -> None:
    body, kind = multipart(a_filled_sale(photo="a.jpg"), {"a.jpg": LARGE})
    photo_first = joined(
        [
            a_part("a.jpg", LARGE, "image/jpeg", "a.jpg"),
            a_part("xml_submission_file", a_filled_sale(), "text/xml", "x"),
        ],
        "xxx",
    )

    office.cut_off(body, kind, body.index(b"<sacks>"))
    office.cut_off(photo_first, "multipart/form-data; boundary=xxx", photo_first.index(b"<sacks>"))

    assert office.tablet().send(Filled(a_filled_sale(7)))
    assert (office.count(Submission), office.count(StoredFile), office.count(Quarantined)) == (1, 0, 0)
    until(lambda: list((office.files / "parts").iterdir()) == [])


def test_sent_whole_but_not_heard_and_sent_again_at_once(office: Office) -> None:
    sale = a_filled_sale(photo="a.jpg")
    for _ in range(5):
        body, kind = multipart(sale, {"a.jpg": SMALL})
        office.cut_off(body, kind, len(body))

        heard = office.tablet().post(sale, {"a.jpg": SMALL})
        assert heard.status in (201, 202)

    assert (office.count(Submission), office.count(SubmissionVersion), office.count(Quarantined)) == (1, 1, 0)


@pytest.mark.parametrize("set_up", [Office.tablet, Office.tablet_at_the_root])
def test_whatever_a_link_does_all_that_the_app_calls_sent_is_here_once(
    office: Office, set_up: Callable[[Office, Wire], Collect]
) -> None:
    chance = random.Random("links")
    wire = Wire(office.serving.port, lambda length: chance.randrange(length) if chance.random() < 0.5 else None)
    tablet = set_up(office, wire)
    waiting = []
    for number in range(1, 13):
        photos = {f"{number}-{index}.jpg": chance.randbytes(chance.randrange(60_000)) for index in range(number % 4)}
        waiting.append(Filled(a_filled_sale(number, photo=next(iter(photos), "")), photos))

    for _ in range(40):
        for filled in waiting:
            if not filled.sent:
                tablet.send(filled)

    assert all(filled.sent for filled in waiting)
    assert office.count(Submission) == office.count(SubmissionVersion) == 12
    assert office.present() == {name: sha256_of(photo) for filled in waiting for name, photo in filled.files.items()}
    assert set(office.all(select(Submission.missing))) == {0}


def test_two_batches_of_an_offline_queue_of_which_the_second_fails_first(office: Office) -> None:
    """As Enketo sends what was filled in without a network."""
    sale, sent = a_filled_sale(photo="a.jpg"), office.tablet()
    assert sent.post(sale, {"a.jpg": SMALL}, more=True).status == 201
    body, kind = multipart(sale, {"b.jpg": LARGE})
    office.cut_off(body, kind, len(body) - 20)

    assert sent.post(sale, {"b.jpg": LARGE}).status == 201

    assert office.present() == {"a.jpg": sha256_of(SMALL), "b.jpg": sha256_of(LARGE)}
    assert office.all(select(Submission.missing)) == [0]


# At the same moment.


def test_eight_identical_posts_at_once_are_all_acknowledged_and_stored_once(office: Office) -> None:
    for number in range(1, 6):
        sale = a_filled_sale(number, photo="a.jpg")

        with ThreadPoolExecutor(8) as tablets:
            photo = SMALL + bytes([number])
            heard = list(tablets.map(office.tablet().post, [sale] * 8, [{"a.jpg": photo}] * 8))

        assert {answer.status for answer in heard} <= {201, 202}
        assert [answer.status for answer in heard].count(201) == 1
    assert office.count(Submission) == office.count(SubmissionVersion) == office.count(Attachment) == 5
    assert office.count(Quarantined) == 0


def test_photos_of_one_form_that_come_at_the_same_moment_are_all_here(office: Office) -> None:
    sale = a_filled_sale(photo="0.jpg")

    with ThreadPoolExecutor(8) as tablets:
        heard = list(tablets.map(lambda n: office.tablet().post(sale, {f"{n}.jpg": SMALL + bytes([n])}), range(8)))

    assert {answer.status for answer in heard} <= {201, 202}
    assert office.count(Submission) == 1
    assert office.present() == {f"{number}.jpg": sha256_of(SMALL + bytes([number])) for number in range(8)}


# Chunks, lies and malice.


def test_a_body_in_chunks_is_taken(office: Office) -> None:
    body, kind = multipart(a_filled_sale(photo="a.jpg"), {"a.jpg": LARGE})
    pieces = [body[start : start + 7001] for start in range(0, len(body), 7001)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    headers = {"Content-Type": kind, "Transfer-Encoding": "chunked"}

    heard = office.say(head("POST", f"{office.base}/submission", headers), chunks)

    assert heard is not None
    assert heard.status == 201
    assert office.present() == {"a.jpg": sha256_of(LARGE)}


def test_a_body_in_chunks_that_breaks_off_is_salvaged(office: Office) -> None:
    body, kind = multipart(a_filled_sale(photo="a.jpg"), {"a.jpg": SMALL, "b.jpg": LARGE})
    headers = {"Content-Type": kind, "Transfer-Encoding": "chunked"}
    half = body[: body.index(LARGE) + 1000]

    office.say(head("POST", f"{office.base}/submission", headers), b"%x\r\n%b\r\nffff\r\nabc" % (len(half), half))

    until(lambda: office.count(Submission) == 1)
    assert office.present() == {"a.jpg": sha256_of(SMALL)}


def parts_of(xml: bytes, *more: bytes) -> bytes:
    return joined([a_part("xml_submission_file", xml, "text/xml", "x.xml"), *more], "xxx")


SALE_XML = a_filled_sale()
HOSTILE_NAMES = [
    "../../../etc/passwd",
    "a\x00b.jpg",
    "\r\nX: y",
    "a" * 4000,
    "",
    "CON",
    "=1+1",
    "\u202egpj.exe",
    "🦆.jpg",
    "'--",
]
BAD: dict[str, tuple[bytes, str]] = {
    "doctype": (parts_of(b'<!DOCTYPE data [<!ENTITY a "b">]>' + SALE_XML[22:]), "400"),
    "doctype after a comment": (parts_of(b"<!-- x --><!DOCTYPE data>" + SALE_XML[22:]), "400"),
    "outside entity": (parts_of(b'<!DOCTYPE d SYSTEM "file:///etc/passwd"><data id="sale">&d;</data>'), "400"),
    "NUL": (parts_of(SALE_XML.replace(b"Siby", b"Si\0by")), "400"),
    "cut off": (parts_of(SALE_XML[:200]), "400"),
    "mismatched": (parts_of(SALE_XML.replace(b"</sacks>", b"</sack>")), "400"),
    "empty": (parts_of(b""), "400"),
    "no XML": (parts_of(b"\xff\xd8\xff\xe0" * 100), "400"),
    "JSON": (parts_of(b'{"instance_id": "uuid:1"}'), "400"),
    "wrong encoding": (parts_of(b'<?xml version="1.0" encoding="utf-7"?><data id="sale"/>'), "400"),
    "deep": (parts_of(b'<data id="sale" version="1">' + b"<a>" * 5000 + b"</a>" * 5000 + b"</data>"), "400"),
    "wide": (parts_of(b'<data id="sale" version="1">' + b"<a/>" * 100_000 + b"</data>"), "400"),
    "too long": (parts_of(SALE_XML.replace(b"Siby", b"S" * 11_000_000)), "413"),
    "half a character": (parts_of(SALE_XML.replace(b"Siby", b"\xed\xa0\x80")), "400"),
    "no character": (parts_of(SALE_XML.replace(b"Siby", b"&#0;&#xD800;")), "400"),
    "beyond measure": (parts_of(a_filled_sale(21, sacks="9" * 400, price="NaN", day="99999-99-99")), "201"),
    "asides in a value": (parts_of(a_filled_sale(22, seller="A<!-- x -->w<?y z?>a")), "201"),
    "no id": (parts_of(b"<data><a>1</a></data>"), "404"),
    "long id": (parts_of(a_filled_sale(instance_id="uuid:" + "1" * 5000)), "400"),
    "nothing": (b"", "400"),
    "only the end": (b"--xxx--\r\n", "400"),
    "other boundary": (parts_of(SALE_XML).replace(b"xxx", b"yyy"), "400"),
    "no end": (parts_of(SALE_XML)[:-5], "400"),
    "a header without end": (b"--xxx\r\nContent-Disposition: " + b"a" * 100_000, "413"),
    "a hundred headers": (b"--xxx\r\n" + b"A: b\r\n" * 100 + b"\r\n\r\n--xxx--\r\n", "413"),
    "no name": (b"--xxx\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n--xxx--\r\n", "400"),
    "other field": (joined([a_part("xml", SALE_XML, "text/xml", "x.xml")], "xxx"), "400"),
    "a thousand and one": (
        parts_of(SALE_XML, *(a_part(f"{n}.jpg", b"%d" % n, "image/jpeg", f"{n}.jpg") for n in range(1000))),
        "413",
    ),
    "two forms": (parts_of(SALE_XML, a_part("xml_submission_file", a_filled_sale(2), "text/xml", "y.xml")), "201"),
    "hostile names": (
        parts_of(SALE_XML, *(a_part(name, name.encode(), "image/jpeg", name) for name in HOSTILE_NAMES)),
        "201 400",
    ),
    "bytes in names": (
        parts_of(SALE_XML, b'Content-Disposition: form-data; name="\xff\xfe\x80"; filename="\xc3("\r\n\r\nx'),
        "201",
    ),
    "NUL in a type": (
        parts_of(SALE_XML, b'Content-Disposition: form-data; name="n"; filename="n"\r\nContent-Type: a/\0\r\n\r\ny'),
        "201 202",
    ),
}


def test_nothing_bad_makes_the_server_fail_or_hang_and_what_is_good_of_it_is_kept(office: Office) -> None:
    wrong = []
    for name, (body, expected) in BAD.items():
        began = time.monotonic()
        heard = office.post(body, "multipart/form-data; boundary=xxx")
        seconds = time.monotonic() - began

        if heard is None or str(heard.status) not in expected.split() or seconds > 10 or not heard.message:
            wrong.append((name, heard, seconds))

    assert wrong == []
    assert office.tablet().post(a_filled_sale(9)).status == 201
    reasons = {parked.reason for parked in office.all(select(Quarantined))}
    assert reasons == {"unreadable", "malformed", "unknown_form"}
    thousand = [name for name in office.present() if name.removesuffix(".jpg").isdecimal()]
    assert len(thousand) == 999, "all that came before the limit"


def test_lies_about_the_length_hurt_nobody_but_the_liar(office: Office) -> None:
    body, kind = multipart(a_filled_sale(photo="a.jpg"), {"a.jpg": SMALL, "b.jpg": LARGE})

    short = office.post(body, kind, Content_Length=str(body.index(LARGE) + 10))
    assert short is not None
    assert short.status == 400
    assert office.present() == {"a.jpg": sha256_of(SMALL)}
    long = office.post(body, kind, Content_Length=str(len(body) + 1000))
    assert long is None or long.status in (201, 202, 400)
    for length in ("-1", "abc", "9" * 30):
        heard = office.post(body, kind, Content_Length=length)
        assert heard is None or heard.status < 500

    assert office.tablet().post(a_filled_sale(photo="a.jpg"), {"b.jpg": LARGE}).status in (201, 202)
    assert office.count(Submission) == 1


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/xml",
        "multipart/form-data",
        "multipart/mixed; boundary=xxx",
        "multipart/form-data; boundary=" + "x" * 5000,
    ],
)
def test_what_is_no_form_is_said_no_to(office: Office, kind: str) -> None:
    heard = office.post(parts_of(SALE_XML), kind)

    assert heard is not None
    assert (heard.status, heard.nature) == (400, "error")


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
