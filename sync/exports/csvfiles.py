"""CSV as ODK Central and Briefcase lay it out: a file for the submissions, one for each repeat, files, audit logs."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import IO, Any, cast

from isal import isal_zlib
from sqlalchemy import not_, select, true

from sync.encryption.decrypting import plain_name
from sync.exports.cells import Cell, csv_pieces, file_name
from sync.exports.fields import Table
from sync.exports.flat import Outlet, key_of, moment_text, row_maker
from sync.exports.growing import Sink, Unseekable
from sync.exports.rows import RepeatedRow, SubmissionRow
from sync.exports.source import Source
from sync.intake.content import ContentStore
from sync.models import ATTACHED, CURRENT, Attachment, Submission, SubmissionVersion

AFTER = (
    *("KEY", "SubmitterID", "SubmitterName", "AttachmentsPresent", "AttachmentsExpected"),
    *("Status", "ReviewState", "DeviceID", "Edits", "FormVersion"),
)
AFTER_REPEAT = ("PARENT_KEY", "KEY")
STATUS = {"notDecrypted": "not decrypted", "missingEncryptedFormData": "missing encrypted form data"}
AUDIT = "audit.csv"
_AUDIT_COLUMNS = (
    *("event", "node", "start", "end", "latitude", "longitude", "accuracy"),
    *("old-value", "new-value", "user", "change-reason"),
)
_UNREADABLE = "(the rest of this log is no CSV)"
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same data are the same bytes
_PIECE = 1 << 16
# Beyond so many rows a file may pass what a zip without its 64-bit extension can say.
_MANY = 200_000


class Tally:
    """How many submissions went by."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, rows: Iterable[Any]) -> Iterator[Any]:
        for row in rows:
            self.rows += 1
            yield row


def write_csv(source: Source, sink: Sink) -> int:
    """The submissions alone, as one CSV file; gives how many."""
    tally = Tally()
    for piece in _pieces(source, source.tables[0], tally):
        sink.write(piece)
    return tally.rows


def write_csv_zip(source: Source, sink: Sink, store: ContentStore, rows: int) -> int:
    """All tables, and on demand the files; gives how many submissions. The archive's comment says it too."""
    tally = Tally()
    media = Media(source, store) if source.options.attachments else None
    with zipped(sink) as archive:
        for table, name in file_names(source.form_id, source.tables):
            with entry(archive, name, large=rows > _MANY) as file:
                for piece in _pieces(source, table, tally, media):
                    file.write(piece)
        if media is not None:
            _write_files(source, archive, store, media)
            _write_audits(source, archive, store)
        archive.comment = f"rows={tally.rows}".encode()
    return tally.rows


def zipped(sink: Sink) -> zipfile.ZipFile:
    """A zip archive that is written in one go, so that it can be read while it grows."""
    return zipfile.ZipFile(cast(IO[bytes], Unseekable(sink)), "w", zipfile.ZIP_DEFLATED)


def entry(archive: zipfile.ZipFile, name: str, *, large: bool = False, packed: bool = True) -> Any:
    """A file of the archive to write to."""
    told = zipfile.ZipInfo(name, _WHEN)
    told.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    told.external_attr = 0o600 << 16
    file: Any = archive.open(told, "w", force_zip64=large)
    if packed:  # as small as zlib makes it at its quickest, in a third of the time; zipfile has no door for that
        file._compressor = isal_zlib.compressobj(wbits=-isal_zlib.MAX_WBITS)
    return file


def file_names(form_id: str, tables: Sequence[Table], ending: str = ".csv") -> list[tuple[Table, str]]:
    """Each table with the name of its file: `{form}.csv`, `{form}-{repeat}.csv`, and `…~1.csv` for a second repeat of
    the same name."""
    form, taken = file_name(form_id), set[str]()
    found = []
    for table in tables:
        stem = form if table.parent is None else f"{form}-{file_name(table.path[-1])}"
        name, number = stem, 0
        while name.casefold() in taken:
            number += 1
            name = f"{stem}~{number}"
        taken.add(name.casefold())
        found.append((table, name + ending))
    return found


def header_of(table: Table, outlets: Sequence[Outlet]) -> list[str]:
    """The first line of a table."""
    named = [outlet.header for outlet in outlets]
    return ["SubmissionDate", *named, *AFTER] if table.parent is None else [*named, *AFTER_REPEAT]


def rows_of(
    source: Source,
    table: Table,
    outlets: Sequence[Outlet],
    count: Callable[[Iterable[Any]], Iterator[Any]],
    media: Media | None = None,
) -> Iterator[list[Cell]]:
    """The rows under that line. Only submissions are counted. Files are called as they are in `media`, if given."""
    cells = row_maker(outlets)
    files = [index for index, outlet in enumerate(outlets) if outlet.column.kind == "binary"]
    path = media.paths() if media is not None and files else None

    def told(row: SubmissionRow | RepeatedRow) -> list[Cell]:
        found = cells(row.answers)
        if path is not None:
            for index in files:
                if name := found[index]:
                    found[index] = path(row.instance_id, str(name))
        return found

    if table.parent is None:
        for row in count(source.submissions()):
            yield [moment_text(row.created), *told(row), *_after(row)]
        return
    for repeated in source.repeats(table):
        key = key_of(table, repeated.instance_id, repeated.places)
        parent = key_of(table.parent, repeated.instance_id, repeated.places[:-1])
        yield [*told(repeated), parent, key]


