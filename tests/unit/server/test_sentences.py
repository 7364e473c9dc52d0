"""What is said outside the pages: all of it is in French, its values stay as they are, and none of it is slow."""

import re
import time
from functools import cache
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from marshmallow import Schema, fields, validate
from pyxform import builder, constants, errors, question, survey, survey_element, xls2json
from pyxform.validators.pyxform import question_types, select_from_file, translations_checks
from werkzeug.exceptions import default_exceptions

import forms
import server
import sync
from forms.findings import Finding
from forms.xforms.leaves import kind_of
from forms.xforms.types import TYPES
from server.language.catalogues import FOLDER, REFUSALS
from server.language.sentences import pieces_of, said_in
from server.language.words import tied
from tests.support.sentences import Sentence, texts_of

PACKAGES = [Path(str(package.__file__)).parent for package in (forms, sync, server)]
# What is read by programs, which compare it, or at the command line; the wire stays English.
FOR_PROGRAMS = (
    *("server/odata", "server/moving", "server/commands"),
    *("server/upkeep/keeping.py", "server/upkeep/schema.py", "server/cli.py"),
    *("server/settings.py", "server/clock.py", "server/wire/documents.py", "server/api/audits.py"),
    *("server/api/files.py", "server/api/backups.py", "server/api/schemas.py", "sync/keeping", "sync/entities/feed.py"),
    *("sync/exports/expressions.py", "sync/exports/pages.py", "sync/exports/trials.py", "sync/projects/folder.py"),
)
# What says each sentence in its languages itself.
IN_THEIR_LANGUAGES = ("openrosa/receipts.py", "dedup/telling.py", "indicators/wording.py", "review/match_words.py")
# Catalogues of what pyxform and marshmallow say.
XLSFORM, FIELDS = "refusals_xlsform.po", "refusals_fields.po"


def test_all_that_refusals_findings_and_flags_say_is_in_french() -> None:
    known = {whole(pieces_of(english)) for english, _ in written()}

    unsaid = [f"{sentence.where}: {sentence}" for sentence in made() if not is_said(sentence, known)]

    assert unsaid == []


def test_nothing_is_translated_that_is_not_said() -> None:
    texts = {whole(pieces) for package in PACKAGES for path in package.rglob("*.py") for pieces in texts_of(path).all}
    texts |= {whole((str(one.description),)) for one in default_exceptions.values()}
    # Also those that str.format fills in.
    texts |= {whole(tuple(re.split(r"\{\w+\}", text))) for (text, *values) in texts if not values}

    ours = [one for one, name in written() if name not in (XLSFORM, FIELDS)]
    assert [one for one in ours if whole(pieces_of(one)) not in texts] == []


def test_what_pyxform_says_is_what_is_translated() -> None:
    modules = (builder, constants, errors, question, survey, survey_element, xls2json)
    modules += (question_types, select_from_file, translations_checks)
    source = " ".join(plain(Path(str(module.__file__)).read_text()) for module in modules)

    longest = {english: max(pieces_of(plain(english)), key=len) for english, name in written() if name == XLSFORM}

    assert [english for english, piece in longest.items() if piece.strip() not in source] == []


def test_what_a_field_refuses_is_said_in_french() -> None:
    class Asked(Schema):
        fresh = fields.Boolean()
        limit = fields.Integer(validate=validate.Range(min=1, max=100))
        size = fields.Integer(validate=validate.Range(min=1))
        share = fields.Float()
        day = fields.Date()
        state = fields.String(validate=validate.OneOf(["open", "same"]))
        name = fields.String(validate=validate.Length(max=3))
        title = fields.String(validate=validate.Length(min=1, max=3))
        needed = fields.String(required=True)

    faulty = {"fresh": "oui", "limit": "0", "size": "0", "share": "x", "day": "hier", "state": "x", "name": "long"}
    found = Asked().validate(faulty | {"title": "", "unknown": 1}) | Asked().validate({"limit": "x", "share": "nan"})
    said = [message for messages in found.values() for message in messages]

    assert len(said) >= 9
    assert [one for one in said if said_in("fr", one) == one] == []


