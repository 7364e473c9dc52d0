"""A programme folder: everything wrong with it is said at once, each fault with its file."""

import io
import os
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forms.findings import Faulty
from forms.programmes.programme import Place, files_of, files_of_zip, read_places, read_programme, version_order
from tests.support.workbooks import a_workbook

PLACES = """code,name,level,parent,latitude,longitude,aliases
ML,Mali,country,,,,
ML-2,Koulikoro,region,ML,12.86,-7.56,
SIBY,Siby,commune,ML-2,12.3714,-8.3308,Sibi|Ciby
"""
TOML = """
name = "Siby"
time_zone = "Africa/Bamako"
languages = ["fr", "en"]
fiscal_year_start = 4
counts = "approved"
"""
VISITS = """
    | survey  |        |       |
    | type    | name   | label |
    | integer | sacks  | Sacks |
    | text    | place  | Where |
    | indicators |           |           |          |             |             |
    | name       | label     | aggregate | value    | numerator   | denominator |
    | sacks      | Sacks     | sum       | ${sacks} |             |             |
    | visits     | Visits    | count     |          |             |             |
    | per_visit  | Per visit | ratio     |          | sacks       | centres     |
"""
CENTRES = """
    | survey |      |       |
    | type   | name | label |
    | text   | name | Name  |
    | indicators |         |           |
    | name       | label   | aggregate |
    | centres    | Centres | count     |
"""


def a_programme(**changes: bytes | None) -> dict[str, bytes]:
    files: dict[str, bytes | None] = {
        "project.toml": TOML.encode(),
        "places.csv": PLACES.encode(),
        "forms/field/visit.xlsx": a_workbook("visit", "2", VISITS),
        "forms/centre.xlsx": a_workbook("centre", "1", CENTRES),
        "lists/people.csv": b"name,label,sex\n,Awa,female\n,Moussa,male\n",
        "statements/results.fr.md": b"Tout va bien: {{ sacks }}",
        "README.md": b"About",
        **changes,
    }
    return {name: content for name, content in files.items() if content is not None}


def faults_of(files: dict[str, bytes]) -> list[str]:
    with pytest.raises(Faulty) as caught:
        read_programme(files)
    return [str(finding) for finding in caught.value.findings]


def test_a_programme_is_read_whole() -> None:
    programme = read_programme(a_programme())

    assert programme.settings.languages == ("fr", "en")
    assert programme.settings.counts == "approved"
    assert [place.code for place in programme.places] == ["ML", "ML-2", "SIBY"]
    assert [book.form.form_id for book in programme.workbooks] == ["centre", "visit"]
    assert programme.statements["results", "fr"].startswith("Tout va bien")
    assert [row.label for row in programme.lists["people"].rows] == ["Awa", "Moussa"]


def test_workbooks_of_one_form_come_in_the_order_of_their_versions() -> None:
    programme = read_programme(
        a_programme(
            **{
                "forms/a.xlsx": a_workbook("visit", "10", VISITS),
                "forms/b.xlsx": a_workbook("visit", "9", VISITS),
            }
        )
    )

    versions = [book.form.version for book in programme.workbooks if book.form.form_id == "visit"]
    assert versions == ["2", "9", "10"]


def test_two_workbooks_of_one_version_are_refused() -> None:
    faults = faults_of(a_programme(**{"forms/copy.xlsx": a_workbook("visit", "2", VISITS)}))

    assert faults == [
        "forms/field/visit.xlsx: The form ‘visit’ version ‘2’ is also in forms/copy.xlsx. "
        "Give the newer workbook a new version in its sheet settings."
    ]


def test_an_indicator_of_a_form_that_is_missing_is_a_fault_of_the_one_that_uses_it() -> None:
    faults = faults_of(a_programme(**{"forms/centre.xlsx": None}))

    assert len(faults) == 1
    assert faults[0].startswith("forms/field/visit.xlsx, sheet indicators, row 4, column denominator: ‘centres’")


