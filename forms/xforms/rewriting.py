"""Changes to an XForm that its author did not write: another version, and the key that its answers are locked with."""

from __future__ import annotations

import base64
import hashlib
import re

from lxml import etree

from forms.findings import Faulty, Finding
from forms.xforms.xml import parser

_XF = "{http://www.w3.org/2002/xforms}"
_MODEL = f".//{_XF}model"
_KEY = "base64RsaPublicKey"
_MARK = re.compile(r"\[encrypted:[A-Za-z0-9_-]{8}\]\Z")


def public_key_of(xform: bytes) -> str | None:
    """The key with which clients encrypt what is filled in; None for a form that is not encrypted."""
    if _KEY.encode() not in xform:
        return None
    submission = _model(etree.fromstring(xform, parser())).find(f"{_XF}submission")
    return submission.get(_KEY) if submission is not None else None


def submission_address(xform: bytes) -> str | None:
    """Where clients send what is filled in, if the form says so: then not to the server that they have it from."""
    if b"action" not in xform:
        return None
    submission = _model(etree.fromstring(xform, parser())).find(f"{_XF}submission")
    return (submission.get("action") or "").strip() or None if submission is not None else None


def with_version(xform: bytes, version: str) -> bytes:
    """The same form under another version."""
    document = etree.fromstring(xform, parser())
    _primary(document).set("version", version)
    return _written(document)


def encrypted_with(xform: bytes, public_key: str) -> bytes:
    """The form as clients are to encrypt it. Its version is another: a record begun in the open one stays open."""
    document = etree.fromstring(xform, parser())
    primary = _primary(document)
    primary.set("version", encrypted_version(primary.get("version", ""), public_key))
    model = _model(document)
    submission = model.find(f"{_XF}submission")
    if submission is None:
        submission = etree.SubElement(model, f"{_XF}submission")
    submission.set(_KEY, public_key)
    return _written(document)


def opened_again(xform: bytes) -> bytes:
    """What `encrypted_with` was given: the form without a key, under the version that its author wrote."""
    document = etree.fromstring(xform, parser())
    primary = _primary(document)
    primary.set("version", open_version(primary.get("version", "")))
    submission = _model(document).find(f"{_XF}submission")
    if submission is not None and _KEY in submission.attrib:
        del submission.attrib[_KEY]
    return _written(document)


def encrypted_version(version: str, public_key: str) -> str:
    """`3[encrypted:Xb2…]`, the same for the same version and key, so that publishing twice is publishing once."""
    mark = hashlib.sha256(f"{public_key}\0{version}".encode()).digest()[:6]
    return f"{version}[encrypted:{base64.urlsafe_b64encode(mark).decode()}]"


def open_version(version: str) -> str:
    """The version as its author wrote it."""
    return _MARK.sub("", version)


def _model(document: etree._Element) -> etree._Element:
    model = document.find(_MODEL)
    if model is None:
        raise Faulty([Finding("This is not an XForm: it has no model.")])
    return model


def _primary(document: etree._Element) -> etree._Element:
    instance = _model(document).find(f"{_XF}instance")
    if instance is None or len(instance) == 0:
        raise Faulty([Finding("This is not an XForm: it has no model with an instance.")])
    return instance[0]


def _written(document: etree._Element) -> bytes:
    return etree.tostring(document, xml_declaration=True, encoding="utf-8")
