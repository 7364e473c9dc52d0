"""A programme folder: settings, places, workbooks, media, entity lists and statement texts, read and checked whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from forms.findings import Faulty, Finding
from forms.indicators.sheets import Sheets
from forms.programmes.entitylists import EntityListFile, ListRow, read_entity_list
from forms.programmes.folders import files_of, files_of_zip
from forms.programmes.places import Place, read_places
from forms.programmes.settings import Settings, read_settings
from forms.spelling import did_you_mean, suggestion
from forms.tables import decode
from forms.workbooks.workbook import Draft, Workbook, draft_workbook, finish, unfit_id, unfit_list
from forms.xforms.corrections import OWN_LISTS
from forms.xforms.files import named_files

__all__ = [
    "EntityListFile",
    "ListRow",
    "Place",
    "Programme",
    "Settings",
    "files_of",
    "files_of_zip",
    "read_places",
    "read_programme",
]

_STATEMENT = re.compile(r"([A-Za-z][\w-]*)\.([A-Za-z]{2,8}(?:-[A-Za-z0-9]+)*)\.md")
_LIST = re.compile(r"([A-Za-z_][\w.-]*)\.csv")
_DIGITS = re.compile(r"(\d+)")
# What is wrong with statement texts by (name, language), given the folder's settings and sheets, if known.
ReadOver = Callable[[Mapping[tuple[str, str], str], Settings | None, Sequence[Sheets] | None], list[Finding]]


@dataclass(frozen=True, slots=True)
class Programme:
    """Everything of a programme folder.

    Workbooks are in the order of form id and version, so that the last one of a form is its latest; places come parents
    first; media, lists and statements by name. `warnings` are about the folder; each workbook has its own besides.
    """

    settings: Settings
    places: tuple[Place, ...]
    workbooks: tuple[Workbook, ...]
    media: Mapping[str, bytes]
    lists: Mapping[str, EntityListFile]
    statements: Mapping[tuple[str, str], str]
    warnings: tuple[Finding, ...] = ()


def read_programme(files: Mapping[str, bytes], read_over: ReadOver | None = None) -> Programme:
    """`files` is relative path → bytes, as `files_of` and `files_of_zip` give it; a README may lie among them.

    Raises Faulty with the findings and warnings of all files, each naming its file; of statement texts with those that
    `read_over` finds. Texts of a programme without faults are looked at where its indicators are.
    """
    findings: list[Finding] = []
    settings = read_settings(files.get("project.toml"), findings)
    places = _places(files.get("places.csv"), findings)
    warnings: list[Finding] = []
    drafts, unread = _drafts(files, findings, warnings)
    lists = _lists(files, findings)
    media = _media(files, findings)
    statements = _statements(files, settings, findings)
    workbooks = _finished(drafts, unread, findings)
    findings += _unknown_target_places(drafts, places)
    findings += _missing_files(drafts, media, lists)
    findings += _strays(files)
    about = () if unread else (*_unused_media(drafts, media), *_missing_pictures(drafts, media))
    if findings or settings is None or places is None:
        if read_over is not None:
            unknown = unread or not drafts or any(_leaves_unnamed(finding) for finding in findings)
            findings += read_over(statements, settings, None if unknown else [draft.sheets for draft in drafts])
        raise Faulty(findings, [*warnings, *(one for draft in drafts for one in draft.desk.warnings), *about])
    return Programme(settings, places, workbooks, media, lists, statements, about)


def _leaves_unnamed(finding: Finding) -> bool:
    """Whether an indicator is there of which it cannot be told how it will be called."""
    return ((finding.sheet or "").lower(), (finding.column or "").lower()) == ("indicators", "name")


def version_order(version: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which `v2` comes before `v10` and 20260101 before 2026010101."""
    parts = (part for part in _DIGITS.split(version) if part)
    return tuple((0, len(part.lstrip("0")), part.lstrip("0")) if part.isdecimal() else (1, 0, part) for part in parts)