def test_the_faults_of_all_files_come_together() -> None:
    faults = faults_of(
        {
            "project.toml": b'name = "x"\ntimezone = "Africa/Bamako"\nfiscal_year_start = 13\n',
            "places.csv": b"code,name,level,parent\nA,Alpha,region,B\n",
            "lists/people.csv": b"name,label\nnot-a-uuid,Awa\n",
            "media/a/b.png": b"x",
            "statements/results.md": b"x",
            "forms/a.xlsx": b"hello",
            "forms/b.xls": b"hello",
        }
    )

    assert [fault.split(":")[0].split(",")[0] for fault in faults] == [
        "project.toml",
        "project.toml",
        "places.csv",
        "forms/a.xlsx",
        "lists/people.csv",
        "media/a/b.png",
        "statements/results.md",
        "forms/b.xls",
    ]
    assert "Did you mean ‘time_zone’?" in faults[0]


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (b"", "no name"),
        (b"name = ", "not TOML"),
        (b"a" + b".a" * 100_000 + b" = 1", "far too long"),
        (b"name = 5", "name: 5 will not do"),
        (b'name = "x"\ntime_zone = "Mars/Olympus"', "Mars/Olympus"),
        (b'name = "x"\ntime_zone = "../../etc/passwd"', "etc/passwd"),
        (b'name = "x"\nlanguages = []', "languages"),
        (b'name = "x"\nlanguages = ["fr", "fr"]', "languages"),
        (b'name = "x"\nfiscal_year_start = true', "fiscal_year_start"),
        (b'name = "x"\ncounts = "all"', "counts"),
        (b'name = "x"\nlabels = 5', "labels"),
        (b'name = "x"\n[labels.people]\nfr = "Gens"', "[labels.lists]"),
        (b'name = "x"\n[labels.lists]\npeople = "Gens"', "labels"),
        (b'name = "x"\n[labels.levels]\nregion = { fr = 5 }', "labels"),
        (b"\xff\xfe\x00\xd8", "not in UTF-8"),
        (b"name = " + b"9" * 5000, "not TOML"),
        (b"name = " + b"[" * 5000, "not TOML"),
    ],
)
def test_a_setting_that_will_not_do_is_named(toml: bytes, words: str) -> None:
    (fault,) = faults_of({"project.toml": toml})

    assert fault.startswith("project.toml: ")
    assert words in fault


def test_a_folder_without_settings_is_no_programme() -> None:
    assert "project.toml: The file is missing." in faults_of({})[0]


def test_media_that_no_form_names_is_a_warning() -> None:
    programme = read_programme(a_programme(**{"media/spare.png": b"x"}))

    assert [finding.place for finding in programme.warnings] == ["media/spare.png"]


def test_the_warnings_of_a_folder_with_faults_are_told_too() -> None:
    warned = {"forms/centre.xlsx": a_workbook("centre", "1", CENTRES + "    | indicatorz | |\n    | name | |\n")}
    files = a_programme(**warned, **{"media/spare.png": b"x", "lists/people.csv": b"name\n"})

    with pytest.raises(Faulty) as caught:
        read_programme(files)

    assert [one.place for one in caught.value.findings] == ["lists/people.csv"]
    assert [(one.place, one.sheet) for one in caught.value.warnings] == [
        ("forms/centre.xlsx", "indicatorz"),
        ("media/spare.png", None),
    ]


def test_media_are_told_by_the_names_under_which_tablets_get_them() -> None:
    showing = """
        | survey | | | |
        | type | name | label | media::image |
        | note | here | Here  | l'eau & co.png |
        | note | there | There | au loin.png |
    """
    forms = {"forms/show.xlsx": a_workbook("show", "1", showing)}

    programme = read_programme(a_programme(**forms, **{"media/l'eau & co.png": b"x"}))

    assert [finding.fault for finding in programme.warnings] == [
        "The form ‘show’ shows au loin.png, which is not there."
    ]


def test_a_list_that_a_form_chooses_from_must_come_from_somewhere() -> None:
    choosing = """
        | survey | | |
        | type | name | label |
        | select_one_from_file peple.csv | who | Who |
    """
    (fault,) = faults_of(a_programme(**{"forms/choose.xlsx": a_workbook("choose", "1", choosing)}))

    assert "Did you mean ‘people.csv’?" in fault


def test_a_target_in_an_unknown_place_is_a_fault() -> None:
    targets = (
        CENTRES
        + """
        | targets | | |
        | indicator | place | target |
        | centres | SIBI | 40 |
    """
    )
    (fault,) = faults_of(a_programme(**{"forms/centre.xlsx": a_workbook("centre", "1", targets)}))

    assert "‘SIBI’" in fault
    assert "Did you mean ‘SIBY’?" in fault


