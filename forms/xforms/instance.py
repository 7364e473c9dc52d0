"""An instance as a device sent it: read within limits, hashed, values whole."""

from __future__ import annotations

import codecs
import hashlib
import re
import threading
from collections.abc import Iterable
from dataclasses import field
from functools import lru_cache

from lxml import etree

from forms.findings import Faulty, Finding
from forms.records import record
from forms.xforms.xml import local_name

MAX_BYTES = 10 * 1024 * 1024
MAX_ELEMENTS = 20_000
MAX_DEPTH = 60
MAX_ATTRIBUTES = 500  # of one element; libxml2 sorts them in the square of the time

_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z][\w.-]{0,40})["']""")
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
# Prefixes that something uses, and a namespace for what has none. A text that looks like one costs a look in vain.
_PREFIX = re.compile(rb""":(?<!\sxmlns:)[^\s:<>"'=/]+[\s=>/]""")
_DEFAULT = re.compile(rb"xmlns\s*=")
_IN_META = frozenset({"instanceID", "deprecatedID", "instanceName"})
# Encodings that real clients declare; what else Python knows by that name is no encoding of texts, or a trap.
_ENCODING = re.compile(
    r"ascii|utf-(8|16|32)(-[lb]e)?|iso8859-\d+|cp(125\d|437|85\d)|mac-roman|koi8-r|gb18030|gbk|big5|shift_jis|euc_(jp|kr)"
)


