"""A small map: the country around some points, and the points on it."""

from __future__ import annotations

import re

from server.pages.maps import map_around

BAMAKO, GAO, PARIS = (-8.0, 12.65), (-0.04, 16.27), (2.35, 48.86)


def test_the_country_around_the_points_is_drawn_and_the_points_lie_in_the_box() -> None:
    drawn = map_around((BAMAKO, GAO))

    assert drawn is not None
    assert len(drawn.outlines) == 1
    numbers = [float(number) for number in re.findall(r"[\d.]+", drawn.outlines[0])]
    assert max(numbers[::2]) <= drawn.width
    assert max(numbers[1::2]) <= drawn.height
    (west, south), (east, north) = drawn.at(BAMAKO), drawn.at(GAO)
    assert 0 < west < east < drawn.width
    assert 0 < north < south < drawn.height


def test_points_in_two_countries_show_both() -> None:
    one, two = map_around((BAMAKO,)), map_around((BAMAKO, PARIS))

    assert one is not None
    assert two is not None
    assert len(two.outlines) > len(one.outlines)


def test_a_point_at_sea_has_a_map_without_an_outline_and_nonsense_has_none() -> None:
    at_sea = map_around(((-30.0, 0.0),))

    assert at_sea is not None
    assert at_sea.outlines == ()
    assert map_around(()) is None
    assert map_around(((999.0, 12.0), (float("nan"), 1.0))) is None