def test_faults_of_several_workbooks_come_in_one_go_each_in_its_cell() -> None:
    broken = """
        | survey  | | | |
        | type    | name | label | constraint |
        | integr  | sacks | Sacks | . > foo(1) |
        | select_one_from_file peple.csv | who | Who | |
        | indicators | | |
        | name    | aggregate | value |
        | sacks   | sum | ${sackz} |
        | targets | | | |
        | indicator | place | target | by |
        | sacks   | SIBI | 40 | |
        | centers | ML | 40 | |
    """
    uses = """
        | survey | | |
        | type | name | label |
        | text | name | Name |
        | indicators | | | |
        | name | aggregate | numerator | denominator |
        | share | ratio | sacks | centers |
    """
    faults = faults_of(
        {
            "project.toml": TOML.encode(),
            "places.csv": PLACES.encode(),
            "forms/a.xlsx": a_workbook("a", "1", broken),
            "forms/b.xlsx": a_workbook("b", "1", uses),
        }
    )

    assert [fault.split(": ")[0] for fault in faults] == [
        "forms/a.xlsx, sheet survey, row 2, column type",
        "forms/a.xlsx, sheet survey, row 2, column constraint",
        "forms/a.xlsx, sheet indicators, row 2, column value",
        "forms/a.xlsx, sheet targets, row 3, column indicator",
        "forms/b.xlsx, sheet indicators, row 2, column denominator",
        "forms/a.xlsx, sheet targets, row 2, column place",
        "forms/a.xlsx, sheet survey, row 3, column type",
    ]


def test_what_depends_on_a_file_that_says_nothing_is_not_called_wrong() -> None:
    targets = CENTRES + "| targets | | |\n| indicator | place | target |\n| centres | SIBY | 40 |\n"
    faults = faults_of(
        a_programme(
            **{
                "places.csv": b"code,name\nSIBY,Siby\n",
                "forms/centre.xlsx": b"PK no workbook",
                "forms/other.xlsx": a_workbook("other", "1", targets.replace("| centres |", "| others |")),
            }
        )
    )

    assert [fault.split(":")[0].split(",")[0] for fault in faults] == ["places.csv", "forms/centre.xlsx"]


def test_a_statement_in_a_language_of_no_one_is_a_fault() -> None:
    (fault,) = faults_of(a_programme(**{"statements/results.bm.md": b"x"}))

    assert fault.startswith("statements/results.bm.md: ‘bm’ is not one of the programme's languages.")


# places.csv


def test_places_come_parents_first_with_their_aliases() -> None:
    places = read_places(
        b"code;name;level;parent;latitude;longitude;aliases\nB;Bee;commune;A;;;b|bb\nA;Ay;region;;1.5;-2;\n"
    )

    assert places == (
        Place("A", "Ay", "region", None, 1.5, -2.0, ()),
        Place("B", "Bee", "commune", "A", None, None, ("b", "bb")),
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("A,Ay,region,\nA,Bee,region,", "row 3, column code: The code ‘A’ is taken by row 2."),
        ("A,Ay,region,Z", "row 2, column parent: ‘Z’ is not the code of a place in this file."),
        ("A,Ay,region,B\nB,Bee,cercle,A", "row 2, column parent: The places lie in each other: A → B → A."),
        ("A,Ay,region,A", "The places lie in each other: A → A."),
        ("A,Ay,region,\nB,Bee,region,A", "row 3, column level: A region cannot lie in another region (‘A’)."),
        (
            "A,Ay,region,\nB,Bee,cercle,A\nC,See,cercle,\nD,Dee,region,C",
            "row 5, column level: A region lies in a cercle here, but the other way round at ‘B’.",
        ),
        (",Ay,region,", "row 2, column code: The place has no code."),
        ("A,,region,", "row 2, column name: The place has no name."),
        ("A B,Ay,region,", "row 2, column code: ‘A B’ cannot be a code."),
        ("A,Ay,region,,95,1", "row 2, column latitude: 95 is not between -90 and 90."),
        ("A,Ay,region,,1", "row 2: The row has 5 cells, but the first row names 6."),
        ("A,Ay,region,,,1", "row 2, column latitude: The latitude is missing."),
        ('A,Ay,region,,"12,3",1', "row 2, column latitude: ‘12,3’ is not a number of degrees."),
        ("A,Ay,region,,nan,1", "row 2, column latitude: nan is not between"),
        ("A,Ay,region,,1,1,x,y", "row 2: The row has 8 cells, but the first row names 6."),
    ],
)
def test_a_fault_among_the_places_names_its_row(rows: str, words: str) -> None:
    padded = "\n".join(row + ",," if row.count(",") == 3 else row for row in rows.split("\n"))
    with pytest.raises(Faulty) as caught:
        read_places(f"code,name,level,parent,latitude,longitude\n{padded}\n".encode())

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("Nord", "x|NORD", "row 3, column aliases: ‘NORD’ is also an alias of ‘A’ in row 2."),
        ("bé", "", "row 2, column aliases: ‘bé’ is the code of the place in row 3."),
        ("", "a", "row 3, column aliases: ‘a’ is the code of the place in row 2."),
    ],
)
def test_what_one_place_is_called_is_no_alias_of_another(first: str, second: str, words: str) -> None:
    with pytest.raises(Faulty) as caught:
        read_places(f"code,name,level,aliases\nA,Ay,region,{first}\nBE,Bee,region,{second}\n".encode())

    assert words in str(caught.value)


