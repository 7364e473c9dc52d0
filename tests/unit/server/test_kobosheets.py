"""Workbooks of what KoboToolbox keeps a form as."""

from __future__ import annotations

from typing import Any

from lxml import etree

from forms.workbooks.workbook import Workbook, read_workbook
from server.moving.kobosheets import sheets_of, workbook_from

CONTENT: dict[str, Any] = {
    "schema": "1",
    "translations": [None, "Français (fr)"],
    "translated": ["label", "hint", "media::image"],
    "settings": {"style": "pages", "id_string": "old", "version": "9"},
    "survey": [
        {"type": "today", "name": "today", "$kuid": "a", "$autoname": "today"},
        {"type": "begin_repeat", "$autoname": "sale", "label": ["Sale", "Vente"], "$kuid": "b"},
        {
            "type": "select_one",
            "select_from_list_name": "village",
            "_or_other": True,
            "$autoname": "village",
            "$xpath": "sale/village",
            "label": ["Village", "Village"],
            "hint": ["Where?", None],
            "media::image": [None, "carte.png"],
            "required": True,
            "tags": ["hxl:#loc"],
        },
        {
            "type": "text",
            "name": "why",
            "label": ["=Why", "Pourquoi"],
            "relevant": "${village} = 'a'",
            "required": False,
        },
        {"type": "end_repeat", "$kuid": "c"},
        {"type": "select_multiple_from_file", "file": "shops.csv", "$autoname": "shop", "label": ["Shop", "Boutique"]},
    ],
    "choices": [
        {"list_name": "village", "$autovalue": "a", "label": ["A", "A"], "$kuid": "d"},
        {"list_name": "village", "name": "a", "label": ["A again", "A encore"], "$kuid": "e"},
    ],
}


def made(content: dict[str, Any]) -> Workbook:
    return read_workbook(workbook_from(sheets_of(content, "vTen"), "aForm", "1 (2026)", "My form"), "aForm.xlsx")


def test_rows_with_their_languages_lists_and_types_make_the_form_that_was_deployed() -> None:
    workbook = made(CONTENT)

    xform = etree.fromstring(workbook.xform)
    primary = xform.find(".//{*}instance/{*}aForm")
    assert primary is not None
    assert (primary.get("id"), primary.get("version"), workbook.form.title) == ("aForm", "1 (2026)", "My form")
    assert [etree.QName(child).localname for child in primary][:1] == ["today"]
    names = {path.rpartition("/")[2] for path in workbook.form.fields}
    assert names >= {"today", "village", "village_other", "why", "shop"}
    assert primary.find("{*}__version__") is not None
    text = workbook.xform.decode()
    assert "=Why" in text
    assert "Pourquoi" in text
    assert "jr://images/carte.png" in text
    assert "jr://file-csv/shops.csv" in text
    assert text.count('required="true()"') == 1
