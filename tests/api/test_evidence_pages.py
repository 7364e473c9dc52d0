"""From a figure down to the photo, and back to how the figure was defined."""

import hashlib
import io
import re
from html import unescape
from urllib.parse import quote

import pytest
from PIL import Image
from sqlalchemy import select

from server.db import session
from sync.journal import open_journal
from sync.models import Audit
from sync.projects.publish import publish_form
from tests.support.pages import Page, read, signed_in
from tests.support.projects import NOON, SALE, a_sale, workbook_of
from tests.support.web import House, shown

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def a_photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1200, 900), "green").save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def photographed(house: House) -> House:
    photo = a_photo()
    sent = {"name": "well.jpg", "sha256": hashlib.sha256(photo).hexdigest(), "size": len(photo), "type": "image/jpeg"}
    house.amina.send({**a_sale(1, sacks=4, photo="well.jpg"), "attachments": [sent]}, a_sale(2, sacks=9))
    path = f"forms/sale/submissions/{a_sale(1)['instance_id']}/attachments/well.jpg"
    shown(house.baraka.post(path, data=photo, headers={"Content-Type": "image/jpeg"}))
    return house


def test_the_visits_behind_a_figure_show_their_photos_and_each_look_is_noted(photographed: House) -> None:
    client = signed_in(photographed, language="fr")

    page = read(client, f"/projects/{photographed.pid}/figures/sacks")

    (source,) = [part.split('"')[0] for part in page.split('<img src="')[1:]]
    assert source.endswith("/photos/well.jpg")
    picture = client.get(source)
    assert picture.mimetype == "image/webp"
    with photographed.app.app_context():
        acts = session().scalars(select(Audit).where(Audit.action.like("%.viewed"))).all()
        assert [str(act.subject).rpartition("/")[2] for act in acts] == ["well.jpg"]


def test_who_may_not_read_submissions_sees_no_photos(photographed: House) -> None:
    page = read(signed_in(photographed, "fanta"), f"/projects/{photographed.pid}/figures/sacks")

    assert "<img" not in page
    assert "/submissions/" not in page


def test_a_page_tells_how_an_indicator_was_defined_before(photographed: House) -> None:
    with photographed.app.app_context():
        journal = open_journal(session(), photographed.pid, None, NOON)
        publish_form(journal, workbook_of("sale", "2", SALE.replace("${sacks}", "${sacks} * 2")))
        journal.close()
        session().commit()
    client = signed_in(photographed, language="fr")

    opened = read(client, f"/projects/{photographed.pid}/indicators/sacks?period=all")
    past = next(link for link in Page(opened).links if link.partition("?")[0].endswith("/sacks/past"))
    page = read(client, past)

    assert "Défini pour la première fois." in page
    assert '<del class="long">${sacks}</del>' in page
    assert '<ins class="long">${sacks} * 2</ins>' in page
    assert "13,0 → <strong>" in page


def test_an_indicator_that_there_is_not_has_no_past(photographed: House) -> None:
    assert signed_in(photographed).get(f"/projects/{photographed.pid}/indicators/nothing/past").status_code == 404


def publish(house: House, workbook: str) -> None:
    """As the next version of the form of sales."""
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook_of("sale", "2", workbook))
        journal.close()
        session().commit()


LAST = SALE + "    | last    | Last    | distinct  | ${day}        |              |         | ${seller} |\n"


def test_what_does_not_count_stands_apart_with_its_number(house: House) -> None:
    publish(house, LAST.replace("| value        | by |", "| value        | by | subject |"))
    house.amina.send(*(a_sale(number, day=f"2026-0{number}-01", seller="Awa", version="2") for number in range(1, 5)))
    client = signed_in(house, language="fr")

    page = read(client, f"/projects/{house.pid}/figures/last")
    others = next(link for link in Page(page).links if "others=yes" in link)

    assert "1 contribution compte" in page
    assert re.findall(r'<td class="day".*?>([^<]*)</a>', page) == ["1er\xa0avr.\xa02026"]
    rest = read(client, others)
    assert "3 contributions ne comptent pas" in rest
    assert re.findall(r'<td class="day".*?>([^<]*)</a>', rest) == [
        "1er\xa0mars\xa02026",
        "1er\xa0févr.\xa02026",
        "1er\xa0janv.\xa02026",
    ]


