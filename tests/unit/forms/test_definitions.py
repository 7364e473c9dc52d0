"""The Mali programme: every workbook is a sound XLSForm, in both languages, and the programme loads as it stands."""

import csv
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import openpyxl
import pytest
import pyxform
from pyxform.xls2xform import ConvertResult, convert

from forms.programmes.programme import Programme, files_of, read_programme

DEFINITIONS = Path(__file__).parents[3] / "forms" / "definitions"
WORKBOOKS = sorted((DEFINITIONS / "forms").rglob("*.xlsx"))
NAMES = [path.stem for path in WORKBOOKS]
VALIDATE = Path(pyxform.__file__).parent / "validators" / "odk_validate" / "bin" / "ODK_Validate.jar"
FRENCH, ENGLISH, BAMBARA = "Français (fr)", "English (en)", "Bamanankan (bm)"
TRANSLATED = ("label", "hint", "constraint_message", "required_message", "description")
FRENCH_WORDS = re.compile(r"\b(le|la|les|des|du|une|est|dans|avec|pour|pas|qui|où|sur|cette)\b", re.IGNORECASE)
ENGLISH_WORDS = re.compile(r"\b(the|of|and|with|for|this|is|are|which|not|from|number)\b", re.IGNORECASE)
FRENCH_ACCENTS = re.compile(r"[éèêàçùîôœ]")  # Bambara is written without them.
# A figure with its noun, then soon a verb that would have to agree with it, or what makes several of one.
AGREEING = re.compile(
    r"\| (?:noun\([^)]*\)|people) \}\}(?: \w+){0,2} (?:ont|sont|étuvent|produisent|have|score|serve|parboil)\b"
    r"|\) \}\} of them\b|\bTogether they\b"
)
MARK = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)|\bin ([a-z][a-z0-9_]*)\.items")

Row = dict[str, str]


@cache
def rows_of(path: Path, sheet: str) -> list[Row]:
    book = openpyxl.load_workbook(path, read_only=True)
    if sheet not in book.sheetnames:
        return []
    header, *rows = book[sheet].iter_rows(values_only=True)
    named = ({str(k): str(v) for k, v in zip(header, row, strict=True) if v is not None} for row in rows)
    return [row for row in named if row]


@cache
def converted(path: Path) -> ConvertResult:
    return convert(path, validate=False)


@cache
def programme() -> Programme:
    return read_programme(files_of(DEFINITIONS))


def texts(path: Path, language: str) -> list[str]:
    sheets = ("survey", "choices", "indicators", "breakdowns")
    columns = [f"{column}::{language}" for column in TRANSLATED]
    return [row[column] for sheet in sheets for row in rows_of(path, sheet) for column in columns if column in row]


