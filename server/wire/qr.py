"""The codes that set a tablet up: what ODK Collect reads from one, shown in a terminal, a page or a file."""

from __future__ import annotations

import base64
import io
import json
import sys
import zlib
from dataclasses import dataclass
from typing import Any

import segno

IMAGE_SIZES = ("original", "very_small", "small", "medium", "large")
AUTOSEND = ("off", "wifi_only", "cellular_only", "wifi_and_cellular")
WAYS = ("basic", "key")
# What Collect takes anyhow. Its manual calls it so, its schema, by which older versions refuse a whole code, otherwise.
_ANYHOW = "original"
# Collect knows no Bambara, and would speak English; who reads Bambara here reads French there.
_SPOKEN_THERE = {"bm": "fr"}


@dataclass(frozen=True, slots=True)
class Setup:
    """What ODK Collect is told. What is left out it sets to its own defaults.

    On a 2G link `image_size` "small" and `autosend` "wifi_only" spare most; `delete_sent` takes what was sent off the
    tablet. `device` is what forms that ask for the `username` are answered. With `admin_password`, the settings can be
    changed on the tablet only by whoever knows it.
    """

    server_url: str
    project_name: str
    username: str | None = None
    password: str | None = None
    device: str | None = None
    language: str | None = None
    autosend: str = "wifi_and_cellular"
    image_size: str | None = None
    delete_sent: bool = False
    admin_password: str | None = None


def device_setup(
    base: str, project_id: int, project_name: str, device: str, token: str, way: str | None = None, **more: Any
) -> Setup:
    """How the device reaches its project at this address; `more` are other fields of `Setup`.

    By `basic` its name and token go in a header, by `key` the token stands in the address. A token in an address ends
    up in logs, so the header is the default; over plain http, Collect sends no password, and only the address is left.
    """
    way = way or ("basic" if base.startswith("https://") else "key")
    if way == "key":
        return Setup(f"{base}/v1/key/{token}/projects/{project_id}", project_name, device=device, **more)
    # Basic ends a name at its first colon; for a device it is there to be read, the token says who it is.
    username = device.replace(":", " ")
    return Setup(f"{base}/v1/projects/{project_id}", project_name, username, token, device, **more)


def settings_text(setup: Setup) -> str:
    """What the code says: base64 of zlib of JSON, as ODK Collect reads it."""
    general: dict[str, Any] = {
        "server_url": setup.server_url,
        "username": setup.username,
        "password": setup.password,
        "form_update_mode": "match_exactly",
        "autosend": setup.autosend,
        "app_language": _SPOKEN_THERE.get(setup.language or "", setup.language),
        "image_size": None if setup.image_size == _ANYHOW else setup.image_size,
        "delete_send": setup.delete_sent or None,
        "metadata_username": setup.device,
    }
    settings = {
        "general": {name: value for name, value in general.items() if value is not None},
        "admin": {"admin_pw": setup.admin_password, "change_server": False} if setup.admin_password else {},
        "project": {"name": setup.project_name},
    }
    packed = zlib.compress(json.dumps(settings, ensure_ascii=False, separators=(",", ":")).encode(), 9)
    return base64.b64encode(packed).decode()


def code_png(text: str) -> bytes:
    """The code as a picture that prints sharply."""
    out = io.BytesIO()
    _code(text).save(out, kind="png", scale=8, border=4)
    return out.getvalue()


def code_svg(text: str) -> str:
    """The code as markup that can stand within a page or alone."""
    out = io.BytesIO()
    _code(text).save(out, kind="svg", border=4, omitsize=True, xmldecl=False, nl=False)
    return out.getvalue().decode()


def show_code(text: str) -> None:
    """Print the code with half blocks on standard error, so that what programs read on standard output stays plain."""
    _code(text).terminal(out=sys.stderr, compact=True, border=2)


def _code(text: str) -> segno.QRCode:
    return segno.make(text, error="m", micro=False)
