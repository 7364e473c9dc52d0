"""A project in which something of everything has happened; also with names and words as long as people make them."""

from __future__ import annotations

from server.db import session
from sync.journal import open_journal
from sync.models import Actor
from sync.models.database import begin_writing
from sync.projects.publish import publish_form
from tests.support.pages import send, signed_in
from tests.support.people import a_gathering, publish_gathering
from tests.support.projects import NOON, a_sale, instance_id, workbook_of
from tests.support.web import House, shown

# No space in it, as in addresses, codes, and words that stand together by mistake.
WORD = "Koulikorofamassadougoubambarakanfassatienminnituguniwolofalen"
_NAMES = f"La fédération des coopératives de productrices de beurre de karité du cercle de Kati et de {WORD}"
_LONG = f"""
    | survey  |           |           |               |              |
    | type    | name      | label     | constraint    | required     |
    | date    | day       | {_NAMES}  |               |              |
    | text    | {WORD}    | {WORD}    |               | yes          |
    | select_multiple kinds | kinds | {_NAMES} |      |              |
    | begin_repeat | {WORD}_all | {_NAMES} |         |              |
    | integer | sacks     | {WORD}    | . >= 0        |              |
    | end_repeat | {WORD}_all |       |               |              |
    | choices |           |           |               |              |
    | list_name | name    | label     |               |              |
    | kinds   | {WORD}    | {WORD}    |               |              |
    | kinds   | two       | {_NAMES}  |               |              |
    | indicators |        |           |               |              |
    | name    | label     | aggregate | date          | value        | by | each | unit |
    | {WORD.lower()} | {_NAMES} | sum | ${{day}}     | ${{sacks}}   | kinds | {WORD}_all | {WORD} |
"""
PLACES = "code,name,level,parent,latitude,longitude\nK,Koulikoro,region,,12.86,-7.56\nS,Siby,commune,K,,\n"
_LONG_PLACES = f"code,name,level,parent,latitude,longitude\nK,{_NAMES},region,,12.86,-7.56\nS,{WORD},commune,K,,\n"


def make_busy(house: House) -> None:
    """Something of everything."""
    publish_gathering(house)
    house.djeneba.put("places", data=PLACES, headers={"Content-Type": "text/csv"})
    house.djeneba.put("statements/results/fr", data="# Vendu\n\n{{ sacks }} sacs.\n")
    twin = a_gathering(2, first="Dieneba", last="Koulibali")
    assert house.amina.outcomes(a_gathering(1), twin) == ["stored"] * 2
    house.amina.send(
        a_sale(1, sacks=4),
        a_sale(2, sacks=-4),
        a_sale(3, sacks="beaucoup", unknown="x"),
        a_sale(4, photo="photo.jpg"),
        a_sale(5) | {"recorded_at": "1999-01-01T00:00:00Z"},
        batch="b2",
    )
    house.amina.send(
        a_sale(1, sacks=9),
        a_sale(10, version="9"),
        a_sale(11, form="nothing"),
        a_sale(12, edits=99),
        {"instance_id": "uuid:x", "form": "odd"},
        {"instance_id": "uuid:y", "form": "sale", "xml": "<data"},
        {"instance_id": "uuid:z", "form": "sale", "version": "1", "answers": {"sacks": {"a": 1}, "nothing": 1}},
        batch="b3",
    )
    house.djeneba.post("forms/sale/draft")


def lengthen(house: House) -> None:
    """Long names and long words, wherever somebody may choose them."""
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook_of(WORD.lower(), WORD, _LONG))
        journal.close()
        session().commit()
        begin_writing(session())
        for actor in session().query(Actor):
            actor.name = f"{actor.name} {WORD}"
        session().commit()
    shown(house.djeneba.patch("", json={"name": _NAMES}))
    shown(house.djeneba.put("places", data=_LONG_PLACES, headers={"Content-Type": "text/csv"}))
    shown(house.djeneba.put(f"statements/{WORD.lower()}/fr", data=f"# {_NAMES}\n\n{{{{ {WORD.lower()} }}}} {WORD}.\n"))
    answers = {"day": "2026-11-01", WORD: WORD * 4, "kinds": [WORD, "two"], f"{WORD}_all": [{"sacks": -3}] * 2}
    long = {"form": WORD.lower(), "version": WORD, "instance_id": f"uuid:{WORD}", "answers": answers}
    sale = a_sale(20, seller=WORD, village=WORD, remark=WORD * 5, photo=f"{WORD}.jpg")
    twin = a_gathering(4, first=f"{WORD}e", last=WORD)
    assert house.amina.outcomes(long, sale, a_gathering(3, first=WORD, last=WORD), twin, batch="long") == ["stored"] * 4
    house.amina.send(a_sale(20, remark=WORD), a_sale(21, form=WORD), batch="odd")
    shown(house.baraka.post(f"forms/sale/submissions/{instance_id(20)}/comments", json={"body": WORD * 3}))
    shown(house.djeneba.post("webhooks", json={"url": f"https://{WORD}.example.org/{WORD * 2}"}))
    page = f"/projects/{house.pid}/submissions"
    assert send(signed_in(house), page, f"{page}/views", {"name": WORD, "words": WORD}).status_code == 303
