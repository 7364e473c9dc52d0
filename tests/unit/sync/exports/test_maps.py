"""How answers are called on maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest

from sync.exports.fields import Column
from sync.exports.flat import Outlet
from sync.exports.maps import _names, _names_in_kml


def an_outlet(header: str, kind: str = "text") -> Outlet:
    column = Column((header,), f"/data/{header}", header, kind, {}, (), identifying=False, versions={})
    return Outlet(header, kind, column.path, None, column)


@pytest.mark.parametrize("names", [_names, _names_in_kml])
def test_however_many_answers_have_one_label_each_has_a_name_of_its_own(
    names: Callable[[Sequence[Outlet], Iterable[str]], list[str]],
) -> None:
    found = names([an_outlet("Same")] * 20_000, ["fieldpath"])

    assert found[:3] == ["Same", "Same_2", "Same_3"]
    assert len(set(found)) == 20_000


def test_in_kml_a_moment_alone_is_the_end_of_a_placemark() -> None:
    moment, text = an_outlet("end", "dateTime"), an_outlet("End")

    assert _names_in_kml([moment], []) == ["end"]
    assert _names_in_kml([text], []) == ["End_2"]
    assert _names_in_kml([moment, text], []) == ["end_2", "End_3"]
