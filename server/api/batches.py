"""Batches: what devices send, with a receipt for each item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError
from sqlalchemy import select

from server import current
from server.api.files import EXTENSIONS
from server.api.schemas import BatchAnswerSchema, BatchSchema, CapabilitiesSchema, KnownSchema, UnknownIdsSchema
from server.db import session
from server.door.guards import needs
from server.language.sentences import MOST_SAID, said_in
from server.language.words import words
from server.logs import log
from server.openrosa.multipart import MOST_PARTS
from server.wire.answers import answer
from server.wire.bodies import findings_of, load, parse_batch, parse_json, read_json_body, user_agent
from server.wire.documents import documented
from sync.accounts.installation import installation
from sync.errors import Busy, TooLarge, Unparseable
from sync.intake.changes import cursor_at
from sync.intake.items import storable
from sync.intake.prepare import sha256_of
from sync.intake.receive import PreparedBatch, answered_before, one_at_a_time, prepare_batch, store_batch
from sync.models import Form, Quarantined, SubmissionVersion
from sync.models.probing import rows_of_ids, rows_of_keys

bp = Blueprint("batches", __name__, url_prefix="/v1/projects/<int:pid>")

_batch_schema = BatchSchema()


@bp.post("/batches")
@needs("data.send")
@documented("batches", body=BatchSchema, answer=BatchAnswerSchema)
def post_batch(pid: int) -> ResponseReturnValue:
    """Send a batch of filled forms, compressed if you like; every item gets a receipt, in order.

    200 leaves after a durable commit. The same batch again gets the same receipts.
    """
    body = read_json_body(current.settings().max_batch)
    batch = read_batch(parse_batch(body))
    actor_id, bound = current.visitor().actor_id, current.fillable()
    sha256 = sha256_of(body)
    with one_at_a_time:
        found = answered_before(session(), pid, actor_id, str(batch["batch"]), sha256) or prepare_batch(
            session(), pid, batch, sha256, current.now(), bound
        )
    if isinstance(found, PreparedBatch):
        result = store_batch(session(), found, actor_id, current.writing_now, user_agent())
        session().commit()
    else:
        result = found
    log("batch_received", project=pid, actor=actor_id, again=result.again, items=len(result.receipts), **result.counts)
    return answer(
        {
            "batch": result.batch_id,
            "epoch": result.epoch,
            "received_at": result.received_at,
            "cursor": cursor_at(result.epoch, result.event),
            "receipts": said(result.receipts),
        }
    )


@bp.post("/batches/known")
@needs("data.send")
@documented("batches", body=KnownSchema, answer=UnknownIdsSchema)
def post_known(pid: int) -> ResponseReturnValue:
    """Which of these instances the server does not hold; to be asked after a changed epoch."""
    ids = load(KnownSchema(), parse_json(read_json_body(current.settings().max_batch)))["ids"]
    held = _held(pid, [instance_id for instance_id, _ in ids])
    # Whoever sent answers has no XML to hash, and asks for the id alone.
    held |= {(instance_id, "") for instance_id, _ in held}
    unknown = [[instance_id, sha256] for instance_id, sha256 in ids if (instance_id, sha256.lower()) not in held]
    return answer({"epoch": _epoch(), "unknown": unknown})


@bp.get("/capabilities")
@needs("project.read")
@documented("batches", answer=CapabilitiesSchema)
def get_capabilities(pid: int) -> ResponseReturnValue:
    """Limits, encodings, the epoch, and what time it is here."""
    limits = current.settings()
    return answer(
        {
            "epoch": _epoch(),
            "now": current.now(),
            "encodings": ["gzip", "zstd"],
            "tus": {"version": "1.0.0", "extensions": EXTENSIONS},
            "limits": {
                "request_bytes": limits.max_request,
                "request_parts": MOST_PARTS,
                "batch_bytes": limits.max_batch,
                "batch_items": limits.batch_items,
                "file_bytes": limits.max_file,
                "xml_bytes": 10 * 1024 * 1024,
                "xml_depth": 60,
                "xml_elements": 20_000,
                "requests_an_hour": limits.requests_an_hour,
            },
        }
    )


def read_batch(given: object) -> dict[str, object]:
    """The batch as far as it is not its items' own affair. Raises Unparseable, or TooLarge for too many items."""
    try:
        batch: dict[str, object] = _batch_schema.load(given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise Unparseable("The body is not a batch.", findings=findings_of(error.messages)) from error
    limits = current.settings()
    if len(given["items"]) > limits.batch_items:  # type: ignore[index]
        raise TooLarge(details={"max_items": limits.batch_items, "max_bytes": limits.max_batch})
    return batch | {name: storable(batch[name]) for name in ("batch", "device") if name in batch}


def said(receipts: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Receipts with sentences in the language that was asked for, as far as they are known there: to find one takes a
    while."""
    language, many = words().locale, 0
    if language == "en":
        return receipts
    told = []
    for receipt in receipts:
        many += len(receipt["flags"])
        reason, flags = receipt["reason"], receipt["flags"]
        if many <= MOST_SAID:
            reason = reason and said_in(language, reason)
            flags = [flag | {"message": said_in(language, flag["message"])} for flag in flags]
        told.append({**receipt, "reason": reason, "flags": flags})
    return told


def _held(project_id: int, instance_ids: list[str]) -> set[tuple[str, str]]:
    """Ids with the hashes under which their XML is here, filed or in quarantine."""
    known = [instance_id for instance_id in instance_ids if instance_id == storable(instance_id)]
    connection = session().connection()
    rows = rows_of_keys(
        connection,
        [Quarantined.instance_id, Quarantined.sha256],
        [Quarantined.instance_id],
        [(instance_id,) for instance_id in known],
        (Quarantined.project_id, project_id),
    )
    for form_id in session().scalars(select(Form.form_id).where(Form.project_id == project_id)).all():
        rows += rows_of_ids(
            connection,
            [SubmissionVersion.instance_id, SubmissionVersion.sha256],
            [(SubmissionVersion.project_id, project_id), (SubmissionVersion.form_id, form_id)],
            SubmissionVersion.instance_id,
            known,
        )
    return {(instance_id, sha256.hex()) for instance_id, sha256 in rows}


def _epoch() -> str:
    here = installation(session())
    if here is None:
        raise Busy("The installation was not finished; run siby init.", retry_after=60)
    return here.epoch
