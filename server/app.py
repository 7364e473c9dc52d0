"""The web application, put together."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.datastructures import Headers
from werkzeug.routing import IntegerConverter, Map, PathConverter, Rule, UnicodeConverter

from forms.xpath.numbers import LARGEST
from server import clock, current
from server.acts.exporting import install_exports
from server.api import (
    app_users,
    assignments,
    audits,
    backups,
    batches,
    changes,
    datasets,
    description,
    drafts,
    entities,
    entity_files,
    exports,
    figures,
    files,
    form_files,
    forms,
    keys,
    matches,
    people,
    projects,
    public_links,
    quarantine,
    review,
    sessions,
    statements,
    submission_files,
    submission_history,
    submissions,
    users,
    webhooks,
)
from server.api import device_places as api_device_places
from server.api import word_templates as api_word_templates
from server.current import Parts
from server.db import connect_database, engine_of
from server.door.capacity import Rates, Slots
from server.door.carrying import say_taken
from server.door.front import PATH_SHOWN, SLASH, Front
from server.door.guards import guard
from server.door.traffic import WHOSE, Counted
from server.language.catalogues import install_catalogues
from server.language.words import remember_language
from server.logs import log
from server.odata import drafts as odata_drafts
from server.odata import entities as odata_entities
from server.odata import forms as odata_forms
from server.odata import photos
from server.openrosa import aggregate, formlist, lists, manifest, submission
from server.openrosa.answers import answer_in_openrosa, speaks_openrosa
from server.openrosa.unchanged import Unchanged
from server.pages import account, signing
from server.pages import api as api_pages
from server.pages import health as health_pages
from server.pages.awaited import install_awaited
from server.pages.carried import install_carried
from server.pages.devices import device_places, devices
from server.pages.figures import figures as figure_pages
from server.pages.figures import indicators as indicator_pages
from server.pages.figures import statements as statement_pages
from server.pages.figures import tables as table_pages
from server.pages.figures import why as why_pages
from server.pages.figures import word_templates
from server.pages.forms import drafts as draft_pages
from server.pages.forms import forms as form_pages
from server.pages.forms import programme as programme_pages
from server.pages.frame import install_frame, version_of
from server.pages.people import lists as list_pages
from server.pages.people import matches as match_pages
from server.pages.people import people as people_pages
from server.pages.project import data as data_pages
from server.pages.project import names as name_pages
from server.pages.project import overview, overview_parts
from server.pages.project import settings as settings_pages
from server.pages.project import team as team_pages
from server.pages.project import webhooks as webhook_pages
from server.pages.submissions import bin as bin_pages
from server.pages.submissions import central_links
from server.pages.submissions import editing as editing_pages
from server.pages.submissions import quarantine as quarantine_pages
from server.pages.submissions import review as review_pages
from server.pages.submissions import submissions as submission_pages
from server.settings import Settings, load_settings
from server.wire.compression import compress
from server.wire.problems import say_no_well
from sync.intake.content import ContentStore

_MODULES = (
    sessions,
    users,
    assignments,
    audits,
    backups,
    projects,
    app_users,
    api_device_places,
    public_links,
    forms,
    form_files,
    drafts,
    keys,
    formlist,
    manifest,
    lists,
    submission,
    aggregate,
    datasets,
    entities,
    entity_files,
    batches,
    files,
    changes,
    figures,
    statements,
    api_word_templates,
    submission_files,
    submission_history,
    submissions,
    review,
    quarantine,
    matches,
    people,
    webhooks,
    exports,
    odata_forms,
    odata_drafts,
    odata_entities,
    photos,
    description,
    signing,
    account,
    overview,
    overview_parts,
    submission_pages,
    central_links,
    editing_pages,
    review_pages,
    match_pages,
    people_pages,
    list_pages,
    quarantine_pages,
    indicator_pages,
    why_pages,
    table_pages,
    figure_pages,
    statement_pages,
    word_templates,
    form_pages,
    draft_pages,
    devices,
    device_places,
    team_pages,
    settings_pages,
    name_pages,
    data_pages,
    bin_pages,
    webhook_pages,
    programme_pages,
    health_pages,
    api_pages,
)
_YEAR = 365 * 24 * 3600


def create_app(settings: Settings | None = None) -> Flask:
    """The application for these settings, by default those of the environment. Opens no connection yet."""
    settings = settings or load_settings()
    app = Siby(__name__)
    app.url_rule_class = Address
    app.url_map.strict_slashes = False
    app.url_map.converters["int"] = Number
    app.url_map.converters["default"] = Segment
    app.url_map.converters["path"] = Rest
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request
    app.config["MAX_FORM_MEMORY_SIZE"] = 1024 * 1024
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    parts = Parts(
        settings=settings,
        store=ContentStore(settings.files_folder, settings.reserve),
        slots=Slots(settings.at_once),
        rates=Rates(settings.requests_an_hour),
    )
    current.install(app, parts)
    install_exports(app, settings)
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    clock.follow(settings.folder)
    connect_database(app, settings.database_url)
    app.before_request(_begin)
    for module in _MODULES:
        app.register_blueprint(module.bp)
    guard(app)
    say_no_well(app)
    app.after_request(_end)
    app.teardown_request(lambda _error: current.give_slot_back())
    install_catalogues(app)
    install_frame(app)
    install_awaited(app)
    install_carried(app)
    unchanged = Unchanged(Counted(app.wsgi_app, parts.tally), lambda: engine_of(app), parts.rates)
    front: Any = Front(unchanged, settings.trusted_proxies)
    app.wsgi_app = front  # type: ignore[method-assign]
    return app


class Answer(Response):
    """Flask's own, which says its language also where nothing has changed: OpenRosa wants it in every answer."""

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        headers = super().get_wsgi_headers(environ)
        if self.status_code == 304 and (language := self.headers.get("Content-Language")) is not None:
            headers["Content-Language"] = language
        return headers


