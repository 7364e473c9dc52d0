"""XML from strangers: read without entities, network, comments or surprises."""

from __future__ import annotations

from lxml import etree

_OPTIONS = {
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
    "strip_cdata": True,
}


def parser() -> etree.XMLParser:
    """A new one each time: a parser that threads share makes them wait for each other."""
    return etree.XMLParser(**_OPTIONS)  # type: ignore[arg-type]


def local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def strip_namespaces(root: etree._Element) -> None:
    """Leaves local names only, on elements and attributes."""
    for element in root.iter():
        if "}" in element.tag:
            element.tag = local_name(element.tag)
        for name in [str(name) for name in element.attrib if "}" in str(name)]:
            value = element.attrib.pop(name)
            if element.get(local_name(name)) is None:
                element.set(local_name(name), value)
    etree.cleanup_namespaces(root)
