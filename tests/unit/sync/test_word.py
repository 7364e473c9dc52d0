"""Word templates: what they may hold, what is said of those that hold more, and statements written into them."""

import io
import zipfile

import docx
import pytest
from sqlalchemy.orm import Session

from forms.indicators.sheets import Indicator
from sync.errors import Unexpected
from sync.statements.statements import compose, on_paper, put_statement
from sync.statements.word import check_template, example, write_word
from tests.support.documents import a_template
from tests.support.figures import World
from tests.support.figures import a_contribution as row

TRAINED = Indicator(
    "people_trained", labels={"": "Trained & <glad>"}, aggregate="distinct", subject="people", by=("sex",)
)
RICE = Indicator("rice_tonnes", aggregate="sum", value="${t}")
SOURCE = """# What came of it

{{ people_trained }} people, of whom {{ people_trained(sex="female") }} are women.

- Rice: {{ rice_tonnes }}
"""
HEADINGS = dict.fromkeys(("notes", "evidence", "number", "date", "form", "place", "counted"), "Heading")


@pytest.fixture
def world(session: Session) -> World:
    world = World(session, languages=["en"])
    world.publish(TRAINED, RICE)
    world.submit(
        row("people_trained", subject="awa", by=("female",)),
        row("people_trained", subject="seydou", by=("male",), ordinal=1),
        row("rice_tonnes", value=7879),
    )
    with world.change() as (journal, event):
        put_statement(journal, "results", "en", SOURCE, event)
    return world