def _after(row: SubmissionRow) -> tuple[Cell, ...]:
    return (
        row.instance_id,
        row.submitter_id,
        row.submitter,
        row.present,
        row.expected,
        STATUS.get(row.status or "", row.status),
        row.review_state,
        row.device,
        row.edits,
        row.form_version,
    )


def _pieces(source: Source, table: Table, tally: Tally, media: Media | None = None) -> Iterator[bytes]:
    outlets, options = source.outlets(table), source.options
    rows = rows_of(source, table, outlets, tally, media)
    return csv_pieces(header_of(table, outlets), rows, guarded=options.guarded, bom=options.bom)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a submission, with its bytes as they are before anybody encrypts them."""

    instance_id: str
    name: str
    content: str  # equal for equal bytes
    pieces: Iterator[bytes]


class Media:
    """Where the files of an export lie in its archive under media/: by their names, as far as these are free.

    Of several with one name, the newest has it and all with the same bytes. The others lie in folders of their
    submissions, where those that have not come yet would lie too: no row is to show the picture of another one.
    """

    def __init__(self, source: Source, store: ContentStore) -> None:
        self._source = source
        self._store = store

    def paths(self) -> Callable[[str, str], str]:
        """The path of a submission's file, by its instance and its name. Nothing is asked of the database later."""
        aside = self._aside

        def path(instance_id: str, name: str) -> str:
            plain = file_name(name)
            return f"{file_name(instance_id)}/{plain}" if (instance_id, plain) in aside else plain

        return path

    @cached_property
    def _aside(self) -> set[tuple[str, str]]:
        """The submissions and names of files that do not lie under their names."""
        owners, aside = dict[str, int](), set[tuple[str, str]]()
        for file in _attached(self._source, self._store):
            name, content = file_name(file.name), hash(file.content)
            if file.name != AUDIT and owners.setdefault(name, content) != content:
                aside.add((file.instance_id, name))
        for row in _stored(self._source, here=False):
            name = file_name(plain_name(row.name) if row.encrypted else row.name)
            if name in owners:
                aside.add((row.instance_id, name))
        return aside


def _write_files(source: Source, archive: zipfile.ZipFile, store: ContentStore, media: Media) -> None:
    """Files under media/, each once."""
    written, path_of = set[str](), media.paths()
    for file in _attached(source, store):
        path = path_of(file.instance_id, file.name)
        if file.name != AUDIT and path not in written:
            written.add(path)
            _put(archive, f"media/{path}", file.pieces)


def _put(archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes]) -> None:
    with entry(archive, name, packed=name.endswith((".csv", ".txt", ".xml"))) as file:
        for piece in pieces:
            file.write(piece)


def _write_audits(source: Source, archive: zipfile.ZipFile, store: ContentStore) -> None:
    """The clients' audit logs in one file, each line with the submission that it is about."""
    logs = (file for file in _attached(source, store) if file.name == AUDIT)
    first = next(logs, None)
    if first is None:
        return
    with entry(archive, f"{file_name(source.form_id)} - audit.csv") as target:
        header = ("instance ID", *_AUDIT_COLUMNS)
        for piece in csv_pieces(header, _lines(chain([first], logs)), guarded=source.options.guarded):
            target.write(piece)


def _lines(logs: Iterable[Attached]) -> Iterator[list[Cell]]:
    for log in logs:
        text = io.TextIOWrapper(io.BufferedReader(_Reader(log.pieces)), "utf-8-sig", "replace", newline="")
        try:
            for line in csv.DictReader(text):
                yield [log.instance_id, *(line.get(column) for column in _AUDIT_COLUMNS)]
        except csv.Error:  # anybody may have written it, and everybody else's lines are here too
            yield [log.instance_id, _UNREADABLE, *(None for _ in _AUDIT_COLUMNS[1:])]


class _Reader(io.RawIOBase):
    """Pieces as a file: a tablet that was left on writes a long log."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and (piece := next(self._pieces, None)) is not None:
            self._left = memoryview(piece)
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


def _attached(source: Source, store: ContentStore) -> Iterator[Attached]:
    """Files that are here, of the current versions of what is exported; those of closed submissions stay closed."""
    opened = None
    for submission_id, instance_id, current, version, encrypted, name, sha256 in _stored(source):
        if not encrypted:
            if store.holds(sha256):
                yield Attached(instance_id, name, sha256, _read(store, sha256))
        elif source.opener is not None and current != opened:
            opened = current
            for plain, pieces in source.opener.media(submission_id, current, version):
                yield Attached(instance_id, plain, f"{current}/{plain}", pieces)


def _read(store: ContentStore, sha256: str) -> Iterator[bytes]:
    with store.open(sha256) as file:
        while piece := file.read(_PIECE):
            yield piece


def _stored(source: Source, *, here: bool = True) -> Iterator[Any]:
    """In the order of submissions, then by name; those that have come, or those that have not."""
    query = (
        select(
            Submission.id,
            Submission.instance_id,
            Submission.current_instance_id,
            Submission.form_version,
            SubmissionVersion.encrypted_key.is_not(None).label("encrypted"),
            Attachment.name,
            Attachment.sha256,
        )
        .join(Attachment, ATTACHED)
        .join(SubmissionVersion, CURRENT)
        .where(
            Submission.project_id == source.project_id,
            Submission.form_id == source.form_id,
            true() if source.deleted else Submission.deleted_at.is_(None),
            *([Attachment.present, Attachment.sha256.is_not(None)] if here else [not_(Attachment.present)]),
        )
        .order_by(Submission.id.desc(), Attachment.name)
    )
    if source.meant is not None:
        query = query.where(source.meant)
    return iter(source.session.execute(query.execution_options(yield_per=500)))
