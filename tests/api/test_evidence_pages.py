"""From a figure down to the photo, and back to how the figure was defined."""

import hashlib
import io

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
