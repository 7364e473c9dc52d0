"""A written statement as HTML, Markdown, a Word document, or paragraphs for other programs."""

from __future__ import annotations

import datetime as dt
import html
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mistune

from sync.statements.marks import MARK, Mark

if TYPE_CHECKING:
    from docx.text.paragraph import Paragraph
    from docx.text.run import Run as WordRun

_SIGNS = re.compile(r"[\\`*_\[\]<>#|~&]")
_MARKUP = re.compile(rf"({_SIGNS.pattern})|^([-+]|[0-9]+(?=[.)]))")
_HEADING = re.compile(r"\s*#{1,6} [^\n]*")
_STARTS = ("http://", "https://", "mailto:")

# Where a mark with a figure leads to.
Link = Callable[[Mark], str]


@dataclass(frozen=True, slots=True)
class Run:
    """Text of one look; `mark` if it stands for a figure or for data, with its position among the marks."""

    text: str
    bold: bool = False
    italic: bool = False
    mark: Mark | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A heading of a level, a paragraph, or an item of a list (`bullet`, `number`)."""

    kind: str
    runs: tuple[Run, ...]
    level: int = 1


def as_paragraphs(blocks: Iterable[Block], figure_json: Callable[[Mark], dict[str, Any]]) -> list[list[Any]]:
    """Each block as texts and figures in their order; headings and items of lists are paragraphs too."""
    found = []
    for block in blocks:
        pieces: list[Any] = []
        for run in block.runs:
            if run.mark is not None and run.mark.figure is not None:
                pieces.append(figure_json(run.mark))
            elif pieces and isinstance(pieces[-1], str):
                pieces[-1] += run.text
            else:
                pieces.append(run.text)
        found.append(pieces)
    return found


def as_html(text: str, marks: Sequence[Mark], link: Link, notes: Mapping[int, int] | None) -> str:
    """Headings, paragraphs and lists; each figure a link to its evidence. Everything else is escaped.

    `notes` are the numbers of the notes of marks, which stand beside them for whoever reads on paper.
    """
    markdown = mistune.create_markdown(escape=True, renderer=_Renderer(escape=True))

    def shown(found: re.Match[str]) -> str:
        position = int(found[1])
        number = (notes or {}).get(position)
        sign = "" if number is None else f'<sup class="printed">{number}</sup>'
        return f"{_anchor(marks[position], link)}{sign}"

    return MARK.sub(shown, str(markdown(text)))


def as_markdown(text: str, marks: Sequence[Mark]) -> str:
    """With the figures as the language writes them."""
    return MARK.sub(lambda found: _escaped(marks[int(found[1])]), text)


def as_docx(
    blocks: Iterable[Block],
    title: str,
    *,
    author: str,
    at: dt.datetime | None,
    language: str,
    link: Link | None,
    notes: Mapping[int, int] | None,
) -> bytes:
    """A Word document with headings and lists in Word's own styles. Given `link`, each figure leads to what it says;
    `notes` are the numbers of the notes of marks, which stand beside them."""
    import docx  # noqa: PLC0415 — 0.2 s that a server need not wait for when it starts

    document = docx.Document()
    known = document.core_properties
    known.title, known.author, known.comments, known.language = title, author, "", language
    known.last_modified_by = author
    if at is not None:
        known.created = known.modified = at
    for block in blocks:
        paragraph = document.add_paragraph(style=style_of(block))
        for run in block.runs:
            address = link(run.mark) if link and run.mark is not None and run.mark.figure is not None else ""
            written = _linked(paragraph, address, run.text) if address else paragraph.add_run(run.text)
            written.bold, written.italic = run.bold or None, run.italic or None
            if run.position is not None and run.position in (notes or {}):
                paragraph.add_run(str((notes or {})[run.position])).font.superscript = True
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _linked(paragraph: Paragraph, address: str, text: str) -> WordRun:
    """A run that leads somewhere: what the library reads, and does not write."""
    from docx.opc.constants import RELATIONSHIP_TYPE  # noqa: PLC0415 — as docx
    from docx.oxml import OxmlElement  # noqa: PLC0415
    from docx.oxml.ns import qn  # noqa: PLC0415

    run = paragraph.add_run(text)
    run.font.underline = True
    around = OxmlElement("w:hyperlink")
    around.set(qn("r:id"), paragraph.part.relate_to(address, RELATIONSHIP_TYPE.HYPERLINK, is_external=True))
    run._r.addprevious(around)
    around.append(run._r)
    return run


def blocks_of(text: str, marks: Sequence[Mark]) -> list[Block]:
    """The Markdown text as a row of blocks."""
    tokens = mistune.create_markdown(renderer=None)(text)
    return list(_blocks(tokens, marks)) if isinstance(tokens, list) else []


def heading_of(blocks: Iterable[Block]) -> str:
    """The first heading, as it reads; empty where there is none."""
    return next(("".join(run.text for run in block.runs) for block in blocks if block.kind == "heading"), "")


class _Renderer(mistune.HTMLRenderer):
    """Without images, and with links only to where a reader may be sent."""

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return text

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if not url.startswith(_STARTS):
            return text
        return f'<a href="{html.escape(url)}" rel="noopener noreferrer">{text}</a>'


def _anchor(mark: Mark, link: Link) -> str:
    words = html.escape(mark.words)
    if mark.figure is None:
        return words
    return f'<a class="figure" href="{html.escape(link(mark))}">{words}</a>'


def _escaped(mark: Mark) -> str:
    """Data is not markup, whatever it looks like; nor is a noun beside a number."""
    if mark.figure is not None and mark.figure.items is None:
        return _SIGNS.sub(r"\\\g<0>", mark.words)
    return escaped(mark.words)


def escaped(words: str) -> str:
    """Words as Markdown that reads like them, whatever they look like."""
    return _MARKUP.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", words)


def beneath_heading(text: str, line: str) -> str:
    """The Markdown text with a paragraph of these words beneath its first heading, or before all where none comes
    first."""
    heading = _HEADING.match(text)
    at = heading.end() if heading else 0
    return "\n\n".join(part for part in (text[:at].rstrip(), escaped(line), text[at:].lstrip("\n")) if part)


def style_of(block: Block) -> str:
    """What Word calls the style of such a paragraph, in every language."""
    match block.kind:
        case "heading":
            return f"Heading {min(block.level, 9)}"
        case "bullet":
            return "List Bullet" if block.level == 1 else f"List Bullet {min(block.level, 3)}"
        case "number":
            return "List Number" if block.level == 1 else f"List Number {min(block.level, 3)}"
        case _:
            return "Normal"


def _blocks(tokens: Sequence[Any], marks: Sequence[Mark], kind: str = "paragraph", level: int = 1) -> Iterator[Block]:
    for token in tokens:
        match token["type"]:
            case "heading":
                yield Block("heading", tuple(_runs(token["children"], marks)), token["attrs"]["level"])
            case "paragraph" | "block_text":
                yield Block(kind, tuple(_runs(token["children"], marks)), level)
            case "list":
                ordered = "number" if token["attrs"]["ordered"] else "bullet"
                for item in token["children"]:
                    yield from _blocks(item["children"], marks, ordered, token["attrs"]["depth"] + 1)
            case "block_quote":
                yield from _blocks(token["children"], marks, kind, level)
            case "block_code" | "block_html":
                yield Block(kind, tuple(_split(token["raw"].strip(), marks, False, False)), level)
            case _:
                pass


def _runs(tokens: Sequence[Any], marks: Sequence[Mark], bold: bool = False, italic: bool = False) -> Iterator[Run]:
    for token in tokens:
        match token["type"]:
            case "strong":
                yield from _runs(token["children"], marks, True, italic)
            case "emphasis":
                yield from _runs(token["children"], marks, bold, True)
            case "softbreak" | "linebreak":
                yield Run(" ", bold, italic)
            case _ if "children" in token:
                yield from _runs(token["children"], marks, bold, italic)
            case _:
                yield from _split(token.get("raw", ""), marks, bold, italic)


def _split(text: str, marks: Sequence[Mark], bold: bool, italic: bool) -> Iterator[Run]:
    for position, piece in enumerate(MARK.split(text)):
        if position % 2:
            mark = marks[int(piece)]
            yield Run(mark.words, bold, italic, mark, int(piece))
        elif piece:
            yield Run(piece, bold, italic)