def test_visits_alike_are_told_apart_by_what_their_form_calls_them(house: House) -> None:
    for number, name in ((1, "Sale, Kita"), (2, "Sale, Siby &lt;b&gt;")):
        meta = f"<meta><instanceID>uuid:{number}</instanceID><instanceName>{name}</instanceName></meta>"
        xml = (
            f'<data id="sale" version="1"><day>2026-04-0{number}</day><seller>Awa</seller><sacks>3</sacks>{meta}</data>'
        )
        shown(house.baraka.post("forms/sale/submissions", data=xml, headers={"Content-Type": "application/xml"}))
    page = read(signed_in(house, language="en"), f"/projects/{house.pid}/figures/sacks?period=all")

    assert re.findall(r'<span class="quiet">(Sale, [^<]*)</span>', page) == ["Sale, Siby &lt;b&gt;", "Sale, Kita"]


def test_on_paper_a_page_of_rows_says_which_part_it_is(house: House) -> None:
    house.amina.send(*(a_sale(number, seller=f"Awa {number}") for number in range(1, 4)))
    client, address = signed_in(house, language="en"), f"/projects/{house.pid}/figures/sacks"

    first = read(client, f"{address}?limit=2")
    last = read(client, next(link for link in Page(first).links if "cursor=" in link))

    assert '<p class="printed">These are 2 of 3 rows.</p>' in first
    assert '<p class="printed">These are 1 of 3 rows.</p>' in last
    assert "These are" not in read(client, address)


def test_a_share_says_of_what_it_is_one_and_is_not_rounded_to_its_target(house: House) -> None:
    publish(
        house,
        SALE.replace("| value        | by |", "| value        | by | numerator | denominator | unit |").replace(
            "    | sales ",
            "    | share   | Share   | ratio | | | | sacks | sales | % |\n    | sales ",
        )
        + "    | targets |  |  |\n    | indicator | period | target |\n    | share | 2026 | 5.003 |\n",
    )
    house.amina.send(a_sale(1, sacks=4, version="2"), a_sale(2, sacks=6, version="2"))
    client = signed_in(house, language="en")

    for path in ("indicators/share", "figures/share"):
        page = read(client, f"/projects/{house.pid}/{path}?period=2026")
        links = Page(page).links
        assert "500.0%" in page
        assert "500.3%" in page
        for part, said in (("sacks", "10.0"), ("sales", "2")):
            assert re.search(rf"{said} \(<a href=\"[^\"]*/{part}\?", page)
            assert any(f"/{path.replace('share', part)}?period=2026" in link for link in links)


def test_a_row_of_a_list_by_which_a_figure_is_broken_down_is_named_to_those_who_read_visits(house: House) -> None:
    house.amina.send(a_sale(1, seller="Awa Traoré"))
    [awa] = shown(house.baraka.get("datasets/people/entities"))
    house.amina.send(a_sale(2, village=awa["uuid"]), batch="b2")
    path = f"/projects/{house.pid}"
    cell = quote(f"village:{awa['uuid']}")

    for page in ("indicators/sacks/cells?period=all", "figures/sacks", f"figures/sacks?is={cell}"):
        named, unnamed = (read(signed_in(house, who, language="en"), f"{path}/{page}") for who in ("baraka", "fanta"))
        assert "Awa Traoré" in named
        assert "named to coordinators only" in unnamed
        assert "Awa Traoré" not in unnamed


def test_a_figure_leads_back_to_the_statement_in_which_it_was_read(house: House) -> None:
    house.amina.send(a_sale(1, sacks=4, day="2026-05-01"))
    house.djeneba.put("statements/results/fr", data="# Vendu\n\n{{ sacks }} sacs.\n")
    client = signed_in(house, language="fr")
    statement = f"/projects/{house.pid}/statements/results"

    page = read(client, f"{statement}?period=2026")
    behind = next(link for link in Page(page).links if "/figures/sacks" in link)
    opened = read(client, behind)
    indicator = next(link for link in Page(opened).links if "/indicators/sacks?" in link)
    why = next(link for link in Page(opened).links if "/indicators/sacks/changes" in link)

    for text in (opened, read(client, indicator), read(client, why)):
        back = next(link for link in Page(text).links if link.startswith(f"{statement}?"))
        assert ">Vendu</a>" in text
        assert 'value="2026" selected' in read(client, back)
    assert 'value="2026" selected' in read(client, indicator)


@pytest.mark.parametrize("back", ["nothing", "//elsewhere.example", "results/../../x", "javascript:alert(1)"])
def test_no_way_leads_back_to_what_is_no_statement(house: House, back: str) -> None:
    house.djeneba.put("statements/results/fr", data="# Vendu\n\n{{ sacks }} sacs.\n")

    page = read(signed_in(house), f"/projects/{house.pid}/figures/sacks?back={quote(back)}")

    assert "Vendu" not in page
    assert not any(back in link.partition("?")[0] for link in Page(page).links)


