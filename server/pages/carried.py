"""What somebody had filled in when their session had ended, said in words before it is sent after all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app, url_for
from flask_babel import gettext
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from server.db import session
from server.door.carrying import Carried
from server.door.guards import need_of
from server.language.words import words
from server.pages.frame import SECTIONS, project_of
from server.pages.people.people_words import kind_of
from server.pages.said import DECISIONS, STATES
from server.pages.submissions.editing import edit_said
from server.pages.submissions.submission_seen import Changed
from server.queries.submissions import name_of_submission, titles_of_forms, visits_called
from sync.accounts.roles import may, role_in
from sync.errors import Refusal
from sync.models import Actor, Project, Token
from sync.review.match_view import names_of_pairs
from sync.review.matches import matching_list, pair_of


@dataclass(frozen=True, slots=True)
class Act:
    """What would be done, and about what, with the page where that is looked at; of corrected answers each change, else
    None."""

    what: str
    about: str
    page: str
    changes: Sequence[Changed] | None = None


def install_carried(app: Flask) -> None:
    """Let the page that sends it say what it is."""
    app.context_processor(lambda: {"act_of": act_of})


def act_of(carried: Carried, token: bytes) -> Act | None:
    """None for what whoever is signed in by the token may not do any more, and for what belongs to no project."""
    try:
        endpoint, args = current_app.url_map.bind("").match(urlsplit(carried.to).path, method="POST")
    except HTTPException:
        return None
    row, need = session().get(Token, token), need_of(current_app.view_functions[endpoint])
    project = session().get(Project, args["pid"]) if "pid" in args else None
    if row is None or need is None or project is None or project.deleted_at is not None:
        return None
    role = role_in(session(), session().get_one(Actor, row.actor_id), project.id)
    if role is None or not may(role, need.right):
        return None
    say = _SAID.get(endpoint, _in_a_section)
    try:
        return say(endpoint, args, MultiDict(carried.fields))
    except Refusal:
        return _in_a_section(endpoint, args, MultiDict())


def _in_a_section(endpoint: str, args: Mapping[str, Any], _given: MultiDict[str, str]) -> Act:
    blueprint = endpoint.partition(".")[0]
    project = project_of(args["pid"])
    section = next((one for one in SECTIONS if one.endpoint.partition(".")[0] == blueprint), SECTIONS[0])
    return Act(str(section.label), project.name, url_for(section.endpoint, pid=project.id))


def _decision(_endpoint: str, args: Mapping[str, Any], given: MultiDict[str, str]) -> Act:
    state = STATES.get(DECISIONS.get(given.get("decision", "")), "")
    return _about_visit(args, gettext("Decision: %(state)s", state=state))


def _comment(_endpoint: str, args: Mapping[str, Any], _given: MultiDict[str, str]) -> Act:
    return _about_visit(args, gettext("Comment"))


def _edit(_endpoint: str, args: Mapping[str, Any], given: MultiDict[str, str]) -> Act:
    saves = given.get("act") == "save"
    what = gettext("Answers to be saved as a new version") if saves else gettext("Answers, not yet to be saved")
    return _about_visit(args, what, edit_said(args["pid"], args["number"], given))


def _deletion(_endpoint: str, args: Mapping[str, Any], _given: MultiDict[str, str]) -> Act:
    return _about_visit(args, gettext("Delete"))


def _about_visit(args: Mapping[str, Any], what: str, changes: Sequence[Changed] | None = None) -> Act:
    pid, number = args["pid"], args["number"]
    form_id, instance = name_of_submission(session(), pid, number)
    visit = visits_called(session(), pid, form_id, [instance])[instance]
    title = titles_of_forms(session(), pid).get(form_id, form_id)
    page = url_for("submission_pages.submission", pid=pid, number=number)
    return Act(what, f"{title}{words().colon}{visit.name}", page, changes)


def _many(_endpoint: str, args: Mapping[str, Any], given: MultiDict[str, str]) -> Act:
    state = STATES.get(DECISIONS.get(given.get("decision", "")), "")
    what = gettext("Decision: %(state)s", state=state)
    page = url_for("review_pages.many", pid=args["pid"])
    if given.get("act") != "decide":
        return Act(gettext("What would change?"), what, page)
    return Act(what, gettext("Decide about many at once"), page)


def _pair(_endpoint: str, args: Mapping[str, Any], given: MultiDict[str, str]) -> Act:
    pid, number, decision = args["pid"], args["number"], given.get("decision", "")
    kind = kind_of(matching_list(session(), pid, pair_of(session(), pid, number).list_name))
    what = gettext("Decision: %(state)s", state=kind["decisions"].get(decision, ""))
    return Act(what, names_of_pairs(session(), pid, [number])[number], url_for("match_pages.pair", **args))


_SAID: Mapping[str, Callable[[str, Mapping[str, Any], MultiDict[str, str]], Act]] = {
    "review_pages.decide": _decision,
    "review_pages.post_many": _many,
    "submission_pages.post_comment": _comment,
    "submission_pages.post_delete": _deletion,
    "editing_pages.post_edit": _edit,
    "match_pages.post_pair": _pair,
}
