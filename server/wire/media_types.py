"""What a file is by its first bytes: the pictures, sounds and films that a form can carry.

Nothing that a browser would run is among them. Signatures after the WHATWG's MIME Sniffing Standard and the registry of
file types at mp4ra.org.
"""

from __future__ import annotations

# Of which browsers make a picture and nothing else.
PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
FIRST_BYTES = 16
_BEGINNINGS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"#!AMR", "audio/amr"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
)
_IN_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_BRANDS = {b"mif1": "image/heif", b"msf1": "image/heif", b"avif": "image/avif", b"M4A ": "audio/mp4"}
_BRANDS |= {b"qt  ": "video/quicktime"} | dict.fromkeys(_HEIC, "image/heic")


def type_of_content(first: bytes, said: str) -> str | None:
    """The type of what begins with these bytes, None for what is not known. `said` is what its sender calls it, which
    decides where the same bytes may begin a sound or a film."""
    found = _by_beginning(first)
    kind, _, form = (found or "").partition("/")
    return f"audio/{form}" if kind == "video" and said.startswith("audio/") else found


def _by_beginning(first: bytes) -> str | None:
    if first[:4] == b"RIFF":
        return _IN_RIFF.get(first[8:12])
    if first[4:8] == b"ftyp":
        brand = first[8:12]
        return _BRANDS.get(brand) or ("video/3gpp" if brand[:2] == b"3g" else "video/mp4")
    return next((kind for beginning, kind in _BEGINNINGS if first.startswith(beginning)), None)
