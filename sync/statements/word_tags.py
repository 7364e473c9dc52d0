"""What may stand in a Word template: its parts, its links, its tags. All is checked before it is ever filled in."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from forms.archive import MEGABYTE, Limits, unpack
from forms.findings import Faulty, Finding
from forms.spelling import did_you_mean
from sync.statements.templates import StatementEnvironment, check_source

LIMITS = Limits(members=500, unpacked=20 * MEGABYTE, ratio=200)
MOST_BYTES = 4 * MEGABYTE
# Of one part with text in it: what fills it in works through it many times over.
_LONGEST_PART = MEGABYTE
_LONGEST_TAG = 300

# Whole paragraphs: they take the place of the one in which they stand.
BLOCKS = ("text", "notes")
LISTS = ("figures", "evidence")
VALUES = (
    "title",
    "statement",
    "project",
    "period",
    "place",
    "as_of",
    "event",
    "issue",
    "issued",
    "left_off",
    *LISTS,
    *BLOCKS,
)
_KEYWORDS = ("for", "endfor", "if", "elif", "else", "endif")

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_STORY = re.compile(r"word/(document|(glossary/)?(header\d*|footer\d*|footnotes))\.xml")
# Parts in which tags are filled in are known by what they are said to be, not by their names.
_STORY_KIND = re.compile(r"officeDocument|header|footer|footnotes")
_CONTENT = "{http://schemas.openxmlformats.org/package/2006/content-types}"
_BODY = "word/document.xml"
_BEGINS = re.compile(r"\{[{%#]")
_TAG = re.compile(rf"\{{\{{(?P<value>.{{0,{_LONGEST_TAG}}}?)\}}\}}|\{{%(?P<act>.{{0,{_LONGEST_TAG}}}?)%\}}", re.DOTALL)
_PREFIX = re.compile(r"(p|tr|tc|r) ")
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'"})
# What can run, or holds another document that nobody looks into.
_UNWANTED = re.compile(r"vbaProject|activeX|/embeddings/|customUI|\.(bin|exe|js|vbs)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tag:
    """`{{ title }}` or `{% for … %}`: with the part and the paragraph (from 1) in which it stands."""

    place: str
    paragraph: int
    written: str  # without what says that a paragraph or row goes with it
    prefix: str
    is_value: bool

    @property
    def expression(self) -> str:
        """As it is without its prefix, by which alone Word's paragraphs and rows differ from any other text."""
        return f"{{{{ {self.written} }}}}" if self.is_value else f"{{% {self.written} %}}"


def check_document(data: bytes, environment: StatementEnvironment) -> list[Finding]:
    """Everything that is wrong with a template, each with the part and paragraph in which it is."""
    try:
        members = unpack(data, "", LIMITS)
    except Faulty as faulty:
        return faulty.findings
    if _BODY not in members or "[Content_Types].xml" not in members:
        return [Finding("This is not a Word document.", "Save it as .docx, and choose that file.")]
    findings = [*_unwanted(members)]
    if findings:
        return findings
    tags, findings = _tags(members)
    return findings or [*_faults(tags), *_unknown(tags, environment)]


def named_in(data: bytes) -> frozenset[str]:
    """The words in the tags of a template that was checked: what none of them names need not be found out."""
    tags, _ = _tags(unpack(data, "", LIMITS))
    return frozenset(word for tag in tags for word in re.findall(r"\w+", tag.written))


def _unwanted(members: Mapping[str, bytes]) -> Iterator[Finding]:
    for name, content in members.items():
        if _UNWANTED.search(name):
            yield Finding("The document holds a macro or another document.", "Take it out, and save it as .docx.", name)
        elif name.endswith((".xml", ".rels")):
            yield from _unwanted_in(name, content)


def _unwanted_in(name: str, content: bytes) -> Iterator[Finding]:
    if _STORY.fullmatch(name) and len(content) > _LONGEST_PART:
        yield Finding("This part of the document is too long for a template.", "Keep to a few pages.", name)
        return
    try:
        root = _read(content)
    except etree.XMLSyntaxError:
        yield Finding("This part of the document cannot be read.", "Save it again with Word.", name)
        return
    if root.getroottree().docinfo.internalDTD is not None:
        yield Finding("This part of the document defines words of its own.", "Save it again with Word.", name)
    for relation in root.iter(_RELATION):
        kind = relation.get("Type", "").rpartition("/")[2]
        if relation.get("TargetMode") == "External" and kind != "hyperlink":
            yield Finding(
                f"The document fetches something from elsewhere ({kind}).",
                "Put pictures into the document itself.",
                name,
            )
    yield from (
        Finding(
            f"‘{part}’ is a part with text in it that is not where Word keeps it.", "Save it again with Word.", name
        )
        for part in _stories_in(name, root)
        if not _STORY.fullmatch(part)
    )


def _stories_in(name: str, root: etree._Element) -> Iterator[str]:
    """The parts that are said here to hold text: by the relations of another part, or by the list of all parts."""
    folder = posixpath.dirname(posixpath.dirname(name))
    for relation in root.iter(_RELATION):
        if _STORY_KIND.fullmatch(relation.get("Type", "").rpartition("/")[2]):
            yield posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
    for element in root.iter(f"{_CONTENT}Override", f"{_CONTENT}Default"):
        if element.get("ContentType", "").strip().lower().endswith(("header+xml", "footer+xml", "footnotes+xml")):
            yield element.get("PartName", "*").lstrip("/")


