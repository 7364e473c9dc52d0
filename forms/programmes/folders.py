"""The files of a programme folder, from a disk or out of a zip archive."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from forms.archive import MEGABYTE, Limits, unpack
from forms.findings import Faulty, Finding

LIMITS = Limits(members=5_000, unpacked=256 * MEGABYTE, ratio=200)
_LESS = f"At most {LIMITS.members} files and {LIMITS.unpacked // MEGABYTE} MB are taken."


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their path in it, without hidden ones and the lock files of spreadsheet programs.

    Links are not followed: raises Faulty for each, and when there is more than a programme may hold.
    """
    if not folder.is_dir():
        raise Faulty([Finding("This is not a folder.", "Name the folder that holds project.toml.", str(folder))])
    findings = []
    found: dict[str, bytes] = {}
    left = LIMITS.unpacked
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file():
            findings.append(
                Finding("This is a link or a device; only files are read.", "Put the file itself in its place.", name)
            )
            continue
        try:
            left -= path.stat().st_size
            if left < 0 or len(found) >= LIMITS.members:
                raise Faulty([Finding("The folder holds more than a programme may.", _LESS, str(folder))])
            found[name] = path.read_bytes()
        except OSError as error:
            findings.append(Finding(f"The file cannot be read: {error.strerror}.", "Look at its rights.", name))
    if findings:
        raise Faulty(findings)
    return found


def files_of_zip(data: bytes) -> dict[str, bytes]:
    """As `files_of`, from a zip of the folder or of what is in it. Raises Faulty for paths that lead out of it."""
    unpacked = unpack(data, "", LIMITS)
    findings = []
    found: dict[str, bytes] = {}
    for name, content in unpacked.items():
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
            findings.append(Finding("The path leads out of the archive.", "Zip the programme folder itself.", name))
        elif not any(_hidden(part) for part in path.parts):
            found[path.as_posix()] = content
    if findings:
        raise Faulty(findings)
    return _without_outer_folder(found)


def _walk(folder: Path) -> Iterator[Path]:
    for around, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        for name in sorted(folders):
            if (Path(around) / name).is_symlink():
                yield Path(around) / name
        for name in sorted(names):
            if not _hidden(name):
                yield Path(around) / name


def _hidden(name: str) -> bool:
    return name.startswith((".", "~$")) or name in ("__MACOSX", "Thumbs.db", "desktop.ini")


def _without_outer_folder(files: dict[str, bytes]) -> dict[str, bytes]:
    tops = {name.split("/", 1)[0] for name in files}
    if len(tops) == 1 and (top := tops.pop()) not in files:
        return {name.removeprefix(f"{top}/"): content for name, content in files.items()}
    return files
