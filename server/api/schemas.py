"""The wire, described: what routes take and give. Schemas never touch the session."""

from __future__ import annotations

import datetime as dt
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from forms.programmes.settings import are_labels

TEXT = validate.Length(max=1000)
# PostgreSQL has no text with it, also none to compare with.
NO_NUL = validate.ContainsNoneOf("\0", error="It holds NUL, or half of a character (a lone surrogate).")
PROJECT_NAME = [validate.Length(min=1, max=200), validate.Regexp(r"\s*\S", error="A name is not blank.")]
KEPT_DAYS = validate.Range(min=7, max=3650)


class Strict(Schema):
    """Unknown keys are refused: a name that was spelt wrong would otherwise be passed over."""

    class Meta:
        unknown = RAISE


def text(**more: Any) -> fields.String:
    """A text of moderate length."""
    return fields.String(**{"validate": [TEXT, NO_NUL]} | more)


class Whole(fields.Integer):
    """A number or id of ours, also as a text of its digits; a fraction is refused, not cut off."""

    def _validated(self, value: Any) -> int:
        if isinstance(value, float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


def _require_labels(given: Any) -> None:
    if not are_labels(given):
        raise ValidationError('Labels are given like {"lists": {"people": {"fr": "Personnes", "en": "People"}}}.')


def moment(**more: Any) -> fields.AwareDateTime:
    """A time, RFC 3339 with an offset."""
    return fields.AwareDateTime(default_timezone=dt.UTC, validate=_require_a_time_in_utc, **more)


def _require_a_time_in_utc(moment: dt.datetime) -> None:
    try:
        moment.astimezone(dt.UTC)
    except OverflowError:
        raise ValidationError("Not a time between the years 1 and 9999 in UTC.") from None


class PageQuery(Strict):
    """A part of a list."""

    limit = fields.Integer(load_default=100, validate=validate.Range(min=1, max=1000))
    offset = fields.Integer(load_default=0, validate=validate.Range(min=0, max=2**53))


class ListQuery(Schema):
    """A list as ODK's clients ask for it: whole unless they say otherwise; what they add beside is passed over."""

    class Meta:
        unknown = EXCLUDE

    limit = fields.Integer(load_default=None, validate=validate.Range(min=0, max=2**31))
    offset = fields.Integer(load_default=0, validate=validate.Range(min=0, max=2**53))


class CursorQuery(Strict):
    """A part of a list that can grow without bound."""

    limit = fields.Integer(load_default=100, validate=validate.Range(min=1, max=1000))
    cursor = text(load_default=None)


# Sessions


class CredentialsSchema(Strict):
    """Who signs in. `code` is that of the second factor, for accounts that have one."""

    email = text(required=True)
    password = fields.String(required=True, validate=validate.Length(max=1000))
    code = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=100))


class SessionSchema(Schema):
    """A session; the token is the Bearer token."""

    token = fields.String()
    csrf = fields.String()
    createdAt = fields.AwareDateTime()  # noqa: N815 — the wire's name
    expiresAt = fields.AwareDateTime()  # noqa: N815


class ActorSchema(Schema):
    """A person, a device or a public link."""

    id = fields.Integer()
    type = fields.String(metadata={"description": "user, field_key or public_link"})
    displayName = fields.String()  # noqa: N815
    email = fields.String(allow_none=True)
    createdAt = fields.AwareDateTime()  # noqa: N815
    updatedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815
    deletedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815


# Projects


class ProjectSettings(Strict):
    """What a project can choose."""

    name = fields.String(validate=PROJECT_NAME)
    description = fields.String(validate=validate.Length(max=10_000), allow_none=True)
    archived = fields.Boolean(allow_none=True)
    time_zone = text()
    languages = fields.List(
        fields.String(
            validate=validate.Regexp(r"[a-z]{2,8}(-[A-Za-z0-9]+)*\Z", error="Not the code of a language, such as fr.")
        ),
        validate=validate.Length(min=1, max=20),
    )
    fiscal_year_start = fields.Integer(strict=True, validate=validate.Range(min=1, max=12))
    counts = fields.String(validate=validate.OneOf(["received", "approved"]))
    labels = fields.Raw(
        validate=_require_labels,
        metadata={"type": "object", "description": "`lists` and `levels` of places → name → language → label"},
    )
    keep_deleted = fields.Integer(strict=True, validate=KEPT_DAYS, metadata={"description": "days"})
    keep_deliveries = fields.Integer(strict=True, validate=KEPT_DAYS, metadata={"description": "days"})


class NewProjectSchema(ProjectSettings):
    """A project to make."""

    name = fields.String(required=True, validate=PROJECT_NAME)


