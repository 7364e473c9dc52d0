"""What an export is asked to be: its format and what of the data goes into it, in which words."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import orjson

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "csv.zip": "application/zip",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "geojson": "application/geo+json",
    "kml": "application/vnd.google-earth.kml+xml",
    "sav": "application/x-spss-sav",
    "sav.zip": "application/zip",
    "jsonl": "application/jsonl",
}
# Nobody is to go on, with a later program, with the file that an earlier one began. A release has its version; between
# two, the files of this folder say how it is written.
_OURS = sorted(Path(__file__).parent.glob("*.py"))
_WRITER = f"{version('siby')}/{hashlib.sha256(b''.join([file.read_bytes() for file in _OURS])).hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class Options:
    """One export. Two that are equal, of the same data, are the same bytes."""

    format: str
    attachments: bool = False  # files under media/, in csv.zip alone
    group_paths: bool = True  # column names with the groups around them
    split: bool = False  # a column for each choice of a select_multiple
    deleted_fields: bool = True  # questions of older versions too
    identifying: bool = True  # columns that tell who somebody is
    pseudonyms: bool = False  # instead of them, what is the same for the same person and tells nobody who it is
    guarded: bool = True  # cells that no spreadsheet takes for a formula
    bom: bool = False
    labels: str | None = None  # the language of labels in place of values; "" for the form's first
    filter: str | None = None  # OData
    field: str | None = None  # GeoJSON and KML: the path of the question with the position
    limit: int | None = None
    instance_id: str | None = None  # of the one submission to be exported

    def digest(self, *more: object) -> str:
        """A name for the options and whatever else decides what is exported, and for the program that writes it."""
        said = orjson.dumps([_WRITER, asdict(self), *more], default=str, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(said).hexdigest()[:32]
