"""Statements in a Word document of the organisation's own: what its tags stand for, and how they are filled in."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.environment import Template
from lxml.etree import LxmlError

from forms.findings import Finding
from sync.errors import Forbidden, Unexpected
from sync.indicators.evidence import evidence
from sync.indicators.reading import Reading
from sync.indicators.wording import GAP, date_words, number_words
from sync.statements.marks import clean
from sync.statements.notes import Note, Paper
from sync.statements.pages import Block, Link, Run, blocks_of, style_of
from sync.statements.statements import Statement
from sync.statements.templates import TOGETHER, Joining, StatementEnvironment, bounded, only_allowed
from sync.statements.unwritable import FAULTS, Unwritable, told
from sync.statements.word_tags import check_document, named_in

# Rows of the evidence table: of one figure, and in all.
_OF_ONE, _IN_ALL = 200, 1000
_LONGEST = 20_000_000  # characters of a part, with what Word says around each of them


class _Bounded(Template):
    """A part of a document: it ends where it would become longer than anybody prints."""

    def render(self, *values: Any, **named: Any) -> str:
        return bounded(self, dict(*values, **named), _LONGEST)


class WordEnvironment(StatementEnvironment):
    """For tags: names, their parts, conditions and loops; no calls, and no filters but `length`."""

    template_class = _Bounded

    def __init__(self) -> None:
        joining = Joining()
        filters: dict[str, Callable[..., Any]] = {"length": len, TOGETHER: lambda values: joining(map(str, values))}
        super().__init__(filters, {dict: ()}, lambda value: GAP if value is None else value)

    def from_string(self, source: str | nodes.Template, *rest: Any, **more: Any) -> Template:
        """As what fills a document in calls it: also for the document's properties, whose tags nobody has checked."""
        only_allowed(self.parse(source) if isinstance(source, str) else source)
        return super().from_string(source, *rest, **more)


def check_template(data: bytes) -> None:
    """Raises Unexpected with all that is wrong with a template; it is filled in once with words of no meaning."""
    findings = check_document(data, WordEnvironment())
    if findings:
        raise Unexpected("The Word template cannot be taken.", findings=findings)
    note = dict.fromkeys(("label", "value", "period", "place", "source", "target"), GAP) | {"number": 1}
    row = dict.fromkeys(("figure", "date", "form", "place", "breakdown", "value", "counted"), GAP) | {"number": 1}
    words = dict.fromkeys(("title", "statement", "project", "period", "place", "as_of", "issue", "issued"), GAP)
    values = {**words, "event": 1, "left_off": 0, "figures": [note, note], "evidence": [row, row]}
    block = Block("paragraph", ())
    _filled(data, [block], [block], {}, values)


def write_word(
    data: bytes,
    reading: Reading,
    statement: Statement,
    paper: Paper,
    *,
    issue: str = "",
    form_titles: Mapping[str, str],
    sees_small_cells: bool,
    link: Link | None = None,
) -> bytes:
    """The statement as a document, written into a template that was checked; each figure leads to what `link` says.
    `issue` is the title under which it was given out. Raises Unexpected where the template cannot be filled in with
    what there is."""
    named = named_in(data)
    blocks = blocks_of(f"{statement.text}\n\n{statement.basis}", statement.marks)
    rows, left_off = (
        _evidence(reading, paper.notes, statement.language, form_titles, sees_small_cells)
        if "evidence" in named
        else ([], 0)
    )
    values = {
        "title": issue or statement.title,
        "statement": statement.name,
        "project": paper.project,
        "period": paper.period,
        "place": paper.place,
        "as_of": paper.as_of,
        "event": statement.as_of.event,
        "issue": issue,
        "issued": paper.issued,
        "figures": [_figure(note) for note in paper.notes],
        "evidence": rows,
        "left_off": left_off,
    }
    cleaned = {name: clean(value) if isinstance(value, str) else value for name, value in values.items()}
    numbers = paper.of_marks if {"notes", "figures"} & named else {}
    notes = [Block("paragraph", (Run(clean(line)),)) for line in paper.lines]
    return _filled(data, blocks, notes, numbers, cleaned, link)