def test_a_translation_takes_the_values_of_the_sentence() -> None:
    for path in sorted((FOLDER / "fr").glob(f"{REFUSALS}*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="fr"):
                if message.id:
                    names, used = (set(re.findall(r"%\((\w+)\)s", str(text))) for text in (message.id, message.string))
                    # What a parser says in English helps nobody who only filled in a form.
                    assert names - {"error"} <= used <= names, message.id


def test_no_sentence_is_translated_twice() -> None:
    english = [whole(pieces_of(english)) for english, _ in written()]

    assert [one for one in english if english.count(one) > 1] == []


@pytest.mark.parametrize("kind", sorted({word for _, word in TYPES.values()}))
def test_what_an_answer_is_not_is_said_in_french(kind: str) -> None:
    said = said_in("fr", f"‘douze’ is not {kind}.")

    assert said.startswith(tied("« douze » n’est pas "))
    assert kind not in said


@pytest.mark.parametrize("value", [True, 3, "three", [3], {"three": 3}])
def test_what_a_json_value_is_is_said_in_french(value: object) -> None:
    assert kind_of(value) not in said_in("fr", f"This is {kind_of(value)}, not a choice.")


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("‘agee’ is not a question of this form.", "« agee » n’est pas une question de ce formulaire."),
        ("‘l’eau’ is not a question of this form.", "« l’eau » n’est pas une question de ce formulaire."),
        ("A sheet has more than 1,000,000 cells.", "Une feuille a plus de 1\u202f000\u202f000 cellules."),
        (
            "The tablet dated this visit 2031-02-03; its clock was wrong.",
            "La tablette a daté cette visite du 3\xa0févr.\xa02031 ; son horloge était fausse.",
        ),
        (
            "‘l’or’, ‘b’ are not among the choices.",
            "« l’or », « b » ne sont pas parmi les choix.",
        ),
        (
            "The rule ‘. > 0’ could not be checked: the list ‘villages’ is not here.",
            "La règle « . > 0 » n’a pas pu être vérifiée : la liste « villages » n’est pas ici.",
        ),
        (
            "The calculation gives a blank, but ‘7’ was sent.",
            "Le calcul donne un vide, mais « 7 » a été envoyé.",
        ),
        (
            "‘x’ is not an indicator. Did you mean ‘y’?",
            "« x » n’est pas un indicateur. Vouliez-vous dire « y » ?",
        ),
        (
            "It has no instance_id, and its body cannot be read: Something unknown.",
            "Il n’a pas d’instance_id, et son contenu est illisible : Something unknown.",
        ),
        (
            "The item and its XML disagree. form is 'a. b' in the item and 'c' in the XML. "
            "version is '9' in the item and '1' in the XML.",
            "L’élément et son XML se contredisent. form vaut 'a. b' dans l’élément et 'c' dans le XML. "
            "version vaut '9' dans l’élément et '1' dans le XML.",
        ),
        ("‘hier’ is not a date.", "« hier » n’est pas une date."),
        ("The file is empty.\nThe file is empty.", "Le fichier est vide.\nLe fichier est vide."),
    ],
)
def test_a_sentence_is_said_with_its_values(english: str, french: str) -> None:
    assert said_in("fr", english) == tied(french)
    assert said_in("bm", english) == tied(french)
    assert said_in("en", english) == english


def test_a_value_is_never_taken_for_a_sentence_of_ours() -> None:
    value = "The file is empty"

    assert said_in("fr", f"‘{value}’ is not a question of this form.").startswith(tied(f"« {value} »"))


@pytest.mark.parametrize("english", ["", "Amina's own words", "Nobody has translated this. The file is empty."])
def test_what_nobody_has_translated_stays_as_it_is(english: str) -> None:
    assert said_in("fr", english) == english


def test_a_finding_may_be_read_as_one_line() -> None:
    finding = Finding("The file is empty.", "Its first row names the columns.", "lists/people.csv")

    said = said_in("fr", f"{finding.fault} {finding.remedy}")

    assert said == "Le fichier est vide. Sa première ligne donne le nom des colonnes."


def test_no_value_makes_it_slow() -> None:
    began = time.process_time()
    for sign in ("‘", "’ is ", ". ", " and ", "%(name)s", ": "):
        said_in("fr", f"‘{sign * 1000}’ is not {sign * 500}")
        said_in("fr", sign * 1900)

    assert time.process_time() - began < 1


@cache
def written() -> tuple[tuple[str, str], ...]:
    """Each sentence in English that has a French one, and its file."""
    found = []
    for path in sorted((FOLDER / "fr").glob(f"{REFUSALS}*.po")):
        with path.open("rb") as file:
            found += [(str(message.id), path.name) for message in read_po(file, locale="fr") if message.id]
    return tuple(found)


def made() -> list[Sentence]:
    paths = [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]
    skipped = (*FOR_PROGRAMS, *IN_THEIR_LANGUAGES)
    return [
        one
        for path in paths
        if not any(name in path.as_posix() for name in skipped)
        for one in texts_of(path).sentences
    ]


def is_said(sentence: Sentence, known: set[tuple[str, ...]]) -> bool:
    text = str(sentence)
    return whole(sentence.pieces) in known or (len(sentence.pieces) == 1 and said_in("fr", text) != text)


def whole(pieces: tuple[str, ...]) -> tuple[str, ...]:
    return (*pieces[:-1], pieces[-1].removesuffix("."))


def plain(text: str) -> str:
    """Source text without what breaks its sentences up: quotation marks at the ends of lines, and breaks."""
    return " ".join(re.sub(r'"\s*\+?\s*f?"', "", text).replace("{{", "{").replace("}}", "}").split())