@record
class Instance:
    """One filled form. `root`'s tags are local names without namespaces; there are no comments or processing
    instructions. Whoever changes it copies it.

    `sha256` is of the bytes as received, `canonical_sha256` of the content (hex both): white space between elements,
    prefixes, the order of attributes and the encoding make no difference to the latter. Both are worked out when asked
    for. `derived` keeps what other modules work out once per instance.
    """

    root: etree._Element
    form_id: str
    version: str
    instance_id: str | None
    deprecated_id: str | None
    instance_name: str | None
    encrypted: bool
    raw: bytes
    derived: dict[str, object] = field(default_factory=dict, compare=False, repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def canonical_sha256(self) -> str:
        return hashlib.sha256(etree.tostring(self.root, method="c14n", exclusive=True)).hexdigest()


def read_instance(raw: bytes) -> Instance:
    """Raises Faulty, and nothing else, for whatever is not a readable instance."""
    document = _utf8(raw)
    root = _parse(document)
    if _PREFIX.search(document) or _DEFAULT.search(document):
        _strip(root)
    if b"xmlns" in document:
        # Also those that nothing uses: with some, such as relative ones, there is no canonical form.
        etree.cleanup_namespaces(root)
    meta = _named_in(next(root.iterchildren("meta"), ()))
    return Instance(
        root=root,
        form_id=root.get("id", "").strip(),
        version=root.get("version", ""),
        instance_id=meta.get("instanceID") or root.get("instanceID", "").strip() or None,
        deprecated_id=meta.get("deprecatedID"),
        instance_name=meta.get("instanceName"),
        encrypted=root.get("encrypted") in ("yes", "true"),
        raw=raw,
    )


def _utf8(raw: bytes) -> bytes:
    """The document in UTF-8, within limits that can be told before it is parsed."""
    if len(raw) > MAX_BYTES:
        raise _unreadable(f"It is larger than {MAX_BYTES // 1024 // 1024} MB.")
    encoding = _encoding(raw[:300].partition(b">")[0])
    if encoding not in ("utf-8", "ascii"):
        try:
            raw = _DECLARATION.sub("", raw.decode(encoding).removeprefix("\ufeff"), count=1).encode()
        except (UnicodeError, LookupError) as error:
            raise _unreadable(f"It is not in {encoding}, which it says it is in.") from error
    if b"\0" in raw:
        raise _unreadable("It holds NUL characters.")
    if _many(raw, b"<", 4 * MAX_ELEMENTS):
        raise _too_many()
    if b"<!DOCTYPE" in raw and _begins_with_doctype(raw):
        raise _doctype()
    return raw


def _many(document: bytes, mark: bytes, most: int) -> bool:
    """Whether the mark is there more than so many times. To split is to jump from one to the next, to count is to look
    at each byte."""
    return len(document) > most and len(document.split(mark, most + 1)) > most + 1


@lru_cache(maxsize=64)
def _encoding(beginning: bytes) -> str:
    """Of a document that begins so; the same few declarations come again and again."""
    for mark, encoding in _BOMS:
        if beginning.startswith(mark):
            return encoding
    found = _DECLARED.match(beginning.lstrip())
    name = found[1].decode() if found else "utf-8"
    try:
        known = codecs.lookup(name).name
    except LookupError:
        known = ""
    if not _ENCODING.fullmatch(known):
        raise _unreadable(f"Its encoding ‘{name}’ is not known.")
    return known


def _begins_with_doctype(raw: bytes) -> bool:
    """Looks past the declaration, comments and processing instructions that may stand before a DOCTYPE."""
    position = 3 if raw.startswith(codecs.BOM_UTF8) else 0
    while True:
        while raw[position : position + 1].isspace():
            position += 1
        if raw.startswith(b"<?", position):
            end = raw.find(b"?>", position)
        elif raw.startswith(b"<!--", position):
            end = raw.find(b"-->", position) + 1
        else:
            return raw.startswith(b"<!DOCTYPE", position)
        if end <= 0:
            return False
        position = end + 2


def _parse(document: bytes) -> etree._Element:
    try:
        root = etree.fromstring(document, _own.parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        said = getattr(error, "msg", None) or error  # without what it calls the file
        raise _unreadable(f"The filled form is not readable XML; it may be cut short or damaged: {said}.") from error
    if b"<!DOCTYPE" in document and root.getroottree().docinfo.doctype:  # type: ignore[union-attr]
        raise _doctype()
    if _many(document, b"<", MAX_ELEMENTS) and _TOO_MANY(root):
        raise _too_many()
    if _many(document, b"=", MAX_ATTRIBUTES) and _TOO_WIDE(root):
        raise _unreadable(f"One of its elements has more than {MAX_ATTRIBUTES} attributes.")
    if document.count(b"</") >= MAX_DEPTH and _TOO_DEEP(root):
        raise _unreadable(f"Its elements are nested more than {MAX_DEPTH} deep.")
    return root


class _Own(threading.local):
    """A parser for each thread: threads that share one wait for each other, and a new one for each text costs as much
    as the parsing."""

    def __init__(self) -> None:
        self.parser = etree.XMLParser(
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
            remove_blank_text=True,
        )


_own = _Own()
# Single steps in libxml2 instead of walks in Python.
_TOO_DEEP = etree.XPath("boolean(" + "/*" * (MAX_DEPTH + 1) + ")", regexp=False, smart_strings=False)
_TOO_MANY = etree.XPath(f"count(//*) > {MAX_ELEMENTS}", regexp=False, smart_strings=False)
_TOO_WIDE = etree.XPath(f"boolean(//*[count(@*) > {MAX_ATTRIBUTES}])", regexp=False, smart_strings=False)
_NAMED = etree.XPath("//*[namespace-uri()]", regexp=False, smart_strings=False)
_MARKED = etree.XPath("//@*[namespace-uri()]/..", regexp=False, smart_strings=False)


def _strip(root: etree._Element) -> None:
    """Takes the namespaces off elements and attributes."""
    named: list[etree._Element] = _NAMED(root)  # type: ignore[assignment]
    for element in named:
        element.tag = local_name(element.tag)
    marked: list[etree._Element] = _MARKED(root)  # type: ignore[assignment]
    for element in marked:
        for name in map(str, list(element.attrib)):
            if name[0] == "{":
                value = element.attrib.pop(name)
                if element.get(local_name(name)) is None:
                    element.set(local_name(name), value)


def _named_in(meta: Iterable[etree._Element]) -> dict[str, str]:
    """What the instance is called, as far as it says so; of several of one tag the first counts."""
    found: dict[str, str] = {}
    for element in meta:
        if element.tag in _IN_META:
            text = element.text if len(element) == 0 else "".join(map(str, element.itertext()))
            found.setdefault(str(element.tag), (text or "").strip())
    return {name: text for name, text in found.items() if text}


def _unreadable(fault: str) -> Faulty:
    return Faulty([Finding(fault)])


def _too_many() -> Faulty:
    return _unreadable(f"It has more than {MAX_ELEMENTS} elements.")


def _doctype() -> Faulty:
    return _unreadable("It has a DOCTYPE, which no instance needs and which is not taken.")
