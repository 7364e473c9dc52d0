"""What pages show of one submission: answers with what is wrong with them, rules, differences, history, photos."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request
from flask_babel import gettext

from forms.form import Flag
from forms.indicators.sheets import language_code
from forms.xforms.editing import SEVERAL
from forms.xforms.instance import Instance, read_instance
from forms.xforms.model import Form
from server import current
from server.api.submission_shapes import files_of
from server.db import session
from server.language.sentences import said_in
from server.language.words import words
from server.pages.forms.rules import RuleReader
from server.pages.frame import project_of
from server.pages.photos import is_picture
from server.pages.said import FLAGS, STATES
from server.pages.submissions.answers import Line, label_of, lines_of, said_of
from server.pages.submissions.geography import geography_of
from server.queries.submissions import (
    Visit,
    labels_of_entities,
    name_of_submission,
    names_of_actors,
    titles_of_forms,
    visits_called,
)
from sync.entities.reach import tree_of
from sync.entities.sent_back import receiver_of
from sync.indicators.definitions import by_code, definitions_at, label_in
from sync.projects.catalogue import Unpublished, published
from sync.projects.places import PlaceTree
from sync.review.flags import DOUBLE_SAVE, SAME_DAY
from sync.review.history import Deed, Difference, deeds_of, differences_of
from sync.review.view import SubmissionSeen, raw_instance, submission_seen

_POSITIONS = re.compile(r"\[\d+\]")
_LONGEST_SAID = 500


@dataclass(frozen=True, slots=True)
class Broken:
    """A flag in words: what was asked, what is wrong, and the rule of the form that says so. `other` is the submission
    that it is about beside this one; `anchor` leads to the answer, or to the turn of a repeat in which it is missing.
    """

    code: str
    said: str
    place: str
    label: str
    message: str
    rule: str
    other: int | None = None
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """An answer that a version changed, in words."""

    label: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Done:
    """Something that was done to a submission, in words."""

    what: str
    who: str
    at: dt.datetime


def shown_of(pid: int, number: int, whole: bool = True) -> dict[str, Any]:
    """What the templates of a submission take; unless `whole`, no more than it takes to judge it: nothing of its
    history and of what it counts for. Raises NotFound, also for a deleted one."""
    form_id, _ = name_of_submission(session(), pid, number)
    seen = submission_seen(session(), pid, number, whole)
    found = published(session(), pid, seen.form_id, seen.form_version)
    form = None if isinstance(found, Unpublished) else found.form
    language = _language_of_labels(form)
    tree = tree_of(session(), pid)
    deeds = deeds_of(session(), pid, number) if whole else []
    actors = names_of_actors(session(), _actors_in(seen, deeds))
    others = visits_called(session(), pid, form_id, _neighbours_in(seen))
    files = files_of(seen)
    instance = read_instance(raw_instance(session(), pid, seen.form_id, seen.current_instance_id))
    lines = answers_said(pid, instance, form, tree, language)
    anchors = {line.place: line.anchors[0] for line in lines or () if line.anchors}
    flags = [_anchored(_leading(broken_of(form, flag, language), others), anchors) for flag in seen.flags]
    return {
        "states": STATES,
        "project": project_of(pid),
        "submission": seen,
        "title": titles_of_forms(session(), pid).get(form_id, form_id),
        "lines": lines,
        "geography": geography_of(form, instance, seen.place, tree, language) if form is not None else None,
        "flags_shown": flags,
        "original": others.get(seen.double_of or ""),
        "receiver": receiver_of(session(), pid, number, current.now()),
        "broken": {flag.place: flag for flag in flags if flag.place},
        "labels_in": language,
        "languages_of_form": languages_of(form),
        "files": files,
        "present": {file.name for file in files if file.present},
        "pictures": [file for file in files if file.present and is_picture(file.name, file.type)],
        "changes": _changes(pid, number, form, tree, language) if whole and len(seen.versions) > 1 else {},
        "deeds": [_done(deed, actors) for deed in deeds],
        "contributions": sorted(seen.contributions, key=lambda row: row.closed is not None),
        "subjects": labels_of_entities(session(), pid, (row.subject for row in seen.contributions if row.subject)),
        "anchors": {anchor for line in lines or () for anchor in line.anchors},
        "definitions": definitions_at(session(), pid, None) if whole else {},
        "places": tree.names_of([seen.place, *(row.place for row in seen.contributions)]),
        "actors": actors,
    }


def languages_of(form: Form | None) -> dict[str, str]:
    """Code → the language as the workbook writes it."""
    return {language_code(one): one for one in form.languages if one} if form is not None else {}


def _language_of_labels(form: Form | None) -> str:
    """The one that was asked for if the form has it, else the page's own."""
    asked = request.args.get("labels", "")
    return asked if asked in languages_of(form) else words().language


