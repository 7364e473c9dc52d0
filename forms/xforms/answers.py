"""A submission's answers as JSON, what of them tells a double save, and the files that they name."""

from __future__ import annotations

from hashlib import blake2b
from operator import itemgetter
from typing import Any

from forms.xforms.filling import instance_from
from forms.xforms.instance import Instance
from forms.xforms.walk import walk_of
from forms.xforms.xform import Form

__all__ = ["answers_of", "attachments_named", "fingerprint", "instance_from"]

FEWEST_ANSWERS = 5


def answers_of(form: Form, instance: Instance) -> dict[str, Any]:
    """As batch-api.md §1 says: groups are objects, repeats lists of objects, a select_multiple is a list, a geopoint
    `[lat, lon, alt, accuracy]`.

    A question that was asked and left blank is null; one that was not relevant is not there. A number is a JSON number
    where that says exactly the same, else its text, as is everything that is not of its question's type. `meta` holds
    the entities that the submission writes. Nothing for an encrypted submission.
    """
    if instance.encrypted:
        return {}
    return walk_of(form, instance).answers


def fingerprint(form: Form, instance: Instance) -> bytes | None:
    """16 bytes over all answered questions, those of metadata and calculations left out; None under five answers.

    Two saves of one visit have the same one (indicators.md §7.1), whatever version of the form made them.
    """
    if instance.encrypted:
        return None
    told = sorted(walk_of(form, instance).telling)
    if len(told) < FEWEST_ANSWERS:
        return None
    content = "\0".join([f"{identity}\0{position}\0{text}" for identity, position, text in told])
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def attachments_named(form: Form, instance: Instance) -> list[str]:
    """The file names in questions for files, the audit log and an encrypted submission's media, each once."""
    root = instance.root
    if instance.encrypted:
        named = [element.text for element in root.iter("file", "encryptedXmlFile")]
    else:
        named = [text for _, text in sorted(walk_of(form, instance).files, key=itemgetter(0))]
        if "/data/meta/audit" not in form.fields:
            named += [audit.text for meta in root.iterchildren("meta") for audit in meta.iterchildren("audit")]
    return list(dict.fromkeys(name.strip() for name in named if name and name.strip()))