def broken_down(several: Iterable[Sheets]) -> dict[str, Collection[str] | None]:
    """By name what breaks an indicator down, a ratio what does both its parts; None where that cannot be told."""
    known = {one.name: one for sheets in several for one in sheets.indicators}
    found: dict[str, Collection[str]] = {name: one.by for name, one in known.items() if one.aggregate != "ratio"}
    parts = {name: (one.numerator or "", one.denominator or "") for name, one in known.items() if name not in found}
    while more := [name for name, of in parts.items() if name not in found and {*of} <= found.keys()]:
        for name in more:
            above, below = (found[part] for part in parts[name])
            found[name] = [way for way in below if way in above]
    return {name: found.get(name) for name in known}


def _places(data: bytes | None, findings: list[Finding]) -> tuple[Place, ...] | None:
    """None where they cannot be told."""
    if data is None:
        return ()
    try:
        return read_places(data)
    except Faulty as faulty:
        findings += faulty.findings
        return None


def _lists(files: Mapping[str, bytes], findings: list[Finding]) -> dict[str, EntityListFile]:
    found: dict[str, EntityListFile] = {}
    for path, content in _under("lists", files):
        if path.endswith(".md"):
            continue
        named = _LIST.fullmatch(path.removeprefix("lists/"))
        if not named:
            findings.append(Finding("This cannot be an entity list.", "Lists are called lists/NAME.csv.", path))
            continue
        if named[1] in OWN_LISTS:
            fault = f"Every device has a list called {named[1]} for itself."
            findings.append(Finding(fault, "Give the list another name.", path))
            continue
        if unfit := unfit_list(named[1]):
            findings.append(Finding(unfit, place=path))
            continue
        found[named[1]], table = read_entity_list(content, named[1], path)
        findings += table.findings
    return found


def _media(files: Mapping[str, bytes], findings: list[Finding]) -> dict[str, bytes]:
    found = {}
    for path, content in _under("media", files):
        name = path.removeprefix("media/")
        if "/" in name:
            findings.append(Finding("Media files have no folders.", "Put the file directly under media/.", path))
        elif len(name.encode()) > 255 or not name.isprintable():
            findings.append(Finding("The file name will not do on a tablet.", "Give it a short plain name.", path))
        else:
            found[name] = content
    return found


def _statements(
    files: Mapping[str, bytes], settings: Settings | None, findings: list[Finding]
) -> dict[tuple[str, str], str]:
    found = {}
    for path, content in _under("statements", files):
        named = _STATEMENT.fullmatch(path.removeprefix("statements/"))
        if not named:
            if path.rsplit("/", 1)[-1].lower() != "readme.md":
                findings.append(Finding("This cannot be a statement.", "Call it statements/NAME.LANG.md.", path))
            continue
        name, language = named[1], named[2]
        if settings and language not in settings.languages:
            findings.append(
                Finding(
                    f"‘{language}’ is not one of the programme's languages.",
                    "Add it to languages in project.toml, or rename the file.",
                    path,
                )
            )
        text = decode(content)
        if text is None or "\0" in text:
            findings.append(Finding("The file is not in UTF-8.", "Save it as UTF-8.", path))
        else:
            found[name, language] = text.replace("\r\n", "\n")
    return found


