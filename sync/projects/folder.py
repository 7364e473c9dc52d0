"""A project written down as a programme folder, which loads again into another project and makes the same of it."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.programmes.places import COLUMNS
from sync.entities.reading import lists_of_project
from sync.entities.stored import steps_of_list_file
from sync.models import NEWEST, Form, FormFile, FormVersion, Project, StatementText
from sync.projects.places import PlaceTree, places_at
from sync.projects.publish import settings_of

_IN_NO_NAME = re.compile(r"[/\\\x00-\x1f\x7f]")  # of a file
_SAME_TIME = (1980, 1, 1, 0, 0, 0)  # the oldest that a zip can say: the same project makes the same bytes

# Of README.md, in the first of the project's languages that is among these.
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "about": "The folder of a programme; `siby load FOLDER` loads it.",
        "form": "- Not in this folder: the form {form}, version {version}, made without an .xlsx workbook.",
        "file": "- Not in this folder: {file} of the form {form}; another form has another file of this name.",
    },
    "fr": {
        "about": "Le dossier d’un programme ; `siby load DOSSIER` le charge.",
        "form": "- Pas dans ce dossier : le formulaire {form}, version {version}, fait sans classeur .xlsx.",
        "file": "- Pas dans ce dossier : {file} du formulaire {form} ; un autre en a un autre de ce nom.",
    },
}


def folder_of(session: Session, project_id: int, read: Callable[[str], bytes]) -> dict[str, bytes]:
    """Path → content: settings, places, the newest workbook of each form with its files, what lists began with, and the
    texts of statements. `read` gives the content of a file by its sha256.

    README.md says what is not among it: forms that were made without an .xlsx workbook, and files that two forms call
    alike.
    """
    project = session.get_one(Project, project_id)
    files = {
        "project.toml": _settings(project).encode(),
        "places.csv": _table(COLUMNS, _places(places_at(session, project_id, None))),
        **dict(_lists(session, project_id)),
        **dict(_statements(session, project_id)),
    }
    words = _WORDS[next((language for language in project.languages if language in _WORDS), "en")]
    left_out = [*_add_forms(session, project_id, files, words), *_add_media(session, project_id, read, files, words)]
    about = [f"# {project.name}", "", words["about"], ""]
    return files | {"README.md": "\n".join([*about, *left_out, ""]).encode()}


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """The folder as one file; the same folder makes the same one."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path, _SAME_TIME), files[path], zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _settings(project: Project) -> str:
    lines = [f"{name} = {_toml(value)}" for name, value in settings_of(project).items()]
    for kind, named in sorted(project.labels.items()):
        lines += ["", f"[labels.{kind}]"]
        for name, said in sorted(named.items()):
            inside = ", ".join(f"{_toml(language)} = {_toml(label)}" for language, label in sorted(said.items()))
            lines.append(f"{_toml(name)} = {{ {inside} }}")
    return "\n".join([*lines, ""])


def _toml(value: Any) -> str:
    """A text, a number or a list of texts; JSON writes them as TOML does."""
    return json.dumps(value, ensure_ascii=False)


def _places(tree: PlaceTree) -> Iterator[Sequence[Any]]:
    for place in tree.places.values():
        at = ["" if degrees is None else repr(degrees) for degrees in (place.latitude, place.longitude)]
        yield place.code, place.name, place.level, place.parent or "", *at, "|".join(place.aliases)


def _lists(session: Session, project_id: int) -> Iterator[tuple[str, bytes]]:
    for known in lists_of_project(session, project_id):
        steps = steps_of_list_file(session.connection(), project_id, known.name)
        if not steps:
            continue
        properties = [name for name in known.properties if any(name in step.data for step in steps)]
        rows = (
            [step.entity_id, step.label or "", *(step.data.get(name, "") for name in properties)]
            for step in sorted(steps, key=lambda step: (step.label or "", step.entity_id))
        )
        yield f"lists/{known.name}.csv", _table(("name", "label", *properties), rows)


def _statements(session: Session, project_id: int) -> Iterator[tuple[str, bytes]]:
    texts = select(StatementText).where(StatementText.project_id == project_id, StatementText.closed.is_(None))
    for text in session.scalars(texts.order_by(StatementText.name, StatementText.language)):
        yield f"statements/{text.name}.{text.language}.md", text.source.encode()


def _add_forms(session: Session, project_id: int, files: dict[str, bytes], words: Mapping[str, str]) -> Iterator[str]:
    """The newest workbooks; gives a line for each form that has none."""
    rows = session.execute(
        select(FormVersion.form_id, FormVersion.version, FormVersion.source)
        .join(Form, NEWEST)
        .where(Form.project_id == project_id, Form.deleted_at.is_(None))
        .order_by(FormVersion.form_id)
    )
    for form_id, version, source in rows:
        if source is not None and source.startswith(b"PK"):
            # A workbook that names no form is called by its file.
            files[f"forms/{_IN_NO_NAME.sub(lambda found: quote(found[0], safe=''), form_id)}.xlsx"] = source
        else:
            yield words["form"].format(form=form_id, version=version)


def _add_media(
    session: Session,
    project_id: int,
    read: Callable[[str], bytes],
    files: dict[str, bytes],
    words: Mapping[str, str],
) -> Iterator[str]:
    """The files that forms name; gives a line for each that is not as another form has it."""
    rows = session.execute(
        select(FormFile.form_id, FormFile.name, FormFile.sha256)
        .join(Form, (Form.project_id == FormFile.project_id) & (Form.form_id == FormFile.form_id))
        .where(Form.project_id == project_id, Form.deleted_at.is_(None), FormFile.sha256.is_not(None))
        .order_by(FormFile.form_id, FormFile.name)
    )
    for form_id, name, sha256 in rows:
        content = read(sha256 or "")
        if files.setdefault(f"media/{name}", content) != content:
            yield words["file"].format(file=name, form=form_id)


def _table(columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()