def _actors_in(seen: SubmissionSeen, deeds: Sequence[Deed]) -> list[int]:
    several = [*(version.actor_id for version in seen.versions), *(comment.actor_id for comment in seen.comments)]
    return several + [deed.actor_id for deed in deeds if deed.actor_id is not None]


def answers_said(pid: int, instance: Instance, form: Form | None, tree: PlaceTree, language: str) -> list[Line] | None:
    """With the names of what was picked from lists; None for what is encrypted or of an unknown form."""
    if instance.encrypted or form is None:
        return None
    lines = lines_of(form, instance, language)
    names = _names_of(pid, tree, {key for line in lines for key in line.chosen})
    return [
        replace(line, value=", ".join(names.get(key, key) for key in line.chosen)) if line.chosen else line
        for line in lines
    ]


def _names_of(pid: int, tree: PlaceTree, chosen: Collection[str]) -> Mapping[str, str]:
    """What the places and entities are called that were picked from lists outside the form."""
    names = {code: tree.places[code].name for code in set(chosen) & tree.places.keys()}
    return names | labels_of_entities(session(), pid, set(chosen) - names.keys())


def broken_of(form: Form | None, flag: Flag, language: str) -> Broken:
    """A flag in the words of the form and of whoever reads it."""
    said = str(FLAGS.get(flag.code, flag.code))
    path = _POSITIONS.sub("", flag.place)
    explained = said_in(words().locale, flag.message)
    if form is None or path not in form.fields:
        return Broken(flag.code, said, flag.place, "", explained, "")
    bind = form.binds.get(path)
    messages: Mapping[str, str] = {}
    if bind is not None and flag.code in ("constraint", "required"):
        messages = bind.constraint_messages if flag.code == "constraint" else bind.required_messages
    message = label_in(by_code(messages), language) or explained
    rule = _rule(form, flag.code, path, language)
    return Broken(flag.code, said, flag.place, label_of(form, path, language), message, rule)


def _neighbours_in(seen: SubmissionSeen) -> set[str]:
    """What may be the names of the submissions that this one is like: their instance ids stand in its flags."""
    told = [flag.message for flag in seen.flags if flag.code in (DOUBLE_SAVE, SAME_DAY)]
    original = {seen.double_of} if seen.double_of else set()
    return {word.rstrip(".") for message in told for word in message.split()} | original


def _leading(broken: Broken, others: Mapping[str, Visit]) -> Broken:
    """With the name of the other submission instead of its id."""
    for instance, visit in others.items():
        if instance in broken.message:
            return replace(broken, message=broken.message.replace(instance, visit.name), other=visit.number)
    return broken


def _anchored(broken: Broken, anchors: Mapping[str, str]) -> Broken:
    """With the way to what the page shows of its place, or of what is around that."""
    at = broken.place
    while at and at not in anchors:
        at = at.rpartition("/")[0]
    return replace(broken, anchor=anchors.get(at, ""))