def java() -> str:
    found = shutil.which("java", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None and not os.environ.get("CI"):
        pytest.skip("Java is not installed, so ODK Validate cannot run.")
    assert found, "CI must have Java, so that every workbook goes through ODK Validate."
    return found


@pytest.mark.parametrize("path", WORKBOOKS, ids=NAMES)
def test_a_workbook_converts_without_a_warning(path: Path) -> None:
    assert converted(path).warnings == []


def test_odk_validate_accepts_every_workbook(tmp_path: Path) -> None:
    command = [java(), "-jar", str(VALIDATE)]
    for path in WORKBOOKS:
        xform = tmp_path / f"{path.stem}.xml"
        xform.write_text(converted(path).xform, encoding="utf-8")
        command.append(str(xform))

    run = subprocess.run(command, capture_output=True, text=True)

    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("path", WORKBOOKS, ids=NAMES)
def test_whatever_is_written_in_french_is_written_in_english_too(path: Path) -> None:
    for sheet in ("survey", "choices", "indicators", "breakdowns"):
        for row in rows_of(path, sheet):
            french = {column for column in TRANSLATED if f"{column}::{FRENCH}" in row}
            english = {column for column in TRANSLATED if f"{column}::{ENGLISH}" in row}

            assert french == english, row


@pytest.mark.parametrize("path", WORKBOOKS, ids=NAMES)
def test_whatever_a_person_sees_has_a_label(path: Path) -> None:
    unseen = ("start", "end", "today", "deviceid", "calculate", "end group", "end repeat")
    for sheet in ("survey", "choices", "indicators", "breakdowns"):
        for row in rows_of(path, sheet):
            if row.get("type") not in unseen:
                assert row.get(f"label::{FRENCH}"), row


@pytest.mark.parametrize("path", WORKBOOKS, ids=NAMES)
def test_french_and_english_are_not_mixed(path: Path) -> None:
    assert [text for text in texts(path, ENGLISH) if len(FRENCH_WORDS.findall(text)) > 1] == []
    assert [text for text in texts(path, FRENCH) if len(ENGLISH_WORDS.findall(text)) > 1] == []


@pytest.mark.parametrize("path", WORKBOOKS, ids=NAMES)
def test_where_there_is_no_bambara_the_tablet_shows_french(path: Path) -> None:
    for row in rows_of(path, "survey"):
        bambara, french = row.get(f"label::{BAMBARA}"), row.get(f"label::{FRENCH}")
        if bambara and bambara != french:
            assert not FRENCH_ACCENTS.search(bambara)
            assert not ENGLISH_WORDS.search(bambara)


def test_the_questions_asked_aloud_are_there_in_bambara() -> None:
    asked = {text for path in WORKBOOKS for text in texts(path, BAMBARA)}

    assert {"I tɔgɔ ye di?", "I bɛ dugu jumɛn na?", "I ye malo kilo joli feere?"} <= asked


@pytest.mark.parametrize("path", WORKBOOKS, ids=NAMES)
def test_a_form_asks_fifteen_to_forty_questions_and_the_date_of_the_visit(path: Path) -> None:
    silent = ("start", "end", "today", "deviceid", "calculate", "note")
    rows = rows_of(path, "survey")
    asked = [row for row in rows if row["type"] not in silent and not row["type"].startswith(("begin", "end"))]

    assert 15 <= len(asked) <= 40
    assert any(row["name"] == "visit_date" and row["type"] == "date" and row["required"] == "yes" for row in asked)


@pytest.mark.parametrize("path", WORKBOOKS, ids=NAMES)
def test_no_figure_hangs_on_the_clock_of_a_tablet(path: Path) -> None:
    for row in rows_of(path, "indicators"):
        if row["aggregate"] != "ratio":
            assert row["date"] in ("${visit_date}", "${starts_on}", "${signed_on}", "${achieved_on}"), row["name"]


def test_the_places_that_the_tablets_offer_are_those_of_the_programme() -> None:
    with (DEFINITIONS / "media" / "places.csv").open(encoding="utf-8", newline="") as file:
        offered = {(row["name"], row["label"], row["level"], row["parent"]) for row in csv.DictReader(file)}

    assert offered == {(place.code, place.name, place.level, place.parent or "") for place in programme().places}


def test_siby_lies_in_the_cercle_of_kati_in_koulikoro() -> None:
    places = {place.code: place for place in programme().places}

    siby = next(place for place in places.values() if place.name == "Siby")
    kati = places[siby.parent or ""]
    assert (kati.name, kati.parent, places["ML-2"].name) == ("Kati", "ML-2", "Koulikoro")


def test_the_programme_loads_without_findings_or_warnings() -> None:
    assert programme().warnings == ()
    assert [workbook.warnings for workbook in programme().workbooks if workbook.warnings] == []


def test_every_figure_in_the_statements_is_an_indicator_of_the_programme() -> None:
    indicators = {indicator.name for workbook in programme().workbooks for indicator in workbook.sheets.indicators}

    for text in programme().statements.values():
        marks = {name for found in MARK.findall(text) for name in found if name and name != "item"}

        assert len(marks) > 20
        assert marks <= indicators


def test_both_statements_say_the_same_figures() -> None:
    english, french = (programme().statements["results", language] for language in ("en", "fr"))

    marks = [re.findall(r"\{\{ *([a-z][^}|]*?) *[|}]", text) for text in (english, french)]
    assert marks[0] == marks[1]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_sentence_of_the_statements_is_wrong_of_one_or_none(language: str) -> None:
    text = (DEFINITIONS / "statements" / f"results.{language}.md").read_text("utf-8")

    assert AGREEING.findall(text) == []


def test_the_old_version_of_the_rice_form_keeps_the_identity_of_what_was_renamed() -> None:
    old, new = (workbook.form for workbook in programme().workbooks if workbook.form.form_id == "rice_income")

    assert old.version < new.version
    assert new.fields["/data/trade/revenue"].identity == "/data/trade/sales" == old.fields["/data/trade/sales"].identity


def test_people_are_told_apart_by_ten_properties() -> None:
    rows = [row for workbook in programme().workbooks for row in workbook.sheets.matching]

    assert {row.list_name for row in rows} == {"people", "organisations", "health_centres"}
    assert [row.role for row in rows if row.list_name == "people"] == [
        "first_name",
        "last_name",
        "sex",
        "birth_year",
        "age",
        "asked_on",
        "phone",
        "village",
        "commune",
        "group",
    ]


def test_a_guessed_age_is_saved_with_the_day_on_which_it_was_asked() -> None:
    asking = [path for path in WORKBOOKS if any(row.get("name") == "age_guess" for row in rows_of(path, "survey"))]
    newest = [path for path in asking if path.stem != "rice_income.2025030101"]

    assert {path.stem for path in newest} >= {"training_session", "volunteer_mandate", "rice_income", "shea_income"}
    for path in newest:
        rows = {row.get("name"): row for row in rows_of(path, "survey")}
        saved = {row["save_to"]: row for row in rows.values() if "save_to" in row}
        assert saved["people#age"] == rows["age_guess"]
        assert saved["people#age_asked_on"]["calculation"] == "${visit_date}"


def test_organisations_and_health_centres_are_told_apart_by_their_name_phone_and_place() -> None:
    rows = [row for workbook in programme().workbooks for row in workbook.sheets.matching]

    for name in ("organisations", "health_centres"):
        assert [row.role for row in rows if row.list_name == name] == ["name", "phone", "village", "commune"]
