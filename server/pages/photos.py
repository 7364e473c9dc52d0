"""Small pictures of the photos that came in: made once, kept beside the photo, and gone with it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from PIL import Image, ImageOps

from server import current
from server.wire.media_types import PICTURES

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
_KIND = "webp"
_LARGEST = (640, 640)
_QUALITY = 55
# What tablets and telephones make has fewer; a file that claims more is meant to fill the memory. A JPEG is read at the
# size that is needed, all others whole.
_MOST_PIXELS, _MOST_OF_JPEG = 16_000_000, 60_000_000


def is_picture(name: str, type: str | None) -> bool:  # noqa: A002 — the wire's word
    """Whether a file may be one that a small picture can be made of, by what its sender says."""
    return (type or "").split(";")[0].strip().lower() in PICTURES or name.lower().endswith(_SUFFIXES)


def small_picture(sha256: str) -> Path | None:
    """The small picture of a photo in the store, made now if nobody has asked for it before; None for what is none."""
    path = current.store().beside(sha256, _KIND)
    if path.exists():
        return path
    current.take_slot()
    made = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        # The kinds are named: each of the others that Pillow knows would be another program that strangers can feed.
        with current.store().open(sha256) as file, Image.open(file, formats=("JPEG", "PNG", "WEBP", "GIF")) as photo:
            if photo.width * photo.height > (_MOST_OF_JPEG if photo.format == "JPEG" else _MOST_PIXELS):
                return None
            photo.draft("RGB", _LARGEST)
            photo.thumbnail(_LARGEST)  # before anything makes another one of its size
            upright = ImageOps.exif_transpose(photo)
            # Without what the camera wrote into it, its position among others.
            upright.convert("RGB").save(made, "WEBP", quality=_QUALITY, exif=b"", icc_profile=None)
        os.replace(made, path)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, EOFError):
        made.unlink(missing_ok=True)
        return None
    return path
