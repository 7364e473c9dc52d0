"""What variables of SPSS are called."""

from __future__ import annotations

from typing import cast

from sqlalchemy.orm import Session

from sync.exports.fields import Column, Table
from sync.exports.options import Options
from sync.exports.source import Source
from sync.exports.spss import variables_of


def test_a_variable_is_called_without_accents_and_nothing_in_its_name_is_spelt_out() -> None:
    units = Column(("unité",), "/data/unité", "unité", "select", {}, [("m²", {}), ("m2", {})], False, {})
    table = Table("Submissions", (), "/data", [units])
    source = Source(cast(Session, None), 1, "field", Options(format="sav", split=True), [table])

    names = [variable.name for variable in variables_of(source, table, source.outlets(table))]

    assert names[1:4] == ["unite", "unite_m", "unite_m2"]
