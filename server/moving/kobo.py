"""KoboToolbox, over version 2 of its API."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
from lxml import etree

from forms.findings import Faulty
from forms.xforms.instance import read_instance
from forms.xforms.xml import parser
from server.moving.fetching import Fetcher, moment
from server.moving.found import (
    FoundComment,
    FoundForm,
    FoundId,
    FoundInstance,
    FoundList,
    FoundRules,
    FoundSubmission,
    FoundUser,
    FoundVersion,
)
from server.moving.kobosheets import sheets_of, sheets_of_file, workbook_from
from sync.errors import Unexpected

_ASSETS = "/api/v2/assets/"
_PAGE = 1_000  # more are not given at once
_STATES = {
    "validation_status_approved": "approved",
    "validation_status_not_approved": "rejected",
    "validation_status_on_hold": "hasIssues",
}
# The strongest role first, and what gives it.
_ROLES = {
    "administrator": {"manage_asset"},
    "coordinator": {"validate_submissions", "change_submissions", "delete_submissions"},
    "viewer": {"view_submissions"},
    "collector": {"add_submissions"},
}
_NOBODY = "AnonymousUser"


class Kobo:
    """Reads the deployed forms that an account may see, or those of them that were `chosen`, and what was sent to them.

    Only the last state of each submission is given, and a form's version as rows, of which a workbook is made.
    """

    def __init__(self, url: str, token: str, chosen: Sequence[str] = ()) -> None:
        self._fetcher = Fetcher(url.partition("/#")[0], {"Authorization": f"Token {token}"})
        self._chosen = chosen
        self._listed: dict[str, dict[str, Any]] = {}  # the submissions of the form that was asked about last

    def name(self) -> str:
        names = [asset["name"] for asset in self._assets.values()]
        host = urlsplit(self._fetcher.url).hostname or self._fetcher.url
        return str(names[0] or host) if len(names) == 1 else host

    def forms(self) -> Iterator[FoundForm]:
        for uid, asset in self._assets.items():
            version = asset["deployed_version_id"] or asset["version_id"]
            last = FoundVersion(uid, version, None, self._workbook(uid, version, version), self._files(uid))
            state = "open" if asset["deployment__active"] else "closed"
            yield FoundForm(uid, asset["name"] or uid, state, [last], last_alone=True)

    def submission_ids(self, form_id: str) -> Iterator[FoundId]:
        self._listed = {}
        for row in self._rows(form_id):
            key = str(row["_id"])  # two may have one instance id: both are to be told about
            instance_id = row.get("meta/instanceID") or f"uuid:{row['_uuid']}"
            self._listed[key] = _kept(row) | {"instance_id": instance_id}
            yield FoundId(key, instance_id)

    def submission(self, form_id: str, instance_id: str) -> FoundSubmission:
        row = self._listed[instance_id]
        xml = self._fetcher.get(f"{_at(form_id)}data/{row['_id']}/?format=xml")
        with contextlib.suppress(Faulty):  # the intake keeps what nobody can read
            xml = _addressed(xml, form_id, row["instance_id"])
        sent_at = moment(row["_submission_time"])
        files = self._sent_files(row, xml)
        instance = FoundInstance(
            instance_id=row["instance_id"],
            xml=xml,
            files={name: content for name, content in files.items() if content is not None},
            sent_at=sent_at,
            sender=row["_submitted_by"],
            device=row["deviceid"],
            root=_prefixed(row["meta/rootUuid"] or row["instance_id"]),
            lacking=[name for name, content in files.items() if content is None],
        )
        status = row["_validation_status"] or {}
        notes = [_comment(note, sent_at) for note in row["_notes"] or ()]
        return FoundSubmission(form_id, [instance], _STATES.get(status.get("uid", "")), notes)

    def workbook_of(self, form_id: str, xml: bytes, version: str) -> bytes | None:
        root = read_instance(xml).root
        uid = root.findtext("__version__") or root.findtext("_version_")
        try:
            return self._workbook(form_id, uid.strip(), version) if uid else None
        except Unexpected:
            return None

    def rules(self) -> Iterator[FoundRules]:
        return iter(())

    def lists(self) -> Iterator[FoundList]:
        return iter(())

    def users(self) -> Iterator[FoundUser]:
        """With the least of the roles that they have in the forms: here it is one for all of them."""
        known, forms = self._known_people, [self._roles(asset) for asset in self._assets.values()]
        for person in sorted({person for form in forms for person in form}):
            roles = [form[person] for form in forms if person in form]
            role = max(roles, key=list(_ROLES).index)
            email, name = known.get(person, (None, person))
            if len(roles) < len(forms):
                email, name = None, f"{person}, in some of the forms only"
            yield FoundUser(email, name, role)

    # Forms

    @cached_property
    def _assets(self) -> dict[str, dict[str, Any]]:
        """The forms to be moved, by uid. Those that were never deployed have nothing to bring along."""
        if self._fetcher.get_or_none(f"{_ASSETS}?limit=1") is None:
            remedy = "give the address where its forms are made (kf., eu. or your own), not that of kc."
            raise Unexpected(f"{self._fetcher.url} has no KoboToolbox API, version 2; {remedy}")
        surveys = {
            row["uid"]: row["has_deployment"]
            for row in self._pages(f"{_ASSETS}?asset_type=survey&limit=100&format=json")
            if row["asset_type"] == "survey"
        }
        for uid in self._chosen:
            if uid not in surveys:
                raise Unexpected(f"{self._fetcher.url} shows this account no form {uid}.")
            if not surveys[uid]:
                raise Unexpected(f"The form {uid} was never deployed: there is nothing to move.")
        wanted = self._chosen or [uid for uid, deployed in surveys.items() if deployed]
        return {uid: self._fetcher.get_json(f"{_at(uid)}?format=json") for uid in wanted}

    def _workbook(self, uid: str, version_uid: str, version: str) -> bytes:
        """The workbook of a version, saying that it is the `version` that instances name.

        For the one that is worked on there is a file, in which KoboToolbox's own types of questions are common ones.
        """
        asset, sheets = self._assets[uid], None
        if asset["version_id"] == version_uid:
            with contextlib.suppress(Unexpected, Faulty):
                sheets = sheets_of_file(self._fetcher.get(f"{_ASSETS}{_quoted(uid)}.xls"), f"{uid}.xlsx")
        if sheets is None:
            found = self._fetcher.get_json(f"{_at(uid)}versions/{_quoted(version_uid)}/?format=json")
            sheets = sheets_of(found["content"], version_uid)
        return workbook_from(sheets, uid, version, asset["name"] or uid)

    def _files(self, uid: str) -> Mapping[str, bytes]:
        """Those of the form. One that is not to be had stops nothing: the form's page here says that it lacks it."""
        files: dict[str, bytes] = {}
        for row in self._pages(f"{_at(uid)}files/?file_type=form_media&format=json"):
            with contextlib.suppress(Unexpected):
                files[row["metadata"]["filename"]] = self._fetcher.get(self._fetcher.path_of(row["content"]))
        return files

    # Submissions

    def _rows(self, uid: str) -> Iterator[dict[str, Any]]:
        """Each begins after the last one that was read: what is deleted meanwhile does not make others be left out."""
        after = 0
        while True:
            query = {"_id": {"$gt": after}}
            asked = {"format": "json", "limit": _PAGE, "sort": _json({"_id": 1}), "query": _json(query)}
            page = self._fetcher.get_json(f"{_at(uid)}data/?{urlencode(asked)}")
            rows = page["results"]
            if rows and rows[-1]["_id"] <= after:
                raise Unexpected(f"{self._fetcher.url} gives the same submissions of {uid} again and again.")
            yield from rows
            if not rows or not page["next"]:
                return
            after = rows[-1]["_id"]

    def _sent_files(self, row: Mapping[str, Any], xml: bytes) -> Mapping[str, bytes | None]:
        """By the names that the answers have for them: the server's own may have spaces and signs replaced. None for
        what is gone."""
        named, files = {}, {}
        with contextlib.suppress(Faulty):
            named = {_stored(text): text for text in map(str, read_instance(xml).root.itertext())}
        for name, address in row["_attachments"]:
            files[named.get(_stored(name), name)] = self._fetcher.get_or_none(self._fetcher.path_of(address))
        return files

    # People

    @staticmethod
    def _roles(asset: Mapping[str, Any]) -> dict[str, str]:
        rights: dict[str, set[str]] = {}
        for row in asset["permissions"]:
            rights.setdefault(_last_of(row["user"]), set()).add(_last_of(row["permission"]))
        return {
            person: role
            for person, held in rights.items()
            if person != _NOBODY and (role := next((role for role, any_of in _ROLES.items() if held & any_of), None))
        }

    @cached_property
    def _known_people(self) -> dict[str, tuple[str, str]]:
        """Addresses and names by user name: of the account itself, and of those in the same organisation."""
        rows: list[tuple[Any, Any, Any]] = []
        with contextlib.suppress(Unexpected):
            for organisation in self._pages("/api/v2/organizations/?format=json"):
                for row in self._pages(f"/api/v2/organizations/{_quoted(organisation['id'])}/members/?format=json"):
                    name = row.get("user__extra_details__name") or row.get("user__name")  # by the age of the server
                    rows.append((row.get("user__username"), row.get("user__email"), name))
        with contextlib.suppress(Unexpected):
            me = self._fetcher.get_json("/me/?format=json")
            rows.append((me.get("username"), me.get("email"), (me.get("extra_details") or {}).get("name", "")))
        return {person: (email, name or person) for person, email, name in rows if email}

    def _pages(self, path: str) -> Iterator[Any]:
        following: str | None = path
        while following:
            page = self._fetcher.get_json(following)
            yield from page["results"]
            following = self._fetcher.path_of(page["next"]) if page.get("next") else None


