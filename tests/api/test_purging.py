"""What was deleted is erased a month later by the server itself, with its files."""

from __future__ import annotations

import datetime as dt
import hashlib

from sqlalchemy import select, update

from server import clock, current
from server.db import session
from server.upkeep.daily import purge_deleted
from sync.accounts.audit import first_broken
from sync.models import Audit, Submission
from sync.models.database import begin_writing
from tests.api.test_submissions import ALL, create
from tests.support.projects import KEPT_FOR
from tests.support.web import House, refused, shown

SHA256 = hashlib.sha256(b"a photo").hexdigest()


def purge(house: House, later: dt.timedelta) -> int:
    """As the background does it once a day."""
    with house.app.app_context():
        begin_writing(session())
        count = purge_deleted(session(), clock.now() + later)
        session().commit()
        return count


def test_a_month_after_its_deletion_a_submission_is_erased(house: House) -> None:
    for name in ("uuid:1", "uuid:2"):
        create(house.amina, name, more="<photo>1.jpg</photo>")
    house.amina.post(f"{ALL}/uuid:1/attachments/1.jpg", data=b"a photo")
    house.djeneba.delete(f"{ALL}/uuid:1")

    assert purge(house, KEPT_FOR - dt.timedelta(hours=1)) == 0
    assert purge(house, KEPT_FOR + dt.timedelta(hours=1)) == 1

    assert refused(house.djeneba.post(f"{ALL}/uuid:1/restore")) == 404.1
    assert shown(house.baraka.get(f"{ALL}?deleted=true")) == []
    assert [one["instanceId"] for one in shown(house.baraka.get(ALL))] == ["uuid:2"]
    with house.app.app_context():
        assert session().scalars(select(Audit.action).where(Audit.action == "submission.purged")).all()
        assert first_broken(session(), house.pid) is None
    assert purge(house, KEPT_FOR + dt.timedelta(days=3)) == 0
    with house.app.app_context():
        assert not current.store().holds(SHA256)


def test_figures_of_the_past_and_what_is_behind_them_outlive_the_purge(house: House) -> None:
    for name in ("uuid:1", "uuid:2"):
        create(house.amina, name)
    events = shown(house.baraka.get("events?since=0&limit=1000"))
    then = max(event["number"] for event in events["events"])
    house.djeneba.delete(f"{ALL}/uuid:1")

    def told() -> list[object]:
        figure = shown(house.fanta.get(f"figures?indicator=sacks&as_of={then}"))["figures"][0]
        evidence = shown(house.fanta.get(f"figures/sacks/evidence?as_of={then}"))
        return [figure["value"], evidence["count"], [row["value"] for row in evidence["evidence"]]]

    before = told()
    purge(house, KEPT_FOR + dt.timedelta(hours=1))

    assert told() == before == [6, 2, [3, 3]]
    assert shown(house.fanta.get("figures?indicator=sacks"))["figures"][0]["value"] == 3


def test_content_that_another_submission_came_to_name_stays(house: House) -> None:
    create(house.amina, "uuid:1", more="<photo>1.jpg</photo>")
    house.amina.post(f"{ALL}/uuid:1/attachments/1.jpg", data=b"a photo")
    house.djeneba.delete(f"{ALL}/uuid:1")
    purge(house, KEPT_FOR + dt.timedelta(hours=1))

    create(house.amina, "uuid:2", more="<photo>1.jpg</photo>")
    house.amina.post(f"{ALL}/uuid:2/attachments/1.jpg", data=b"a photo")
    purge(house, KEPT_FOR + dt.timedelta(days=3))

    assert house.baraka.get(f"{ALL}/uuid:2/attachments/1.jpg").data == b"a photo"


def test_many_go_in_one_night(house: House) -> None:
    for number in range(5):
        create(house.amina, f"uuid:{number}")
        house.djeneba.delete(f"{ALL}/uuid:{number}")
    with house.app.app_context():
        session().execute(update(Submission).values(deleted_at=clock.now() - KEPT_FOR - dt.timedelta(days=1)))
        session().commit()

    assert purge(house, dt.timedelta()) == 5