class FormAssignmentSchema(Strict):
    """Somebody who may fill in a form: a device as app-user (2), a person as formfill (6)."""

    class Meta:
        unknown = EXCLUDE

    roleId = fields.Integer(required=True)  # noqa: N815 — the wire's name
    actorId = fields.Integer(required=True, validate=validate.Range(min=0, max=2**53))  # noqa: N815


class FormPutSchema(Strict):
    """What is not given of a form stays as it is."""

    class Meta:
        unknown = EXCLUDE

    xmlFormId = text(required=True)  # noqa: N815
    state = fields.String(validate=validate.OneOf(["open", "closing", "closed"]))
    assignments = fields.List(fields.Nested(FormAssignmentSchema), validate=validate.Length(max=10_000))


class WholeProjectSchema(ProjectSettings):
    """A project, and its forms."""

    class Meta:
        unknown = EXCLUDE

    name = fields.String(required=True, validate=PROJECT_NAME)
    forms = fields.List(fields.Nested(FormPutSchema))


class ProjectSchema(Schema):
    """A project."""

    id = fields.Integer()
    name = fields.String()
    description = fields.String(allow_none=True)
    archived = fields.Boolean()
    keyId = fields.Integer(allow_none=True)  # noqa: N815
    createdAt = fields.AwareDateTime()  # noqa: N815
    updatedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815
    deletedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815
    time_zone = fields.String()
    languages = fields.List(fields.String())
    fiscal_year_start = fields.Integer()
    counts = fields.String()
    labels = fields.Dict(metadata={"description": "of `lists` and `levels` of places, as they were given"})
    keep_deleted = fields.Integer(metadata={"description": "days until what was deleted or discarded is erased"})
    keep_deliveries = fields.Integer(metadata={"description": "days until the log of webhooks is erased"})
    role = fields.String(metadata={"description": "yours in it"})


class FindingSchema(Schema):
    """One fault, where it is, and how to mend it."""

    place = fields.String()
    sheet = fields.String()
    row = fields.Integer()
    column = fields.String()
    fault = fields.String()
    remedy = fields.String()
    warning = fields.Boolean(metadata={"description": "beside faults: it keeps nothing from being taken"})


class LoadedSchema(Schema):
    """What loading a programme did."""

    project = fields.Integer()
    published = fields.List(fields.String())
    changed = fields.List(fields.String())
    recounted = fields.Integer()
    released = fields.Integer()
    warnings = fields.List(fields.Nested(FindingSchema))


class ChangedSchema(Schema):
    """Whether anything was different."""

    changed = fields.Boolean()


# Batches


class BatchSchema(Strict):
    """The outer shape of a batch. Each item is looked at on its own, so that a bad one costs no other."""

    batch = fields.String(required=True, validate=validate.Length(min=1, max=200))
    device = text(allow_none=True, validate=TEXT)
    sent_at = moment(allow_none=True)
    items = fields.List(fields.Raw(allow_none=True), required=True)


class FlagSchema(Schema):
    """A breach of a form's rules, found on arrival."""

    code = fields.String()
    place = fields.String()
    message = fields.String()


class ReceiptSchema(Schema):
    """What we promise about one item."""

    instance_id = fields.String(allow_none=True)
    outcome = fields.String(
        validate=validate.OneOf(["stored", "duplicate", "edited", "conflict", "quarantined", "refused"])
    )
    submission = fields.String(allow_none=True)
    missing = fields.List(fields.String())
    flags = fields.List(fields.Nested(FlagSchema))
    reason = fields.String(allow_none=True)


class BatchAnswerSchema(Schema):
    """Receipts in the order in which the items were sent."""

    batch = fields.String()
    epoch = fields.String()
    received_at = fields.AwareDateTime()
    cursor = fields.String()
    receipts = fields.List(fields.Nested(ReceiptSchema))


class KnownSchema(Strict):
    """Pairs of an instance id and the SHA-256 of its XML, in hex; an empty one asks for the id alone."""

    ids = fields.List(
        fields.List(text(validate=TEXT), validate=validate.Length(equal=2)),
        required=True,
        validate=validate.Length(max=5000),
    )


class UnknownIdsSchema(Schema):
    """The pairs that the server does not hold."""

    epoch = fields.String()
    not_held = fields.List(fields.List(fields.String()), data_key="unknown")


class CapabilitiesSchema(Schema):
    """What a device may count on."""

    epoch = fields.String()
    now = fields.AwareDateTime()
    encodings = fields.List(fields.String())
    tus = fields.Dict()
    limits = fields.Dict(keys=fields.String(), values=fields.Integer())


class ChangesQuery(Strict):
    """Where the device stands. No device is refused its changes for what is no cursor at all."""

    since = fields.String(load_default=None)