def _tags(members: Mapping[str, bytes]) -> tuple[list[Tag], list[Finding]]:
    tags: list[Tag] = []
    findings: list[Finding] = []
    for name in sorted(name for name in members if _STORY.fullmatch(name)):
        root = _read(members[name])
        place = name.removeprefix("word/").removesuffix(".xml")
        for number, text in enumerate(_paragraphs(root), start=1):
            found = list(_TAG.finditer(text))
            here = [_tag(place, number, one) for one in found]
            tags += here
            left = _TAG.sub("", text)
            whole = [tag for tag in here if tag.prefix == "p"]
            if whole and (len(here) > 1 or left.strip()):
                findings.append(
                    _finding(
                        whole[0],
                        f"‘{whole[0].expression}’ stands beside something else.",
                        "Give it a paragraph of its own.",
                    )
                )
            begun = _BEGINS.search(left)
            if begun is not None:
                findings.append(
                    Finding(
                        f"‘{left[begun.start() : begun.start() + 30]}’ begins a tag that does not end.",
                        "A tag ends in its own paragraph, with }} or %}.",
                        place,
                        row=number,
                    )
                )
            elif left.endswith("{"):
                findings.append(Finding("A brace stands alone at the end.", "Take it out.", place, row=number))
        if _elsewhere(root):
            findings.append(Finding("A tag stands outside the text.", "Write tags into paragraphs only.", place))
    return tags, findings


def _tag(place: str, number: int, found: re.Match[str]) -> Tag:
    is_value = found["value"] is not None
    written = (found["value"] if is_value else found["act"]).translate(_QUOTES)
    prefix = _PREFIX.match(written)
    return Tag(
        place, number, (written[prefix.end() :] if prefix else written).strip(), prefix[1] if prefix else "", is_value
    )


def _faults(tags: Iterable[Tag]) -> Iterator[Finding]:
    """Tags that stand where they cannot, or say what they cannot."""
    for tag in tags:
        called, keyword = tag.expression, tag.written.partition(" ")[0]
        words = re.findall(r"\w+", tag.written)
        if tag.written.startswith(("-", "+")) or tag.written.endswith(("-", "+")):
            yield _finding(tag, f"‘{called}’ has a sign at its edge.", "Take the - or + away.")
        elif tag.is_value and tag.written in BLOCKS and tag.prefix != "p":
            remedy = f"Write {{{{p {tag.written} }}}}, alone in its paragraph."
            yield _finding(tag, f"‘{called}’ is more than one paragraph.", remedy)
        elif tag.written not in BLOCKS and any(name in words for name in BLOCKS):
            remedy = "They can only be put in: {{p text }}."
            yield _finding(tag, f"‘{called}’ does something with whole paragraphs.", remedy)
        elif tag.is_value and tag.written in LISTS:
            remedy = f"Go through it: {{%tr for one in {tag.written} %}} … {{%tr endfor %}}."
            yield _finding(tag, f"‘{called}’ is a list.", remedy)
        elif tag.is_value and tag.prefix and tag.written not in BLOCKS:
            yield _finding(tag, f"‘{called}’ is a word, not a paragraph.", f"Write {{{{ {tag.written} }}}}.")
        elif not tag.is_value and keyword not in _KEYWORDS:
            yield _finding(tag, f"‘{called}’ has no place in a template.", did_you_mean(keyword, _KEYWORDS))
        elif not tag.is_value and tag.prefix not in ("", "p", "tr"):
            yield _finding(tag, f"‘{called}’ is for a paragraph or a row.", "Begin it with {%p or {%tr.")


def _finding(tag: Tag, fault: str, remedy: str) -> Finding:
    return Finding(fault, remedy, tag.place, row=tag.paragraph)


def _unknown(tags: Iterable[Tag], environment: StatementEnvironment) -> Iterator[Finding]:
    """What the tags of each part say, as one text with a line for each paragraph: names, blocks that do not end."""
    texts: dict[str, dict[int, str]] = {}
    for tag in tags:
        lines = texts.setdefault(tag.place, {})
        lines[tag.paragraph] = lines.get(tag.paragraph, "") + tag.expression.replace("\n", " ")
    for place, lines in texts.items():
        source = "\n".join(lines.get(number, "") for number in range(1, max(lines) + 1))
        yield from check_source(environment, source, VALUES, _no_calls, place, lambda name: f"‘{name}’ is not a tag.")


def _no_calls(name: str, _asked: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield f"‘{name}’ takes nothing in brackets.", f"Write {{{{ {name} }}}}."


def _paragraphs(root: etree._Element) -> Iterator[str]:
    """The text of each paragraph, without that of paragraphs inside it (text boxes), which come by themselves."""
    for paragraph in root.iter(f"{_W}p"):
        yield "".join(
            text.text or "" for text in paragraph.iter(f"{_W}t") if next(text.iterancestors(f"{_W}p")) is paragraph
        )


def _elsewhere(root: etree._Element) -> bool:
    """Whether something that could be taken for a tag stands in an attribute, in a field's code, or around it all."""
    for element in (*root.iter(), *root.itersiblings(), *root.itersiblings(preceding=True)):
        texts = [*element.attrib.values(), element.tail or ""]
        if element.tag != f"{_W}t":
            texts.append(element.text or "")
        if any(_BEGINS.search(text) for text in texts):
            return True
    return False


def _read(content: bytes) -> etree._Element:
    return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
