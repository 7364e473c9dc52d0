"""Spellings of one name."""

from forms.spelling import folded, unaccented


def test_letters_lose_their_accents_and_what_stands_for_several_is_spelt_out_or_kept() -> None:
    assert unaccented("Djénéba à l’ﬁn: 3 m²") == "Djeneba a l’fin: 3 m2"
    assert unaccented("Djénéba à l’ﬁn: 3 m²", spelt_out=False) == "Djeneba a l’ﬁn: 3 m²"


def test_spellings_of_one_place_agree() -> None:
    assert folded(" Ségou  Ville ") == folded("SEGOU ville") == "segou ville"