class Siby(Flask):
    """Flask without what it does anew for each of many functions of each request, and finds no use for here."""

    response_class = Answer

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view and no hook is a coroutine."""
        return func


class Address(Rule):
    """A rule that learns how to write its addresses when somebody asks for one.

    Werkzeug compiles two functions for that when a rule is added: for hundreds of rules, of which most never write an
    address, more than half of the time in which the application starts.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        def build(rule: Address, *given: Any, **more: Any) -> tuple[str, str]:
            written = super()._compile_builder(append_unknown)
            setattr(rule, "_build_unknown" if append_unknown else "_build", written.__get__(rule, None))
            return written(rule, *given, **more)

        return build


class Number(IntegerConverter):
    """A number in an address; one that no column could hold is one that there is not."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=LARGEST)


class Segment(UnicodeConverter):
    """A name in an address; a slash in it is sent as %2F."""

    def to_python(self, value: str) -> str:
        return value.replace(SLASH, "/")

    def to_url(self, value: str) -> str:
        return super().to_url(value).replace("/", "%2F")


class Rest(PathConverter):
    """All that is left of an address, as a name that may be sent with its slashes as they are."""

    def to_python(self, value: str) -> str:
        return value.replace(SLASH, "/")


def _begin() -> None:
    g.request_id = secrets.token_hex(8)
    g.began = time.perf_counter()


def _end(response: Response) -> Response:
    headers = response.headers
    headers["X-Request-Id"] = g.get("request_id", "")
    if "Vary" in headers:
        response.vary.update(("Accept-Encoding", "Origin"))
    else:
        headers.add("Vary", "Accept-Encoding, Origin")
    if request.endpoint == "static" and response.status_code == 200:
        lasts = _YEAR if request.args.get("v") == version_of((request.view_args or {})["filename"]) else 3600
        response.headers["Cache-Control"] = f"public, max-age={lasts}"
    if speaks_openrosa():
        answer_in_openrosa(response)
    remember_language(response)
    say_taken(response)
    response = compress(response)
    known = current.visitor_or_none()
    if known is not None and known.kind == "device":
        request.environ[WHOSE] = (known.project_id, known.actor_id)
    log(
        "request",
        id=g.get("request_id"),
        method=request.method,
        path=request.environ.get(PATH_SHOWN),
        status=response.status_code,
        ms=round((time.perf_counter() - g.get("began", time.perf_counter())) * 1000, 1),
        actor=known.actor_id if known else None,
    )
    return response
