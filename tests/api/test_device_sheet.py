"""A team's devices made at once, their codes on a sheet to be cut."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from server.db import session
from server.wire import qr
from sync.models import Actor
from tests.api.test_pages import Page, read, signed_in
from tests.support.web import House

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def devices(house: House) -> int:
    with house.app.app_context():
        return session().scalar(select(func.count()).select_from(Actor).where(Actor.kind == "device")) or 0


def test_each_name_gets_a_device_with_a_code_of_its_own(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    plain = qr.code_svg
    monkeypatch.setattr("server.pages.devices.devices.code_svg", lambda text: (drawn.append(text), plain(text))[1])
    client = signed_in(house, "djeneba")
    before = devices(house)
    form = read(client, f"/projects/{house.pid}/devices/sheet")
    csrf = form.split('name="__csrf" value="')[-1].split('"')[0]

    answer = client.post(
        f"/projects/{house.pid}/devices/sheet",
        data={"names": "Team <Awa>\n\n Team Bakary \n", "language": "fr", "image_size": "small", "__csrf": csrf},
    )

    page = answer.get_data(as_text=True)
    assert answer.status_code == 200, page
    assert Page(page).runs == []
    assert page.count("<svg") == 2
    assert "Team &lt;Awa&gt;" in page
    assert answer.headers["Cache-Control"] == "no-store"
    assert devices(house) == before + 2
    assert len(set(drawn)) == 2


@pytest.mark.parametrize("names", ["", "   \n", "Awa\nAwa", "Amina", "x" * 300, "\n".join(map(str, range(201)))])
def test_what_cannot_be_made_makes_nothing(house: House, names: str) -> None:
    before = devices(house)

    answer = house.djeneba.post(f"/projects/{house.pid}/devices/sheet", data={"names": names})

    assert answer.status_code in (400, 409)
    assert devices(house) == before