def example(headings: Mapping[str, str]) -> bytes:
    """A template to begin with, in which every part of a statement stands once."""
    import docx  # noqa: PLC0415 — 0.2 s that a server need not wait for when it starts

    document = docx.Document()
    document.core_properties.author = ""
    document.sections[0].header.paragraphs[0].text = "{{ project }}"
    document.sections[0].footer.paragraphs[0].text = "{{ as_of }}"
    document.add_paragraph("{{ title }}", style="Title")
    document.add_paragraph("{{ period }} {{ place }}")
    document.add_paragraph("{{p text }}")
    document.add_heading(headings["notes"], level=1)
    document.add_paragraph("{{p notes }}")
    document.add_heading(headings["evidence"], level=1)
    table = document.add_table(rows=4, cols=5, style="Table Grid")
    for cell, name in zip(table.rows[0].cells, ("number", "date", "form", "place", "counted"), strict=True):
        cell.text = headings[name]
    table.rows[1].cells[0].text = "{%tr for row in evidence %}"
    for cell, name in zip(table.rows[2].cells, ("number", "date", "form", "place", "counted"), strict=True):
        cell.text = f"{{{{ row.{name} }}}}"
    table.rows[3].cells[0].text = "{%tr endfor %}"
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _filled(
    data: bytes,
    text: Sequence[Block],
    notes: Sequence[Block],
    numbers: Mapping[int, int],
    values: Mapping[str, Any],
    link: Link | None = None,
) -> bytes:
    import docxtpl  # noqa: PLC0415 — as docx, which it brings along

    try:
        template = docxtpl.DocxTemplate(io.BytesIO(data))
        write = _paragraphs(docxtpl, template, link)
        template.render({**values, "text": write(text, numbers), "notes": write(notes, {})}, WordEnvironment(), True)
        out = io.BytesIO()
        template.save(out)
    except (*FAULTS, LxmlError) as error:
        why = _told(error)
        finding = Finding(f"The template cannot be filled in: {why}.", why.remedy, "document")
        raise Unexpected("The Word template cannot be filled in.", findings=[finding]) from error
    return out.getvalue()


def _told(error: Exception) -> Unwritable:
    """What is wrong, in our words; what reads tags and XML says itself what it cannot read."""
    if isinstance(error, TemplateSyntaxError | LxmlError):
        return Unwritable(str(error).rstrip("."), "Look at its tags.")
    return told(error)


def _styles(document: Any) -> dict[str, str]:
    """Word's own styles that the template has, whatever they are called in the language of the Word that made it."""
    return {style.name: style.style_id for style in document.styles if style.name is not None}


def _paragraphs(docxtpl: Any, template: Any, link: Link | None) -> Callable[[Sequence[Block], Mapping[int, int]], Any]:
    styles = _styles(template.get_docx())

    def address(run: Run) -> str | None:
        if link is None or run.mark is None or run.mark.figure is None:
            return None
        return str(template.build_url_id(link(run.mark)))

    def write(blocks: Sequence[Block], numbers: Mapping[int, int]) -> Any:
        written, counted = docxtpl.RichTextParagraph(), 0
        for block in blocks:
            line, style = docxtpl.RichText(), styles.get(style_of(block))
            counted = counted + 1 if block.kind == "number" else 0
            if style is None and block.kind in ("bullet", "number"):
                line.add("• " if block.kind == "bullet" else f"{counted}. ")
            for run in block.runs:
                bold = run.bold or (style is None and block.kind == "heading")
                line.add(run.text, bold=bold, italic=run.italic, url_id=address(run))
                if run.position is not None and run.position in numbers:
                    line.add(str(numbers[run.position]), superscript=True)
            written.add(line, parastyle=style)
        return written

    return write


def _figure(note: Note) -> dict[str, Any]:
    return {
        "number": note.number,
        "label": clean(note.label),
        "value": note.words,
        "period": note.period,
        "place": note.place,
        "source": clean(note.sentence),
        "target": note.target,
    }


def _evidence(
    reading: Reading, notes: Sequence[Note], language: str, form_titles: Mapping[str, str], sees_small_cells: bool
) -> tuple[list[dict[str, Any]], int]:
    """The visits behind the figures, of each once, without who was met, for the document goes to many; and how many
    were left off."""
    rows: list[dict[str, Any]] = []
    left_off, told = 0, set()
    for note in notes:
        figure = note.figure
        which = figure.definition.name, figure.period.text, figure.place, tuple(figure.by.items())
        if which in told:
            continue
        told.add(which)
        try:
            found = evidence(
                reading,
                figure.definition.name,
                period=figure.period.text,
                place=figure.place,
                cells=figure.by,
                limit=min(_OF_ONE, _IN_ALL - len(rows)) or 1,
                sees_small_cells=sees_small_cells,
            )
        except Forbidden:
            continue
        taken = found.rows[: _IN_ALL - len(rows)]
        left_off += found.count - len(taken)
        rows += [_row(reading, note, one, language, form_titles) for one in taken]
    return rows, left_off


def _row(
    reading: Reading, note: Note, one: Mapping[str, Any], language: str, form_titles: Mapping[str, str]
) -> dict[str, Any]:
    places, ways = reading.tree.places, reading.breakings(note.figure.definition)
    cells = [_cell(ways[name], key, language) if name in ways else str(key) for name, key in one["by"].items() if key]
    return {
        "number": note.number,
        "figure": clean(note.label),
        "date": date_words(dt.date.fromisoformat(one["date"]), language),
        "form": clean(form_titles.get(one["form"], one["form"] or "")),
        "place": clean(places[one["place"]].name if one["place"] in places else one["place"] or ""),
        "breakdown": clean(", ".join(cells)),
        "value": _amount(one["value"], language),
        "counted": _amount(one["counted"], language),
    }


def _cell(way: Any, key: Any, language: str) -> str:
    return ", ".join(way.label_of(one, language) or one for one in ([key] if isinstance(key, str) else key))


def _amount(value: Any, language: str) -> str:
    if value is None:
        return GAP
    if isinstance(value, str):
        return clean(value)
    return number_words(value, language, 0 if isinstance(value, int) else 2)
