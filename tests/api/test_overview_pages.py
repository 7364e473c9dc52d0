"""The overview: what waits, what came in, where figures stand; what takes longer is a page of its own."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re

import openpyxl
import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, update

from server import clock
from server.db import db, session
from server.kept import following, remembered
from sync.models import Entity, WorkedOut
from tests.support.pages import Page, read, send, signed_in
from tests.support.people import a_gathering, publish_gathering
from tests.support.projects import SALE, a_sale, instance_id
from tests.support.web import House, shown
from tests.support.workbooks import a_workbook

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOSTILE = "<script>alert(1)</script>"
PLACES = """code,name,level,parent,latitude,longitude,aliases
K,Koulikoro,region,,12.86,-7.56,
S,Siby <b>,commune,K,,,Siby
Z,Sikasso,region,,11.32,-5.67,
"""
PARTS = ("waiting", "arrivals", "devices", "targets", "registers")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def placed(markdown: str = SALE) -> str:
    """The form `sale` with a place and a target."""
    return (
        markdown.replace("| value        | by |", "| value        | by | place |").replace(
            "| ${sacks}     | village |", "| ${sacks}     | village | ${village} |"
        )
        + "    | targets |  |  |\n    | indicator | period | target |\n    | sacks | 2026 | 10 |\n"
    )


def test_what_waits_leads_to_it_from_the_overview_and_from_the_list_of_projects(house: House) -> None:
    publish_gathering(house)
    house.amina.send(a_gathering(1), a_gathering(2, first="Dieneba", last="Koulibali"), a_sale(1))
    shown(house.baraka.patch(f"forms/sale/submissions/{instance_id(1)}", json={"reviewState": "hasIssues"}))
    with house.app.app_context():
        session().execute(update(Entity).where(Entity.list_name == "people").values(conflict="hard"))
        session().commit()
    client, project = signed_in(house, language="en"), f"/projects/{house.pid}"

    page, home = Page(read(client, project)), Page(read(client, "/"))
    waiting = Page(read(client, f"{project}/overview/waiting"))

    assert f"{project}/lists/people?conflicts=true" in page.links
    assert f"{project}/duplicates?list=people" in home.links
    assert f"{project}/submissions?state=hasIssues" in waiting.links


def test_the_latest_say_whose_visit_each_was(house: House) -> None:
    publish_gathering(house)
    house.amina.send(a_gathering(1))
    client, project = signed_in(house, language="en"), f"/projects/{house.pid}"

    for page in (project, f"{project}/submissions"):
        assert re.search(r'gathering<br><span class="quiet">Djénéba Coulibaly', read(client, page)), page


@on_sqlite
def test_what_is_refused_within_a_project_keeps_its_sections(house: House) -> None:
    reader, stranger = signed_in(house, "fanta", "en"), signed_in(house, "coumba", "en")
    project = f"/projects/{house.pid}"

    refused, missing = reader.get(f"{project}/submissions/1"), signed_in(house).get(f"{project}/submissions/9")
    unknown = stranger.get(f"{project}/submissions/9")

    assert (refused.status_code, missing.status_code, unknown.status_code) == (403, 404, 404)
    assert f"{project}/indicators" in Page(refused.get_data(as_text=True)).links
    assert f"{project}/submissions" not in Page(refused.get_data(as_text=True)).links
    assert f"{project}/submissions" in Page(missing.get_data(as_text=True)).links
    assert f"{project}/indicators" not in unknown.get_data(as_text=True)


@pytest.fixture
def house_with_sales(house: House) -> House:
    house.djeneba.put("places", data=PLACES, headers={"Content-Type": "text/csv"})
    query = {"publish": "true", "ignoreWarnings": "true"}
    path = "forms/sale/draft"
    house.djeneba.post(path, data=a_workbook("sale", "2", placed()), headers={"Content-Type": XLSX}, query_string=query)
    assert house.djeneba.post(f"{path}/publish").status_code == 200
    items = [a_sale(number, version="2", seller=HOSTILE, sacks=4) for number in (1, 2)]
    assert house.amina.outcomes(*items, a_sale(3, version="2", village="Elsewhere")) == ["stored"] * 3
    return house


def test_every_part_is_a_page_without_a_script_and_a_piece_with_one(house_with_sales: House) -> None:
    client = signed_in(house_with_sales, language="en")
    base = f"/projects/{house_with_sales.pid}"
    links = Page(read(client, base)).links

    for part in PARTS:
        assert f"{base}/overview/{part}" in links
        whole = read(client, f"{base}/overview/{part}")
        piece = client.get(f"{base}/overview/{part}", headers={"HX-Request": "true"}).get_data(as_text=True)
        assert "<h1>" in whole
        assert "<html" not in piece
        assert len(piece) < len(whole)
        assert Page(piece).runs == []


def test_arrivals_are_counted_by_form_and_by_place_of_the_first_level(house_with_sales: House) -> None:
    text = read(signed_in(house_with_sales, language="en"), f"/projects/{house_with_sales.pid}/overview/arrivals")

    rows = {name: (every, lately) for name, every, lately in _rows(text)}
    assert rows["sale"] == ("3", "3")
    assert rows["Koulikoro"] == ("2", "2")
    assert rows["Sikasso"] == ("0", "0")
    assert rows["no known place"] == ("1", "1")
    assert 'class="land"' in text
    assert "<title>Koulikoro: 2</title>" in text


def test_an_indicator_has_a_map_of_its_figures_by_place(house_with_sales: House) -> None:
    house, client = house_with_sales, signed_in(house_with_sales, language="en")

    text = read(client, f"/projects/{house.pid}/indicators/sacks/cells?period=all")

    [figure] = shown(house.baraka.get("figures?indicator=sacks&place=K"))["figures"]
    assert f"<title>Koulikoro: {figure['value']:.1f}</title>" in text
    assert 'class="land"' in text


def test_figures_are_taken_along_by_place_and_period_as_the_api_has_them(house_with_sales: House) -> None:
    house, client = house_with_sales, signed_in(house_with_sales, language="en")
    base = f"/projects/{house.pid}/indicators"
    [koulikoro] = shown(house.baraka.get("figures?indicator=sacks&period=2026&place=K"))["figures"]

    page = read(client, f"{base}/sacks/table?period=2026")
    every = client.get(f"{base}.csv?period=2026")
    lines = [
        list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
        for answer in (every, client.get(f"{base}/sacks/table.csv?period=2026"))
    ]

    value = f"{koulikoro['value']:.1f}"
    assert re.search(rf'>Koulikoro</th>(<td[^>]*>[^<]*</td>)*<td class="number">{value}</td></tr>', page)
    assert f"{base}.csv?period=2026" in Page(read(client, f"{base}?period=2026")).links
    assert "indicators_2026.csv" in every.headers["Content-Disposition"]
    for found in lines:
        [line] = [one for one in found if (one["indicator"], one["period"], one["place"]) == ("sacks", "2026", "K")]
        assert float(line["value"]) == koulikoro["value"]
        assert line["place_name"] == "Koulikoro"


def test_figures_are_taken_along_for_a_spreadsheet_with_links_to_their_visits(house_with_sales: House) -> None:
    house, client = house_with_sales, signed_in(house_with_sales, language="fr")
    base = f"/projects/{house.pid}/indicators"
    [koulikoro] = shown(house.baraka.get("figures?indicator=sacks&period=2026&place=K"))["figures"]

    page = read(client, f"{base}?period=2026")
    answers = [client.get(address) for address in (f"{base}.xlsx?period=2026", f"{base}/sacks/table.xlsx?period=2026")]

    assert f"{base}.xlsx?period=2026" in Page(page).links
    assert "indicators_2026.xlsx" in answers[0].headers["Content-Disposition"]
    for answer in answers:
        sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
        header, *rows = [[cell.value for cell in line] for line in sheet.iter_rows()]
        assert header[:7] == ["Indicateur", "Unité", "Période", "Lieu", "Ventilation", "Groupe", "Valeur"]
        [at] = [
            at for at, one in enumerate(rows, 2) if (one[0], *one[2:6]) == ("Sacks", "2026", "Koulikoro", None, None)
        ]
        assert sheet.cell(at, 7).value == koulikoro["value"]
        link = sheet.cell(at, len(header)).hyperlink.target
        assert f"{koulikoro['value']:.1f}".replace(".", ",") in read(client, f"/{link.split('/', 3)[3]}")


def _lines(client: FlaskClient, address: str) -> list[dict[str, str]]:
    answer = client.get(address)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))


def test_a_table_tells_the_whole_from_what_has_no_known_place_and_has_the_targets_of_places(
    house_with_sales: House,
) -> None:
    house, client = house_with_sales, signed_in(house_with_sales, language="en")
    book = placed().replace("| period | target |", "| period | target | place |")
    book += "    | sacks | 2026 | 500 | K |\n    | sacks | 2026 | 70 | Z |\n"
    query = {"publish": "true", "ignoreWarnings": "true"}
    workbook = a_workbook("sale", "3", book)
    house.djeneba.post("forms/sale/draft", data=workbook, headers={"Content-Type": XLSX}, query_string=query)
    assert house.djeneba.post("forms/sale/draft/publish").status_code == 200
    house.amina.send(a_sale(5, version="2", village="Nowhere", sacks=100), batch="b2")
    asked, base = "figures?indicator=sacks&period=2026", f"/projects/{house.pid}/indicators"

    def told(more: str = "") -> list[tuple[float, float | None]]:
        return [(one["value"], one["target"]) for one in shown(house.baraka.get(asked + more))["figures"]]

    [whole], [koulikoro], [sikasso] = told(), told("&place=K"), told("&place=Z")
    [unknown] = told("&by=place:region&is=place:region:null")
    page = read(client, f"{base}/sacks/table?period=2026")
    every = _lines(client, f"{base}.csv?period=2026"), _lines(client, f"{base}/sacks/table.csv?period=2026")

    assert (koulikoro[1], sikasso, unknown[0]) == (500, (0, 70), 104)
    for lines in every:
        found = [one for one in lines if (one["indicator"], one["period"]) == ("sacks", "2026")]
        numbers = {
            (one["whole"], one["place"]): (float(one["value"]), float(one["target"]) if one["target"] else None)
            for one in found
        }
        assert numbers == {("true", ""): whole, ("", "K"): koulikoro, ("", "Z"): sikasso, ("", ""): unknown}
        assert len(found) == 4
    for name, (value, _) in (("everywhere", whole), ("no known place", unknown), ("Koulikoro", koulikoro)):
        assert re.search(rf'>{name}</th>(<td[^>]*>[^<]*</td>)*<td class="number">{value:.1f}</td></tr>', page), name


@on_sqlite
def test_a_table_is_kept_until_something_changes_and_its_file_is_never_old(
    house_with_sales: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "DEAR_SECONDS", 0.0)
    house, client = house_with_sales, signed_in(house_with_sales, language="en")
    base = f"/projects/{house.pid}/indicators"
    table, files = f"{base}/sacks/table?period=2026", (f"{base}.csv?period=2026", f"{base}/sacks/table.csv?period=2026")
    read_so_far = list[str]()

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM contributions" in statement:
            read_so_far.append(statement)

    def values(address: str) -> list[str]:
        wanted = "sacks", "2026", "K"
        return [
            one["value"] for one in _lines(client, address) if (one["indicator"], one["period"], one["place"]) == wanted
        ]

    with house.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", listen)
    before = [read(client, table), *map(values, files)]
    read_at_first = len(read_so_far)
    again = [read(client, table), *map(values, files)]
    event.remove(engine, "before_cursor_execute", listen)
    house.amina.send(a_sale(5, version="2", sacks=1), batch="b2")
    old, now = read(client, table), [values(address) for address in files]

    assert again == before
    assert len(read_so_far) == read_at_first > 0
    assert now == [["9"], ["9"]]
    assert 'class="told"' in old
    (anew,) = {link for link in Page(old).links if "fresh=yes" in link}
    assert 'class="told"' not in read(client, anew)
    assert 'class="told"' not in read(client, table)


@on_sqlite
def test_the_map_is_left_out_where_places_have_no_coordinates(house: House) -> None:
    house.djeneba.put(
        "places", data="code,name,level,parent\nK,Koulikoro,region,\n", headers={"Content-Type": "text/csv"}
    )
    house.amina.send(a_sale(1))
    text = read(signed_in(house), f"/projects/{house.pid}/overview/arrivals")

    assert "Koulikoro" in text
    assert "<path" not in text.partition('class="days"')[2].partition("</svg>")[2]


def test_what_is_rejected_and_approved_no_longer_waits(house_with_sales: House) -> None:
    client = signed_in(house_with_sales, language="en")
    path = f"/projects/{house_with_sales.pid}/overview/waiting"
    before = read(client, path)
    submission = f"forms/sale/submissions/{instance_id(1)}"
    answer = house_with_sales.baraka.patch(submission, json={"reviewState": "approved"})
    after = read(client, path)

    assert answer.status_code == 200
    waiting = r'class="big"[^>]*>(\d+)<'
    assert (re.findall(waiting, before), re.findall(waiting, after)) == (["3"], ["2"])


@on_sqlite
def test_a_figure_stands_beside_its_target_as_the_api_has_it(house_with_sales: House) -> None:
    text = read(signed_in(house_with_sales, language="en"), f"/projects/{house_with_sales.pid}/overview/targets")
    figure = shown(house_with_sales.baraka.get("figures?indicator=sacks&period=2026"))["figures"][0]

    assert (figure["value"], figure["target"]) == (12, 10)
    assert re.search(r'data-of="Value">12.0<.*data-of="Target">10.0<.*data-of="Reached">120%<', text, re.DOTALL)


@on_sqlite
def test_an_empty_project_says_what_to_do_next(house: House) -> None:
    administrator = read(signed_in(house, "djeneba", "en"), f"/projects/{house.pid}")
    coordinator = read(signed_in(house, "baraka", "en"), f"/projects/{house.pid}")

    assert "What to do next" in administrator
    assert f"/projects/{house.pid}/forms" in Page(administrator).links
    assert "Add a device" in coordinator
    assert "Upload" not in coordinator


@on_sqlite
def test_a_device_that_has_never_called_is_named_and_not_said_to_be_as_usual(house_with_sales: House) -> None:
    house, part = house_with_sales, f"/projects/{house_with_sales.pid}/overview/devices"
    client = signed_in(house, language="en")
    before = read(client, part)

    shown(house.djeneba.post("app-users", json={"displayName": "Tablet <new>"}))
    after = read(client, part)

    assert "not heard of yet" not in before
    assert "not heard of yet: Tablet &lt;new&gt;" in after
    assert "All 2 devices" not in after


def test_who_only_reads_sees_no_submissions_and_no_devices(house_with_sales: House) -> None:
    client = signed_in(house_with_sales, "fanta")
    base = f"/projects/{house_with_sales.pid}"
    page = read(client, base)

    assert "/submissions/" not in page
    assert client.get(f"{base}/overview/arrivals").status_code == 200
    assert client.get(f"{base}/overview/waiting").status_code == 403
    assert client.get(f"{base}/overview/devices").status_code == 403


@on_sqlite
@pytest.mark.parametrize("part", PARTS)
def test_who_belongs_elsewhere_finds_nothing(house: House, part: str) -> None:
    assert signed_in(house, "coumba").get(f"/projects/{house.pid}/overview/{part}").status_code == 404


@on_sqlite
def test_the_projects_say_what_waits_in_them(house_with_sales: House) -> None:
    house_with_sales.amina.send(a_sale(9, form="nothing"))
    home = read(signed_in(house_with_sales, language="en"), "/")

    assert "1 in quarantine" in home
    assert "Last arrival" in home
    assert "Elsewhere" not in home


def test_who_administers_the_installation_makes_a_project_on_a_page_and_is_told_what_comes_next(house: House) -> None:
    client = signed_in(house, "sekou", "fr")

    refused = send(client, "/", "/projects", {"name": HOSTILE, "time_zone": "Mali"})
    made = send(client, "/", "/projects", {"name": "Karité", "time_zone": "Africa/Bamako"})
    project = read(client, made.headers["Location"])

    assert refused.status_code == 400
    assert "Ce fuseau horaire n’existe pas" in refused.get_data(as_text=True)
    assert HOSTILE not in refused.get_data(as_text=True)
    assert made.status_code == 303
    assert f"{made.headers['Location']}/workbook" in Page(project).links
    assert f"{made.headers['Location']}/programme" in Page(project).links
    told = shown(house.sekou.get(f"/v1{made.headers['Location']}"))
    assert (told["name"], told["time_zone"], told["languages"]) == ("Karité", "Africa/Bamako", ["fr"])


@on_sqlite
def test_each_page_of_an_empty_project_leads_to_where_things_come_from(house: House) -> None:
    client = signed_in(house, "sekou", "fr")
    base = send(client, "/", "/projects", {"name": "Karité", "time_zone": "UTC"}).headers["Location"]

    for page in ("submissions", "review", "duplicates", "indicators", "lists", "exports"):
        text = read(client, f"{base}/{page}")
        assert f'<a class="button" href="{base}/forms">' in text, page
        assert "Bon travail" not in text
    assert f'<a class="button" href="{base}/workbook">' in read(client, f"{base}/forms")
    assert f'<a class="button" href="{base}/programme">' in read(client, f"{base}/statements")

    send(
        client, f"{base}/workbook", f"{base}/workbook", {"workbook": (io.BytesIO(a_workbook("v", "1", SALE)), "v.xlsx")}
    )
    assert f"{base}/forms/v/draft" in Page(read(client, base)).links


@on_sqlite
def test_others_make_no_project(house: House) -> None:
    client = signed_in(house, "djeneba")
    account = Page(read(client, "/account")).hidden["__csrf"]

    answer = client.post("/projects", data={"__csrf": account, "name": "Mine", "time_zone": "UTC"})

    assert answer.status_code == 403
    assert 'action="/projects"' not in read(client, "/")


@on_sqlite
@pytest.mark.parametrize("query", ["period=never", "period=2026-13"])
def test_a_period_that_is_none_is_refused(house: House, query: str) -> None:
    answer = signed_in(house).get(f"/projects/{house.pid}/overview/registers?{query}")

    assert answer.status_code in (400, 404)


def _rows(text: str) -> list[tuple[str, ...]]:
    """The rows of tables that begin with a name and end with two numbers."""
    numbers = r'<td class="number">(.*?)</td><td class="number">(.*?)</td></tr>'
    found = re.findall(rf'<tr><th scope="row">(.*?)</th>.*?{numbers}', text, re.DOTALL)
    return [(re.sub(r"<.*?>", "", name), every, lately) for name, every, lately in found]


@on_sqlite
@pytest.mark.parametrize("part", ["targets", "registers"])
def test_what_takes_long_is_shown_as_it_stood_until_it_is_brought_up_to_date(
    house_with_sales: House, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "DEAR_SECONDS", 0.0)
    client = signed_in(house_with_sales, language="en")
    address = f"/projects/{house_with_sales.pid}/overview/{part}"
    before = read(client, address)
    assert "As it stood" not in before
    house_with_sales.amina.send(a_sale(4, version="2", sacks=1), batch="b2")

    old = read(client, address)
    (anew,) = {link for link in Page(old).links if "fresh=yes" in link}
    now = read(client, anew)

    assert "As it stood" in old
    assert "As it stood" not in now
    assert "As it stood" not in read(client, address)
    if part == "targets":
        assert "12.0" in before
        assert "12.0" in old
        assert "13.0" in now


def all_is_dear(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (remembered, following):
        monkeypatch.setattr(module, "DEAR_SECONDS", 0.0)
    monkeypatch.setattr(remembered, "KEPT_SECONDS", 0.0)


@on_sqlite
@pytest.mark.parametrize("part", ["targets", "registers"])
def test_what_somebody_has_looked_at_follows_what_happened_once_it_is_calm(
    house_with_sales: House, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_is_dear(monkeypatch)
    client = signed_in(house_with_sales, language="fr")
    address = f"/projects/{house_with_sales.pid}/overview/{part}"
    before = read(client, address)
    assert following.follow(house_with_sales.app) == 0

    house_with_sales.amina.send(a_sale(4, version="2", sacks=1), batch="b2")
    assert following.follow(house_with_sales.app) == 0, "more may come in this minute"
    monkeypatch.setattr(following, "_CALM", dt.timedelta())

    assert following.follow(house_with_sales.app) > 0
    assert following.follow(house_with_sales.app) == 0
    now = read(client, address)
    assert "fresh=yes" not in now
    if part == "targets":
        assert "12,0" in before
        assert "13,0" in now


@on_sqlite
def test_what_cannot_be_brought_up_to_date_is_not_tried_for_ever(
    house_with_sales: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_is_dear(monkeypatch)
    monkeypatch.setattr(following, "_CALM", dt.timedelta())
    read(signed_in(house_with_sales), f"/projects/{house_with_sales.pid}/overview/targets")
    house_with_sales.amina.send(a_sale(4, version="2", sacks=1), batch="b2")
    monkeypatch.setattr(following, "ask_again", lambda *_: 1 / 0)

    assert following.follow(house_with_sales.app) > 0
    assert following.follow(house_with_sales.app) == 0


@on_sqlite
def test_what_another_process_brings_up_to_date_is_left_to_it_and_followed_afterwards(
    house_with_sales: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_is_dear(monkeypatch)
    monkeypatch.setattr(following, "_CALM", dt.timedelta())
    read(signed_in(house_with_sales), f"/projects/{house_with_sales.pid}/overview/targets")
    house_with_sales.amina.send(a_sale(4, version="2", sacks=1), batch="b2")

    def taken(at: dt.datetime | None) -> None:
        with house_with_sales.app.app_context():
            session().execute(update(WorkedOut).values(taken_at=at))
            session().commit()

    taken(clock.now())
    assert following.follow(house_with_sales.app) == 0
    taken(None)
    assert following.follow(house_with_sales.app) > 0