def test_an_alias_may_be_said_twice_of_one_place() -> None:
    (place,) = read_places(b"code,name,level,aliases\nA,Ay,region,a|Nord|nord\n")

    assert place.aliases == ("a", "Nord", "nord")


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        (b"", "The file is empty."),
        (b"code,name,level\n\xe9,b,c\n", "not in UTF-8"),
        (b"code,name,level\nA\0,b,c\n", "NUL"),
        (b"code,code,name,level\n", "Two columns are called ‘code’."),
        (b"code,name,levl\n", "The column ‘level’ is missing."),
        (b'code,name,level\n"A,b,c\n', "The row cannot be read"),
    ],
)
def test_a_file_of_places_that_is_no_table_says_why(csv: bytes, words: str) -> None:
    with pytest.raises(Faulty) as caught:
        read_places(csv)

    assert words in str(caught.value)


@given(st.binary(max_size=300) | st.text(alphabet='code,name;lvl"\n\r A\0é', max_size=200).map(str.encode))
@example(b"code,name,level,parent\nA,a,x,B\nB,b,y,C\nC,c,z,B\n")
def test_no_file_of_places_raises_anything_but_findings(csv: bytes) -> None:
    with suppress(Faulty):
        read_places(csv)


def test_a_list_that_every_device_has_for_itself_cannot_be_loaded() -> None:
    (fault,) = faults_of(a_programme(**{"lists/a_corriger.csv": b"name,label\n,Awa\n"}))

    assert "for itself" in fault


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"forms/visits.xlsx": a_workbook("visits.svc", "1", CENTRES.replace("| centres ", "| others "))},
            "forms/visits.xlsx: A form's id cannot end in .svc, .xls, .xlsx or .xml; give it another form_id in the "
            "settings.",
        ),
        (
            {"forms/visits.xlsx": a_workbook("visits/..", "1", CENTRES.replace("| centres ", "| others "))},
            "forms/visits.xlsx: A form's id cannot be dots alone, nor be so after a slash; give it another form_id in "
            "the settings.",
        ),
        (
            {"lists/folk.Svc.csv": b"name,label\n,Awa\n"},
            "lists/folk.Svc.csv: A list's name cannot end in .svc; give it another one.",
        ),
    ],
    ids=["form", "dots", "list"],
)
def test_what_no_address_could_tell_from_a_feed_is_a_fault(files: dict[str, bytes], told: str) -> None:
    assert faults_of(a_programme(**files)) == [told]


def test_a_long_list_of_faults_is_cut() -> None:
    rows = "".join(f"A {number},x,y\n" for number in range(500))
    with pytest.raises(Faulty) as caught:
        read_places(f"code,name,level\n{rows}".encode())

    assert len(caught.value.findings) == 101
    assert "400 more" in str(caught.value.findings[-1])


def test_a_chain_of_thirty_thousand_places_is_read() -> None:
    rows = "".join(f"P{n},x,L{n},{f'P{n - 1}' if n else ''}\n" for n in range(30_000))

    assert len(read_places(f"code,name,level,parent\n{rows}".encode())) == 30_000


# lists/