def _under(folder: str, files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    return ((path, files[path]) for path in sorted(files) if path.startswith(f"{folder}/"))


def _strays(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Files that look meant for the programme but would be passed over in silence."""
    known = ("forms", "media", "lists", "statements")
    for path in sorted(files):
        top, _, rest = path.partition("/")
        if path.lower().endswith((".xls", ".ods", ".xlsm")) and top != "media":
            yield Finding("Workbooks are read as .xlsx only.", "Save it as an .xlsx workbook.", path)
        elif rest and top not in known and not path.lower().endswith((".xlsx", ".md", ".txt")):
            yield Finding(f"‘{top}’ is not a folder of a programme.", suggestion(top, known), path)
        elif not rest and path.lower().endswith((".csv", ".toml")) and path not in ("places.csv", "project.toml"):
            remedy = did_you_mean(path, ("places.csv", "project.toml"))
            yield Finding("Nothing reads this file.", remedy or "Entity lists lie under lists/.", path)


def _drafts(files: Mapping[str, bytes], findings: list[Finding], warnings: list[Finding]) -> tuple[list[Draft], bool]:
    """The workbooks by form id and version, wherever they lie but among the media; and whether there are more, of which
    nothing can be told."""
    drafts: dict[tuple[str, str], Draft] = {}
    unread = False
    for path in sorted(files):
        if not path.lower().endswith(".xlsx") or path.startswith(("media/", "lists/", "statements/")):
            continue
        try:
            draft = draft_workbook(files[path], path)
        except Faulty as faulty:
            findings += faulty.findings
            warnings += faulty.warnings
            unread = True
            continue
        key = (draft.form.form_id, draft.form.version)
        if key in drafts:
            findings.append(
                Finding(
                    f"The form ‘{key[0]}’ version ‘{key[1]}’ is also in {drafts[key].name}.",
                    "Give the newer workbook a new version in its sheet settings.",
                    path,
                )
            )
        drafts[key] = draft
    return [drafts[key] for key in sorted(drafts, key=lambda key: (key[0], version_order(key[1])))], unread


def _finished(drafts: list[Draft], unread: bool, findings: list[Finding]) -> tuple[Workbook, ...]:
    """Each workbook checked against the latest version of all others, if something is known of all of them."""
    latest = {draft.form.form_id: draft for draft in drafts}
    workbooks = []
    for draft in drafts:
        if unfit := unfit_id(draft.form.form_id):
            findings.append(Finding(unfit, place=draft.name))
        others = [other.sheets for form_id, other in latest.items() if form_id != draft.form.form_id]
        try:
            alone = unread or latest[draft.form.form_id] is not draft
            workbooks.append(finish(draft, None if alone else others))
        except Faulty as faulty:
            findings += faulty.findings
    return tuple(workbooks)


def _unknown_target_places(drafts: list[Draft], places: tuple[Place, ...] | None) -> Iterator[Finding]:
    if places is None:
        return
    codes = {place.code for place in places}
    for draft in {draft.form.form_id: draft for draft in drafts}.values():
        for target, row in draft.own.target_rows:
            if target.place is not None and target.place not in codes:
                yield Finding(
                    f"The target of ‘{target.indicator}’ names a place ‘{target.place}’, which places.csv has not.",
                    did_you_mean(target.place, codes),
                    draft.name,
                    sheet="targets",
                    row=row.number,
                    column="place",
                )


def _named_media(draft: Draft) -> set[str]:
    return {file.name for file in named_files(draft.form.xform)}


def _missing_files(
    drafts: list[Draft], media: Mapping[str, bytes], lists: Mapping[str, EntityListFile]
) -> Iterator[Finding]:
    """Lists that a form chooses from and that nothing provides: on a tablet the form would not open."""
    kept = set(lists) | {entity.list_name for draft in drafts for entity in draft.form.entities}
    provided = set(media) | {f"{name}.csv" for name in (*kept, *OWN_LISTS)}
    for draft in drafts:
        for name in sorted(_named_media(draft) - provided):
            if name.endswith((".csv", ".xml", ".geojson")):
                fault = f"The form ‘{draft.form.form_id}’ chooses from {name}, which nothing provides."
                remedy = did_you_mean(name, provided) or f"Put it at media/{name} or lists/{name}."
                yield _where_named(name, draft, Finding(fault, remedy, draft.name))


def _missing_pictures(drafts: list[Draft], media: Mapping[str, bytes]) -> Iterator[Finding]:
    for draft in drafts:
        for name in sorted(_named_media(draft) - set(media)):
            if not name.endswith((".csv", ".xml", ".geojson")):
                fault = f"The form ‘{draft.form.form_id}’ shows {name}, which is not there."
                remedy = did_you_mean(name, media) or f"Put it at media/{name}."
                yield _where_named(name, draft, Finding(fault, remedy, draft.name))


def _where_named(file: str, draft: Draft, finding: Finding) -> Finding:
    """With the first cell of the survey that names the file, as it is or without its suffix in an expression."""
    survey = draft.book["survey"]
    for written in (file, f"'{file.rpartition('.')[0]}'"):
        for row in survey.rows:
            for column, cell in row.cells.items():
                if written in cell.text:
                    return replace(finding, sheet=survey.name, row=row.number, column=survey.headers[column])
    return finding


def _unused_media(drafts: list[Draft], media: Mapping[str, bytes]) -> Iterator[Finding]:
    named = {name for draft in drafts for name in _named_media(draft)}
    for name in media:
        if name not in named:
            yield Finding("No form names this file.", did_you_mean(name, named), f"media/{name}")
