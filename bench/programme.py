"""A programme of one form: 40 questions, 15 constraints, 10 conditions, 5 calculations, one entity, 5 indicators."""

import io
from collections.abc import Sequence
from pathlib import Path

from openpyxl import Workbook

FORM = "field_visit"
VERSION = "1"
COMMUNES = [f"C{number:03}" for number in range(40)]

Row = Sequence[str]

SURVEY: list[Row] = [
    ("type", "name", "label", "required", "constraint", "relevant", "calculation", "save_to"),
    ("start", "start", "", "", "", "", "", ""),
    ("end", "end", "", "", "", "", "", ""),
    ("today", "today", "", "", "", "", "", ""),
    ("text", "place", "Commune", "yes", "", "", "", "commune"),
    ("text", "village", "Village", "yes", "string-length(.) < 60", "", "", "village"),
    ("text", "given_name", "Given name", "yes", "string-length(.) > 1", "", "", "given_name"),
    ("text", "family_name", "Family name", "yes", "string-length(.) > 1", "", "", "family_name"),
    ("select_one sex", "sex", "Sex", "yes", "", "", "", "sex"),
    ("integer", "age", "Age", "yes", ". >= 10 and . <= 110", "", "", "age"),
    ("text", "phone", "Phone", "", "regex(., '[0-9]{8}')", "", "", "phone"),
    ("calculate", "full_name", "", "", "", "", "concat(${given_name}, ' ', ${family_name})", ""),
    ("select_one yes_no", "is_member", "Member of the cooperative?", "yes", "", "", "", ""),
    ("date", "member_since", "Since when?", "", ". <= today()", "${is_member} = 'yes'", "", ""),
    ("integer", "household", "People in the household", "yes", ". > 0 and . < 80", "", "", ""),
    ("integer", "women", "Women among them", "", ". >= 0 and . <= ${household}", "", "", ""),
    ("integer", "children", "Children among them", "", ". >= 0 and . <= ${household}", "", "", ""),
    ("calculate", "men", "", "", "", "", "${household} - ${women} - ${children}", ""),
    ("select_multiple crop", "crops", "Crops", "yes", "count-selected(.) <= 4", "", "", ""),
    ("decimal", "rice_area", "Hectares of rice", "", ". > 0 and . < 50", "selected(${crops}, 'rice')", "", ""),
    ("decimal", "rice_sacks", "Sacks of rice", "", ". >= 0 and . < 2000", "selected(${crops}, 'rice')", "", ""),
    ("calculate", "rice_tonnes", "", "", "", "", "coalesce(${rice_sacks}, 0) * 8 div 100", ""),
    ("decimal", "shea_kg", "Kilograms of shea", "", ". >= 0 and . < 5000", "selected(${crops}, 'shea')", "", ""),
    ("integer", "shea_price", "Price of shea", "", "", "selected(${crops}, 'shea')", "", ""),
    ("integer", "income", "Income of the season", "yes", ". >= 0 and . < 90000000", "", "", ""),
    ("integer", "income_before", "Income of the season before", "", "", "", "", ""),
    ("calculate", "growth", "", "", "", "", "${income} div ${income_before}", ""),
    ("select_one yes_no", "has_credit", "Any credit?", "yes", "", "", "", ""),
    ("integer", "credit", "How much?", "", "", "${has_credit} = 'yes'", "", ""),
    ("text", "lender", "From whom?", "", "", "${has_credit} = 'yes'", "", ""),
    ("select_one yes_no", "trained", "Trained this year?", "yes", "", "", "", ""),
    ("select_multiple topic", "topics", "In what?", "", "", "${trained} = 'yes'", "", ""),
    ("integer", "days", "Days of training", "", ". > 0 and . <= 90", "${trained} = 'yes'", "", ""),
    ("text", "trainer", "Who trained?", "", "", "", "", ""),
    ("select_one water", "water", "Water from", "yes", "", "", "", ""),
    ("integer", "water_minutes", "Minutes to the water", "", "", "${water} != 'house'", "", ""),
    ("select_one yes_no", "phone_at_home", "A phone at home?", "yes", "", "", "", ""),
    ("select_one yes_no", "school", "All children at school?", "yes", "", "", "", ""),
    ("select_one yes_no", "lamp", "Light at night?", "yes", "", "", "", ""),
    ("select_one yes_no", "radio", "A radio?", "yes", "", "", "", ""),
    ("text", "needs", "What is needed most?", "", "", "", "", ""),
    ("geopoint", "position", "Position", "", "", "", "", ""),
    ("text", "remarks", "Remarks", "", "", "", "", ""),
    ("calculate", "score", "", "", "", "", "(${trained} = 'yes') + (${school} = 'yes') + (${has_credit} = 'no')", ""),
]

CHOICES: list[Row] = [
    ("list_name", "name", "label"),
    *(("sex", value, value.title()) for value in ("female", "male")),
    *(("yes_no", value, value.title()) for value in ("yes", "no")),
    *(("crop", value, value.title()) for value in ("rice", "shea", "millet", "maize", "sesame", "cotton")),
    *(("topic", value, value.title()) for value in ("governance", "marketing", "resources", "management")),
    *(("water", value, value.title()) for value in ("house", "well", "pump", "river")),
]

SETTINGS: list[Row] = [
    ("form_title", "form_id", "version", "instance_name"),
    ("Field visit", FORM, VERSION, "${full_name}"),
]

ENTITIES: list[Row] = [("list_name", "label"), ("people", "${full_name}")]

INDICATORS: list[Row] = [
    ("name", "label", "unit", "where", "subject", "value", "aggregate", "keep", "per_subject", "by"),
    ("visits", "Visits", "visits", "", "", "", "count", "", "", "sex"),
    ("trained", "People trained", "people", "${trained} = 'yes'", "people", "", "distinct", "", "", "sex age_band"),
    ("rice", "Rice harvested", "t", "${rice_tonnes} > 0", "", "${rice_tonnes}", "sum", "", "", "sex"),
    ("training_days", "Days of training", "days", "${trained} = 'yes'", "", "${days}", "sum", "", "", "topics"),
    ("incomes", "Typical income", "XOF", "", "people", "${income}", "median", "", "latest", "sex"),
]

BREAKDOWNS: list[Row] = [("name", "label", "value", "bands"), ("age_band", "Age", "${age}", "0-14 15-35 36-")]


def write_programme(folder: Path) -> None:
    """The programme as a folder that `siby load` takes."""
    (folder / "forms").mkdir(parents=True)
    (folder / "project.toml").write_text(
        'name = "Measured"\ntime_zone = "Africa/Bamako"\nlanguages = ["en"]\nfiscal_year_start = 4\n'
    )
    places = ["code,name,level,parent,latitude,longitude,aliases", "M,Mali,country,,,,"]
    places += [f"{code},Commune {code},commune,M,,," for code in COMMUNES]
    (folder / "places.csv").write_text("\n".join(places) + "\n")
    (folder / "forms" / f"{FORM}.xlsx").write_bytes(workbook())


def workbook() -> bytes:
    """The form as an XLSForm workbook."""
    book = Workbook()
    book.remove(book.worksheets[0])
    sheets = {
        "survey": SURVEY,
        "choices": CHOICES,
        "settings": SETTINGS,
        "entities": ENTITIES,
        "indicators": INDICATORS,
        "breakdowns": BREAKDOWNS,
    }
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append([cell or None for cell in row])
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()