def _at(uid: str) -> str:
    return f"{_ASSETS}{_quoted(uid)}/"


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is needed of a row beside its XML, so that the rows of a large form find room."""
    names = ("_id", "_submission_time", "_submitted_by", "deviceid", "meta/rootUuid", "_validation_status", "_notes")
    files = [
        (file.get("media_file_basename") or PurePosixPath(file["filename"]).name, file["download_url"])
        for file in row.get("_attachments") or ()
        if not file.get("is_deleted")
    ]
    return {name: row.get(name) for name in names} | {"_attachments": files}


def _addressed(xml: bytes, form_id: str, instance_id: str) -> bytes:
    """Untouched, unless it names its form as it was called before the form changed hands, or has no id."""
    instance = read_instance(xml)
    if instance.form_id == form_id and instance.instance_id:
        return xml
    root = etree.fromstring(xml, parser())
    root.set("id", form_id)
    if not instance.instance_id:
        root.set("instanceID", instance_id)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _comment(note: Any, sent_at: dt.datetime | None) -> FoundComment:
    body, said = (note.get("note"), note.get("date_created")) if isinstance(note, dict) else (note, None)
    return FoundComment(str(body), None, moment(said) or sent_at or dt.datetime.min.replace(tzinfo=dt.UTC))


def _stored(name: str) -> str:
    return "".join(sign for sign in name.strip().replace(" ", "_") if sign.isalnum() or sign in "_-.")


def _prefixed(uuid: str) -> str:
    return uuid if uuid.startswith("uuid:") else f"uuid:{uuid}"


def _last_of(address: str) -> str:
    return urlsplit(address).path.rstrip("/").rpartition("/")[2]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _quoted(text: str) -> str:
    return quote(text, safe="")
