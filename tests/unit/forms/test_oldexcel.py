"""Old Excel workbooks: read like new ones, and refused where they are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from forms.findings import Faulty
from forms.workbooks.workbook import read_workbook

OLD = (Path(__file__).parents[2] / "support" / "old_excel.xls").read_bytes()


def test_an_old_workbook_becomes_the_same_form() -> None:
    workbook = read_workbook(OLD, "old.xls")

    assert (workbook.form.form_id, workbook.form.version, workbook.form.title) == ("old_excel", "3", "Vieux classeur")
    assert list(workbook.form.choices["yes_no"]) == ["1", "0"]
    assert workbook.form.fields["/data/remark"].labels["Français (fr)"] == "= remarque"
    assert [indicator.name for indicator in workbook.sheets.indicators] == ["old_sacks"]
    assert workbook.source == OLD


@pytest.mark.parametrize("data", [OLD[:600], OLD[:3000], OLD[:512] + b"\xff" * 3000, OLD[:8] + b"\0" * 5000])
def test_a_damaged_one_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(Faulty):
        read_workbook(data, "old.xls")
