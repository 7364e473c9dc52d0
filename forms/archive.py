"""Zip archives from strangers, unpacked within limits."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from forms.findings import Faulty, Finding

MEGABYTE = 1024 * 1024
_CHUNK = 64 * 1024
_SAYS_LITTLE = 256 * 1024  # below this size a high ratio proves nothing: blank sheets pack to almost nothing
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    UnicodeError,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What unpacking may cost: members, bytes in all, and how many times larger than packed a member may be."""

    members: int
    unpacked: int
    ratio: int


def unpack(data: bytes, place: str, limits: Limits) -> dict[str, bytes]:
    """Member name → bytes, folders left out. The limits hold for the bytes that really come out, not for what the
    archive says of itself. Raises Faulty, naming `place`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            findings = list(_refusals(members, place, limits))
            if findings:
                raise Faulty(findings)
            return dict(_contents(archive, members, place, limits))
    except _UNREADABLE as error:
        raise Faulty([Finding("This file is not a zip archive, or it is damaged.", "Save it again.", place)]) from error


def _refusals(members: list[zipfile.ZipInfo], place: str, limits: Limits) -> Iterator[Finding]:
    if len(members) > limits.members:
        yield Finding(f"The archive holds {len(members)} files; {limits.members} is the most that is taken.", "", place)
        return
    if sum(member.file_size for member in members) > limits.unpacked:
        yield _too_large(place, limits)
    seen = set()
    for member in members:
        where = f"{place}/{member.filename}" if place else member.filename
        if member.filename in seen:
            yield Finding("The archive holds two files of this name.", "Keep one of them.", where)
        seen.add(member.filename)
        if member.flag_bits & 0x1:
            yield Finding("The file is locked with a password.", "Save it without one.", where)
        if stat.S_ISLNK(member.external_attr >> 16):
            yield Finding("This is a link; links are not followed.", "Put the file itself in its place.", where)
        if member.file_size > _SAYS_LITTLE and member.file_size > limits.ratio * max(member.compress_size, 1):
            yield Finding(
                "The file is packed far more tightly than real content ever is, so it is not unpacked.",
                "Save it anew from the program that made it.",
                where,
            )


def _contents(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], place: str, limits: Limits
) -> Iterator[tuple[str, bytes]]:
    left = limits.unpacked
    for member in members:
        parts = []
        with archive.open(member) as stream:
            while part := stream.read(_CHUNK):
                left -= len(part)
                if left < 0:
                    raise Faulty([_too_large(place, limits)])
                parts.append(part)
        yield member.filename, b"".join(parts)


def _too_large(place: str, limits: Limits) -> Finding:
    return Finding(
        f"Unpacked, this is more than {limits.unpacked // MEGABYTE} MB, the most that is taken.",
        "Take out what is not needed, such as large pictures.",
        place,
    )
