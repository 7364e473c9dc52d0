"""Questions that are known for asking who somebody is by what they are called."""

from pathlib import Path

import pytest

from forms.xforms.persons import ADDRESS, NAME, TELLING, asks_who, words_of

DOCS = Path(__file__).parents[3] / "docs" / "forms.md"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("q1", "Nom"),
        ("q1", "Nom et prénoms"),
        ("q1", "Quel est votre nom ?"),
        ("q1", "Nom du répondant"),
        ("q1", "Nom du président de la coopérative"),
        ("q1", "Nom du chef de village"),
        ("q1", "Last name"),
        ("q1", "What is your first name?"),
        ("q1", "Name of the village chief"),
        ("q1", "Surname"),
        ("q1", "N° de TÉLÉPHONE"),
        ("q1", "Tél. :"),
        ("q1", "Te\u0301l"),
        ("q1", "Phone number"),
        ("q1", "Adresse (rue, quartier)"),
        ("q1", "E-mail / courriel"),
        ("resp_name", ""),
        ("nom_complet", ""),
        ("firstName", ""),
        ("tel2", ""),
        ("telephone", "Numéro"),
    ],
)
def test_what_asks_for_a_name_or_a_number_is_known_for_it(name: str, label: str) -> None:
    assert asks_who(name, [label])


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("nom", "Nom du village"),
        ("nom_village", "Nom"),
        ("q1", "Nom de la coopérative"),
        ("q1", "Name of the organisation"),
        ("q1", "Noms des produits"),
        ("crop_name", ""),
        ("q1", "Adresse de l’entreprise"),
        ("q1", "Un produit tel que le beurre"),
        ("q1", "Combien de personnes ont un téléphone ?"),
        ("q1", "How many members have a phone?"),
        ("q1", "Vous êtes ${nom}, née à quelle date ?"),
        ("nomade", "Renommée"),
        ("village", "Village"),
        ("sacks", "Sacs vendus"),
    ],
)
def test_names_of_things_and_other_words_are_not(name: str, label: str) -> None:
    assert not asks_who(name, [label])


def test_one_of_several_labels_says_it_for_all() -> None:
    assert asks_who("q1", ["Tɔgɔ", "Nom"])
    assert not asks_who("q1", ["Dugu tɔgɔ", "Nom du village"])


def test_the_words_that_tell_are_in_the_documentation() -> None:
    assert words_of(DOCS.read_text()) >= TELLING | NAME | ADDRESS