def figure_links(page: str) -> dict[str, str]:
    """What the figures of a statement read → where they lead to."""
    return {said: unescape(to) for to, said in re.findall(r'<a class="figure" href="([^"]*)">(.*?)</a>', page)}


def facts(page: str) -> dict[str, str]:
    """What stands above the visits behind a figure."""
    rows = re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", page, re.DOTALL)
    return {name: re.sub(r"<[^>]*>", "", said) for name, said in rows}


GREW = """    | grew    | Grew    | distinct  | ${day}        | ${sacks}     |         | ${seller} | growth | >= 2 |
"""


def with_growth() -> str:
    head = "| name    | label     | aggregate | date          | value        | by |"
    return SALE.replace(head, f"{head} subject | per_subject | keep |") + GREW


def test_what_a_statement_says_stands_on_the_page_that_it_leads_to_with_what_it_is_made_of(house: House) -> None:
    publish(house, with_growth())
    sold = (("Awa", 1, 2), ("Awa", 6, 4), ("Fanta", 1, 3))
    sales = [
        a_sale(number, sacks=sacks, day=f"2026-05-0{day}", seller=who, version="2", village="Siby")
        for number, (who, sacks, day) in enumerate(sold, 1)
    ]
    house.amina.send(*sales, a_sale(4, sacks=8, day="2026-05-05", seller="Kadia", version="2", village="Kalassa"))
    text = (
        '{{ sacks(village="Siby").share }}; {{ grew.without }} without; {{ sacks.n }} in all; {{ sacks | number(2) }}'
    )
    house.djeneba.put("statements/results/en", data=text)
    client = signed_in(house, language="en")

    leads = figure_links(read(client, f"/projects/{house.pid}/statements/results?period=2026"))
    pages = {said: facts(read(client, to)) for said, to in leads.items()}

    assert list(pages) == ["50%", "2", "4", "16.00"]
    assert pages["50%"]["Share of the whole"] == "50% = 8.0 ÷ 16.0 (Sacks)"
    assert pages["2"]["Left out"] == "2: there is nothing to compare their value with"
    assert pages["2"]["Value"] == "1"
    assert next(iter(pages["4"].items())) == ("Contributions", "4")
    assert pages["16.00"]["Value"] == "16.00"


def test_a_value_at_the_start_leads_to_the_first_visit(house: House) -> None:
    publish(house, with_growth())
    first, last = (
        a_sale(number, sacks=sacks, day=f"2026-05-0{number}", seller="Awa", version="2")
        for number, sacks in ((1, 3), (2, 8))
    )
    house.amina.send(last, first)
    path = f"/projects/{house.pid}/figures/grew"

    page = read(signed_in(house, language="en"), path)
    started = re.findall(r'data-of="At the start"><a href="([^"]*)">(.*?)</a>', page)
    unlinked = read(signed_in(house, "fanta", language="en"), path)

    [(visit, said)] = started
    assert said == "3"
    assert first["instance_id"] in read(signed_in(house, language="en"), visit)
    assert re.findall(r'data-of="At the start">(.*?)</td>', unlinked) == ["3"]


def test_viewers_read_what_a_figure_is_without_the_visits_that_would_give_small_cells_away(house: House) -> None:
    head = "| name    | label     | aggregate | date          | value        | by |"
    publish(
        house,
        SALE.replace(head, f"{head} minimum_cell |").replace(
            "| ${sacks}     | village |", "| ${sacks} | village | 5 |"
        ),
    )
    house.amina.send(*(a_sale(number, sacks=9, version="2") for number in range(1, 7)))
    path = f"/projects/{house.pid}/figures/sacks"

    read_by_viewer, read_by_coordinator = (
        read(signed_in(house, who, language="en"), path) for who in ("fanta", "baraka")
    )

    shut = "What stands behind this figure is shown to coordinators only."
    assert facts(read_by_viewer)["Value"] == facts(read_by_coordinator)["Value"] == "54.0"
    assert shut in read_by_viewer
    assert "<table" not in read_by_viewer
    assert shut not in read_by_coordinator
    opened, why = f"/projects/{house.pid}/indicators/sacks", "Why did it change?"
    by_viewer, by_coordinator = (read(signed_in(house, who, language="en"), opened) for who in ("fanta", "baraka"))
    assert shut in by_viewer
    assert why not in by_viewer + read_by_viewer
    assert shut not in by_coordinator
    assert why in by_coordinator
    assert why in read_by_coordinator