def test_ids_made_from_content_are_the_same_at_every_load() -> None:
    first = read_programme(a_programme()).lists["people"]
    again = read_programme(a_programme()).lists["people"]
    changed = read_programme(a_programme(**{"lists/people.csv": b"label,sex\nAwa,female\nMoussa,female\n"})).lists[
        "people"
    ]

    assert first == again
    assert first.rows[0].entity_id == changed.rows[0].entity_id
    assert first.rows[1].entity_id != changed.rows[1].entity_id


def test_an_id_that_is_given_is_kept_in_its_plain_form() -> None:
    csv = b"name,label\nuuid:6A0F35D2-8F4E-4C4B-9C0E-0C9F1B1E2D3C,Awa\n"
    programme = read_programme(a_programme(**{"lists/people.csv": csv}))

    assert programme.lists["people"].rows[0].entity_id == "6a0f35d2-8f4e-4c4b-9c0e-0c9f1b1e2d3c"


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        (b"name,sex\n,female\n", "The column ‘label’ is missing."),
        (b"label,__version\nAwa,1\n", "‘__version’ is a name that entity lists keep for themselves."),
        (b"label,Name\nAwa,1\n", "‘Name’ is a name that entity lists keep"),
        (b"label,first name\nAwa,1\n", "‘first name’ cannot be a property."),
        (b"label\nAwa\nAwa\n", "row 3: The row says the same as row 2."),
        (b"label,sex\n,female\n", "row 2, column label: The entity has no label."),
    ],
)
def test_a_fault_in_a_list_names_its_row(csv: bytes, words: str) -> None:
    (fault,) = faults_of(a_programme(**{"lists/people.csv": csv}))

    assert fault.startswith("lists/people.csv")
    assert words in fault


# Folders and zips


def test_a_folder_is_read_without_hidden_and_lock_files(tmp_path: Path) -> None:
    (tmp_path / "forms").mkdir()
    (tmp_path / ".git").mkdir()
    for name in ("project.toml", "forms/a.xlsx", "forms/~$a.xlsx", ".DS_Store", ".git/config"):
        (tmp_path / name).write_bytes(b"x")

    assert sorted(files_of(tmp_path)) == ["forms/a.xlsx", "project.toml"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"x")
    folder = tmp_path / "programme"
    folder.mkdir()
    os.symlink(tmp_path / "outside" / "secret", folder / "places.csv")
    os.symlink(tmp_path / "outside", folder / "media")

    with pytest.raises(Faulty) as caught:
        files_of(folder)

    assert sorted(finding.place for finding in caught.value.findings) == ["media", "places.csv"]


def test_a_folder_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(Faulty):
        files_of(tmp_path / "nowhere")


def a_zip(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("outer", ["", "mali/"])
def test_a_zip_of_the_folder_or_of_its_content_is_the_same(outer: str) -> None:
    data = a_zip(**{f"{outer}project.toml": b"x", f"{outer}forms/a.xlsx": b"y", "__MACOSX/junk": b"z"})

    assert files_of_zip(data) == {"project.toml": b"x", "forms/a.xlsx": b"y"}


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../evil", "..\\evil", "C:\\evil"])
def test_a_path_that_leads_out_of_the_zip_is_refused(name: str) -> None:
    with pytest.raises(Faulty) as caught:
        files_of_zip(a_zip(**{"project.toml": b"x", name: b"y"}))

    assert "leads out" in str(caught.value)


def test_a_zip_bomb_is_not_unpacked() -> None:
    with pytest.raises(Faulty) as caught:
        files_of_zip(a_zip(**{"lists/people.csv": bytes(20_000_000)}))

    assert "packed far more tightly" in str(caught.value)


def test_a_zip_that_lies_about_its_sizes_is_refused() -> None:
    honest = a_zip(**{"places.csv": bytes(1_000_000)})
    lying = honest.replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))

    with pytest.raises(Faulty):
        files_of_zip(lying)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_zip_reader_raise_anything_but_findings(data: bytes) -> None:
    for content in (data, b"PK\x03\x04" + data, a_zip(a=b"x")[: len(data)], a_zip(a=b"x") + data):
        with suppress(Faulty):
            files_of_zip(content)


def test_versions_are_ordered_as_people_count() -> None:
    versions = ["v10", "v2", "", "2026101501", "20261015", "2026-01", "9" * 5000]

    assert sorted(versions, key=version_order) == ["", "2026-01", "20261015", "2026101501", "9" * 5000, "v2", "v10"]
