"""One item of a batch as the wire has it, read into what the rest of the intake works with."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from forms.records import record
from forms.xpath.numbers import LARGEST

SHA256 = re.compile(r"[0-9a-f]{64}")
DEEPEST = 60  # of an item as JSON, as of an instance's elements
LONGEST_ID = 1000  # bytes in UTF-8: two such have to fit into one row of an index on PostgreSQL
_ENCODING = re.compile(r"""\A(\ufeff?\s*<\?xml[^>]{0,200}?)\s+encoding\s*=\s*["']([^"'>]{0,100})["']""")
# Ids made from content must come out the same for ever: never change this.
_NAMESPACE = uuid.UUID("8f0c2f36-5a7b-5e0e-8d57-0d6d7a3c6a11")


def _require_storable(text: str) -> None:
    if storable(text) != text:
        raise ValidationError("It holds NUL, or half of a character (a lone surrogate).")


def _require_short(text: str) -> None:
    if shortened(text) != text:
        raise ValidationError(f"Longer than {LONGEST_ID} bytes.")


_TEXT = validate.And(validate.Length(max=1000), _require_storable)
_NAME = validate.And(validate.Length(min=1, max=1000), _require_storable, _require_short)


class AttachmentSchema(Schema):
    """What a device says of a file before it sends it."""

    class Meta:
        unknown = RAISE

    name = fields.String(required=True, validate=_NAME)
    sha256 = fields.String(
        required=True,
        validate=validate.Regexp(rf"{SHA256.pattern}\Z", error="Not a SHA-256 in 64 small hexadecimal digits."),
    )
    size = fields.Integer(strict=True, validate=validate.Range(min=0, max=2**53))
    type = fields.String(validate=_TEXT)


class ItemSchema(Schema):
    """One item. It has either `xml` or `answers`; what the XML says itself may be left out beside it."""

    class Meta:
        unknown = RAISE

    instance_id = fields.String(validate=_NAME)
    form = fields.String(validate=_TEXT)
    version = fields.String(validate=_TEXT)
    xml = fields.String()
    answers = fields.Dict(keys=fields.String())
    recorded_at = fields.AwareDateTime(default_timezone=dt.UTC, validate=lambda moment: _require_a_real_time(moment))
    edits = fields.String(validate=validate.And(_TEXT, _require_short))
    attachments = fields.List(fields.Nested(AttachmentSchema), validate=validate.Length(max=1000))


def _require_a_real_time(moment: dt.datetime) -> None:
    if not 1970 <= moment.year <= 2200:
        raise ValidationError("Not a time between 1970 and 2200.")


_schema = ItemSchema()
_SHORT_TEXTS = frozenset({"instance_id", "form", "version", "edits"})


@record
class Item:
    """An item that has the right shape. `attachments` are as `AttachmentSchema` describes them."""

    instance_id: str | None
    form: str | None
    version: str | None
    xml: bytes | None
    answers: Mapping[str, Any] | None
    recorded_at: dt.datetime | None
    edits: str | None
    attachments: tuple[Mapping[str, Any], ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)

    def envelope(self) -> dict[str, Any]:
        """The item without its body, as it is kept beside quarantined bytes."""
        return envelope_of(self.raw)


def read_item(raw: Mapping[str, Any]) -> Item:
    """What is null is as good as left out. Raises ValueError with a sentence that names every field that is not as it
    should be."""
    known = _of_short_texts(raw) or _by_the_schema(raw)
    if ("xml" in known) == ("answers" in known):
        raise ValueError("An item has either xml or answers, and not both.")
    xml = known.get("xml")
    try:
        body = _ENCODING.sub(_without_encoding, xml, count=1).encode() if xml is not None else None
    except UnicodeEncodeError as error:
        raise ValueError("xml: it holds half of a character (a lone surrogate).") from error
    return Item(
        instance_id=known.get("instance_id"),
        form=known.get("form"),
        version=known.get("version"),
        xml=body,
        answers=known.get("answers"),
        recorded_at=known.get("recorded_at"),
        edits=known.get("edits") or None,
        attachments=tuple(known.get("attachments", ())),
        raw=raw,
    )


def _of_short_texts(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the schema makes of an item of every day, in a tenth of the time; None for any other."""
    known: dict[str, Any] = {}
    for name, value in raw.items():
        if value is None:
            continue
        if type(value) is not str or not value:
            return None
        if name in _SHORT_TEXTS:
            if len(value) > LONGEST_ID // 4 or not value.isascii() or "\0" in value:
                return None
            known[name] = value
        elif name == "xml":
            known[name] = value
        elif name == "recorded_at":
            try:
                moment = dt.datetime.fromisoformat(value)
                _require_a_real_time(moment)
            except (ValueError, ValidationError):
                return None
            known[name] = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        else:
            return None
    return known


def _by_the_schema(raw: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(_schema.load({name: value for name, value in raw.items() if value is not None}))
    except ValidationError as error:
        raise ValueError(_sentence(error.messages)) from error


def _without_encoding(declaration: re.Match[str]) -> str:
    """A text in JSON has no encoding left: what its XML declaration says of one is about a file that we never saw."""
    return declaration[0] if declaration[2].lower() in ("utf-8", "utf8") else declaration[1]


def envelope_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The item without its body, as it is kept beside quarantined bytes."""
    return {key: storable(value) for key, value in raw.items() if key not in ("xml", "answers")}


def bytes_of(raw: Mapping[str, Any]) -> bytes:
    """What is kept of an item that could not be filed: its XML if it has one, else the item as JSON."""
    xml = raw.get("xml")
    if isinstance(xml, str):
        return xml.encode("utf-8", "surrogatepass")
    return json.dumps(raw, ensure_ascii=True, sort_keys=True, default=str).encode()


def id_from_content(xml: bytes) -> str:
    """An instance id for XML that has none: the same bytes have the same id, so that a resend is recognised."""
    return f"uuid:{uuid.uuid5(_NAMESPACE, hashlib.sha256(xml).hexdigest())}"


def shortened(text: str) -> str:
    """As much of a text as an id or name may be long."""
    return (
        text if len(text) <= LONGEST_ID // 4 else text.encode("utf-8", "replace")[:LONGEST_ID].decode(errors="ignore")
    )


def nested_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects lie in each other more than so many levels deep, however deep that is."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return bool(level)


def storable(value: Any) -> Any:
    """The value with what no database column can hold (NUL, lone surrogates, NaN) replaced by its written form."""
    if isinstance(value, str):
        return value.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {storable(str(key)): storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable(inner) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST else str(value)
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    return str(value)


def _sentence(messages: Any, place: str = "") -> str:
    if isinstance(messages, Mapping):
        inner = (
            _sentence(message, f"{place}.{key}" if place else str(key))
            for key, message in sorted(messages.items(), key=str)
        )
        return " ".join(inner)
    return f"{place}: {' '.join(str(message) for message in messages)}"
