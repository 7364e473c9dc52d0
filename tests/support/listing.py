"""Form lists and manifests read by the rules of ODK Collect, which takes the whole document or none of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from lxml import etree
from werkzeug.test import TestResponse

FORMS = "{http://openrosa.org/xforms/xformsList}"
FILES = "{http://openrosa.org/xforms/xformsManifest}"

Get = Callable[..., TestResponse]


@dataclass(frozen=True)
class ListedForm:
    """A form that may be downloaded."""

    form_id: str
    name: str
    version: str
    hash: str
    url: str
    manifest: str | None


@dataclass(frozen=True)
class ListedFile:
    """A file beside a form. `type` is entityList, approvalEntityList or None."""

    name: str
    hash: str
    url: str
    integrity: str | None
    type: str | None


def read_form_list(answer: TestResponse) -> list[ListedForm]:
    """Fails on whatever makes Collect say that this is no OpenRosa server, or drop the list."""
    root = _document(answer, f"{FORMS}xforms")
    found = []
    for item in root:
        assert item.tag == f"{FORMS}xform"
        parts = _parts(item, FORMS)
        assert all(parts.get(name) for name in ("formID", "name", "downloadUrl", "hash")), parts
        assert parts["hash"].startswith("md5:")
        found.append(
            ListedForm(
                parts["formID"],
                parts["name"],
                parts.get("version", ""),
                parts["hash"],
                _path(parts["downloadUrl"]),
                _path(parts["manifestUrl"]) if "manifestUrl" in parts else None,
            )
        )
    return found


def read_manifest(answer: TestResponse) -> list[ListedFile]:
    """Fails where a name, hash or address is missing: the form would not be downloaded at all."""
    root = _document(answer, f"{FILES}manifest")
    found = []
    for item in root:
        assert item.tag == f"{FILES}mediaFile"
        assert item.get("type") in (None, "entityList", "approvalEntityList")
        parts = _parts(item, FILES)
        assert all(parts.get(name) for name in ("filename", "hash", "downloadUrl")), parts
        assert parts["hash"].startswith("md5:")
        integrity = parts.get("integrityUrl")
        found.append(
            ListedFile(
                parts["filename"],
                parts["hash"],
                _path(parts["downloadUrl"]),
                _path(integrity) if integrity else None,
                item.get("type"),
            )
        )
    return found


def md5(content: bytes) -> str:
    """As both documents write it."""
    return f"md5:{hashlib.md5(content).hexdigest()}"


def _document(answer: TestResponse, root_name: str) -> etree._Element:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.headers["X-OpenRosa-Version"] == "1.0"
    assert "text/xml" in answer.headers["Content-Type"]
    assert int(answer.headers["X-OpenRosa-Accept-Content-Length"]) > 0
    assert answer.headers["Content-Language"]
    root = etree.fromstring(answer.get_data())
    assert root.tag == root_name
    return root


def _parts(item: etree._Element, namespace: str) -> dict[str, str]:
    assert all(str(child.tag).startswith(namespace) for child in item)
    return {str(child.tag).removeprefix(namespace): child.text or "" for child in item}


def _path(url: str) -> str:
    """Addresses have to be absolute; the test client asks by path."""
    parts = urlsplit(url)
    assert parts.scheme in ("http", "https")
    assert parts.netloc
    return parts.path