def _rule(form: Form, code: str, path: str, language: str) -> str:
    """The rule that was broken, in words; of what should not have been asked, that of the group around it too."""
    name = {"constraint": "constraint", "relevant": "relevant", "calculation": "calculate"}.get(code)
    if name is None:
        return ""
    at = path
    while at and at != "/data":
        bind = form.binds.get(at)
        expression = getattr(bind, name) if bind is not None else None
        if expression is not None:
            return RuleReader(form, language).words(expression.text, at)
        if name != "relevant":
            return ""
        at = at.rpartition("/")[0]
    return ""


def _changes(pid: int, number: int, form: Form | None, tree: PlaceTree, language: str) -> dict[str, list[Changed]]:
    """By instance id what each version changed."""
    found = differences_of(session(), pid, number)
    return {name: changes_said(pid, form, several, tree, language) for name, several in found.items()}


def changes_said(
    pid: int, form: Form | None, differences: Iterable[Difference], tree: PlaceTree, language: str
) -> list[Changed]:
    """Differences in words; what nobody was asked is left out."""
    several = list(differences)
    picked = [key for one in several for side in (one.old, one.new) for key in _picked(form, _path_of(one), side)]
    called = _names_of(pid, tree, picked)
    found = (_changed(form, one, called, language) for one in several)
    return [one for one in found if one is not None]


def _path_of(one: Difference) -> str:
    return "/data/" + "/".join(step if isinstance(step, str) else step[0] for step in one.path)


def _picked(form: Form | None, path: str, value: Any) -> Iterator[str]:
    """What was picked from lists outside the form, in an answer or a group of them."""
    if isinstance(value, list):
        for one in value:
            yield from _picked(form, path, one)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _picked(form, f"{path}/{name}", one)
    elif value is not None and form is not None and (field := form.fields.get(path)) is not None and field.external:
        yield from str(value).split() if field.type in SEVERAL else [str(value)]


def _changed(form: Form | None, one: Difference, called: Mapping[str, str], language: str) -> Changed | None:
    names = [step if isinstance(step, str) else step[0] for step in one.path]
    if names[0] == "meta":
        return None
    path = _path_of(one)
    field = form.fields.get(path) if form is not None else None
    if field is not None and (field.calculated or field.metadata) and not field.labels:
        return None
    label = label_of(form, path, language) if form is not None else names[-1]
    turns = [str(step[1] + 1) for step in one.path if not isinstance(step, str)]
    return Changed(
        f"{label} ({', '.join(turns)})" if turns else label,
        _value(form, path, one.old, called, language),
        _value(form, path, one.new, called, language),
    )


def _value(form: Form | None, path: str, value: Any, called: Mapping[str, str], language: str) -> str:
    """An answer, or a group with its answers one after the other."""
    if value is None:
        return ""
    if isinstance(value, list):
        return words().semicolon.join(_value(form, path, one, called, language) for one in value)[:_LONGEST_SAID]
    if isinstance(value, dict):
        inside = []
        for name, one in value.items():
            said = _value(form, f"{path}/{name}", one, called, language)
            label = label_of(form, f"{path}/{name}", language) if form is not None else name
            inside += [f"{label}{words().colon}{said}"] if said else []
        return words().semicolon.join(inside)[:_LONGEST_SAID]
    if form is None:
        return str(value)
    if picked := list(_picked(form, path, value)):
        return ", ".join(called.get(key, key) for key in picked)
    return said_of(form, path, str(value), language)


def _done(deed: Deed, actors: Mapping[int, str]) -> Done:
    return Done(_deed_words(deed), actors.get(deed.actor_id or 0, ""), deed.at)


def _deed_words(deed: Deed) -> str:
    match deed.action:
        case "submission.create":
            return str(gettext("It came in"))
        case "submission.update.version":
            return str(gettext("Its answers were corrected"))
        case "submission.delete":
            return str(gettext("It was deleted"))
        case "submission.restore":
            return str(gettext("It was taken out of the bin"))
        case "comment.create":
            return str(gettext("Somebody commented on it"))
        case "submission.update" if "to" in deed.details:
            state = STATES.get(deed.details["to"], deed.details["to"])
            return str(gettext("Review: %(state)s", state=state))
    return str(gettext("Its files changed"))