def with_member(name: str, content: bytes) -> bytes:
    """A template with one part put in the place of what was there."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(a_template("{{ title }}"))) as before, zipfile.ZipFile(out, "w") as after:
        for member in before.infolist():
            if member.filename != name:
                after.writestr(member, before.read(member))
        after.writestr(name, content)
    return out.getvalue()


def written(world: World, template: bytes, viewer: bool = False) -> docx.document.Document:
    check_template(template)
    world.settings(name="Siby & <sisters>")
    reading = world.reading()
    statement = compose(reading, "results", "en", sees_small_cells=not viewer)
    data = write_word(
        template,
        reading,
        statement,
        on_paper(reading, statement),
        form_titles={},
        sees_small_cells=not viewer,
    )
    return docx.Document(io.BytesIO(data))


def faults(template: bytes) -> list[str]:
    with pytest.raises(Unexpected) as refused:
        check_template(template)
    return [str(finding) for finding in refused.value.findings]


def test_a_statement_is_written_into_a_template_with_its_styles_notes_and_evidence(world: World) -> None:
    document = written(world, example(HEADINGS))

    paragraphs = [(one.style.name, one.text) for one in document.paragraphs if one.style is not None]
    assert ("Title", "What came of it") in paragraphs
    assert ("Heading 1", "What came of it") in paragraphs
    assert ("Normal", "21 people, of whom 12 are women.") in paragraphs
    assert ("List Bullet", "Rice: 7,879.03") in paragraphs
    assert ("Normal", "Period of all figures: the whole time.") in paragraphs
    assert any(text.startswith("2. Trained & <glad> (Women): each is counted once") for _, text in paragraphs)
    assert any(text.startswith("All submissions count") for _, text in paragraphs)
    assert document.sections[0].header.paragraphs[0].text == "Siby & <sisters>"
    table = [[cell.text for cell in line.cells] for line in document.tables[0].rows]
    assert [line[0] for line in table[1:]] == ["1", "1", "2", "3"]


def test_the_number_of_a_note_stands_above_the_line(world: World) -> None:
    document = written(world, a_template("{{p text }}", "{{p notes }}"))

    raised = [run.text for one in document.paragraphs for run in one.runs if run.font.superscript]
    assert raised == ["1", "2", "3"]


def test_in_a_template_too_each_figure_leads_to_its_page(world: World) -> None:
    reading = world.reading()
    statement = compose(reading, "results", "en", sees_small_cells=True)

    data = write_word(
        a_template("{{p text }}"),
        reading,
        statement,
        on_paper(reading, statement),
        form_titles={},
        sees_small_cells=True,
        link=lambda mark: f"https://siby.example/{mark.words}",
    )

    links = [link for one in docx.Document(io.BytesIO(data)).paragraphs for link in one.hyperlinks]
    assert [(link.text, link.address) for link in links][:2] == [
        ("2", "https://siby.example/2"),
        ("1", "https://siby.example/1"),
    ]


def test_without_notes_there_are_no_numbers(world: World) -> None:
    document = written(world, a_template("{{p text }}"))

    assert "2 people, of whom 1 are women." in [one.text for one in document.paragraphs]


def test_figures_come_as_a_list(world: World) -> None:
    line = "{% for one in figures %}{{ one.number }} {{ one.label }} = {{ one.value }}; {% endfor %}"

    document = written(world, a_template(line))

    assert document.paragraphs[0].text.startswith("1 Trained & <glad> = 2; 2 Trained & <glad> (Women) = 1; 3 ")


def test_a_template_whose_word_spoke_french_keeps_its_styles(world: World) -> None:
    document = docx.Document()
    document.styles["Heading 1"].element.set(f"{{{document.element.nsmap['w']}}}styleId", "Titre1")
    document.add_paragraph("{{p text }}")
    out = io.BytesIO()
    document.save(out)

    found = written(world, out.getvalue())

    assert 'w:val="Titre1"' in found.element.xml


UNFILLABLE = "document: The template cannot be filled in"
GROWING = f"{{% for a in [{' ~ '.join('a' * 40)}] %}}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ titel }}", "document, row 1: ‘titel’ is not a tag. Did you mean ‘title’?"),
        ("{{ text }}", "document, row 1: ‘{{ text }}’ is more than one paragraph."),
        ("{{p title }}", "document, row 1: ‘{{ title }}’ is a word, not a paragraph."),
        ("Dear {{p text }}", "document, row 1: ‘{{ text }}’ stands beside something else."),
        ("{{ text ~ title }}", "document, row 1: ‘{{ text ~ title }}’ does something with whole paragraphs."),
        ("{{ figures }}", "document, row 1: ‘{{ figures }}’ is a list."),
        ("{{ title", "document, row 1: ‘{{ title’ begins a tag that does not end."),
        ("{% for one in figures %}", "document, row 1: Unexpected end of template."),
        ("{% for one in figures %}{{ one.labl }}{% endfor %}", f"{UNFILLABLE}: there is no ‘labl’ here."),
        ("{% set x = 1 %}", "document, row 1: ‘{% set x = 1 %}’ has no place in a template."),
        ("{% include 'x' %}", "document, row 1: ‘{% include 'x' %}’ has no place in a template."),
        ("{{ title | upper }}", "document, row 1: ‘upper’ is not a filter. It is one of ‘length’."),
        ("{{ title() }}", "document, row 1: ‘title’ takes nothing in brackets."),
        ("{{ title.__class__.__mro__ }}", f"{UNFILLABLE}: ‘__class__’ may not be asked for."),
        ("{{ ''.format(1) }}", "document: The template cannot be filled in: "),
        ("{% for a in figures recursive %}{% endfor %}", "document, row 1: ‘recursive’ has no place in a statement."),
        ("{{ title | _round }}", "document, row 1: ‘_round’ is not a filter."),
        ("{{ '%1000000000d' is even }}", f"{UNFILLABLE}: ‘even’ is not for what stands before it. See the docs on"),
        ("{{ 1 / 0 }}", f"{UNFILLABLE}: a number is divided by zero. Divide only where there is something to"),
        ("{{ event > title }}", f"{UNFILLABLE}: something in this line is not of the kind that it is used as."),
        ("{% for a in [1] %}" * 25 + "{% endfor %}" * 25, "document: The text is too deeply nested."),
        ("{% for a in [title] %}" + GROWING * 6 + "{% endfor %}" * 7, f"{UNFILLABLE}: What is joined comes to more"),
        ("{{ title * 999999999 }}", "document: The template cannot be filled in: * is for numbers"),
        ("{{ cycler(1).__init__.__globals__ }}", "document, row 1: ‘cycler’ is not a tag."),
    ],
)
def test_a_tag_that_cannot_be_filled_in_is_named_with_its_place(text: str, fault: str) -> None:
    assert faults(a_template(text))[0].startswith(fault)


def test_a_tag_in_a_header_is_checked_as_well() -> None:
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "{{ nobody }}"
    out = io.BytesIO()
    document.save(out)

    assert faults(out.getvalue())[0].startswith("header1, row 1: ‘nobody’ is not a tag.")


def test_loops_in_loops_do_not_fill_the_memory(world: World) -> None:
    rounds = 8
    text = "".join(f"{{% for a{n} in figures %}}" for n in range(rounds)) + "x" * 1000
    template = a_template(text + "{% endfor %}" * rounds)
    check_template(template)
    with world.change() as (journal, event):
        many = " ".join(f'{{{{ rice_tonnes(period="{2000 + n}") }}}}' for n in range(40))
        put_statement(journal, "results", "en", many, event)

    with pytest.raises(Unexpected):
        written(world, template)


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'
REMOTE = b"""<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate"
 Target="http://elsewhere.example/t.dotm" TargetMode="External"/></Relationships>"""


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        (b"not a document", "This file is not a zip archive, or it is damaged."),
        (b"PK\x03\x04", "This file is not a zip archive, or it is damaged."),
        (with_member("word/vbaProject.bin", b"x"), "The document holds a macro or another document."),
        (with_member("word/header9.xml", BOMB), "This part of the document defines words of its own."),
        (with_member("word/_rels/settings.xml.rels", REMOTE), "The document fetches something from elsewhere"),
        (with_member("word/document.xml", b"<w:document"), "This part of the document cannot be read."),
        (with_member("word/header9.xml", b" " * 2_000_000), "packed"),
    ],
)
def test_what_may_do_harm_is_refused_before_it_is_opened(template: bytes, fault: str) -> None:
    found = faults(template)

    assert any(fault in one for one in found) or "too long" in found[0]


def test_a_zip_bomb_is_not_unpacked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"")
        archive.writestr("word/document.xml", b"0" * 60_000_000)

    assert any("packed far more tightly" in one or "Unpacked" in one for one in faults(out.getvalue()))


@pytest.mark.parametrize(
    "tag",
    [
        "{{ 9 ** (9 ** 9) }}",
        "{% set a = 'x' %}{{ a }}",
        "{{ " + " ~ ".join(["text"] * 300) + " }}",
        "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% for a in [1] %}" * 25 + "{% endfor %}" * 25,
        "{{ [] | upper }}",
    ],
)
def test_tags_among_the_properties_of_a_document_can_do_no_more_than_others(tag: str) -> None:
    properties = (
        '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
        f' xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{tag}</dc:title></cp:coreProperties>'
    )
    with pytest.raises(Unexpected, match="cannot be filled in"):
        check_template(with_member("docProps/core.xml", properties.encode()))


def test_text_that_stands_in_a_part_of_another_name_is_not_overlooked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(a_template("{{ title }}"))) as before, zipfile.ZipFile(out, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name in ("_rels/.rels", "[Content_Types].xml"):
                content = content.replace(b"word/document.xml", b"word/other.xml")
            after.writestr(name, content)
            if name == "word/document.xml":
                after.writestr("word/other.xml", content.replace(b"{{ title }}", b"{% set a = 1 %}"))
    assert any("‘word/other.xml’ is a part with text in it" in fault for fault in faults(out.getvalue()))


def test_a_tag_in_a_comment_before_the_text_is_found() -> None:
    notes = b'<!-- {{ title }} --><w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"/>'
    assert any("A tag stands outside the text" in fault for fault in faults(with_member("word/footnotes.xml", notes)))
