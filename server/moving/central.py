"""A project on ODK Central, or on any server with its REST."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from urllib.parse import quote

from server.moving.fetching import Fetcher
from server.moving.found import (
    FoundComment,
    FoundEntity,
    FoundForm,
    FoundId,
    FoundInstance,
    FoundList,
    FoundRules,
    FoundSubmission,
    FoundUser,
    FoundVersion,
)
from sync.errors import Unexpected

_ROLES = {"manager": "administrator", "viewer": "viewer", "formfill": "collector", "coordinator": "coordinator"}
_SYSTEM_COLUMNS = "__"


class Central:
    """Reads one project. `project` is its number there."""

    def __init__(self, fetcher: Fetcher, project: int) -> None:
        self._fetcher = fetcher
        self._at = f"/v1/projects/{project}"
        self._listed: dict[str, dict[str, Any]] = {}  # the submissions of the form that was asked about last

    @classmethod
    def signed_in(cls, url: str, project: int, email: str, password: str) -> Central:
        """Begin a session there."""
        fetcher = Fetcher(url, {})
        session = fetcher.post_json("/v1/sessions", {"email": email, "password": password})
        fetcher.carry("Authorization", f"Bearer {session['token']}")
        return cls(fetcher, project)

    def name(self) -> str:
        return str(self._fetcher.get_json(self._at)["name"])

    def forms(self) -> Iterator[FoundForm]:
        for form in self._fetcher.get_json(f"{self._at}/forms"):
            if not form.get("publishedAt"):
                continue  # a draft that nobody has filled in
            at = f"{self._at}/forms/{_quoted(form['xmlFormId'])}"
            versions = sorted(self._fetcher.get_json(f"{at}/versions"), key=lambda row: row["publishedAt"])
            yield FoundForm(
                form_id=form["xmlFormId"],
                title=form["name"] or form["xmlFormId"],
                state=form["state"],
                versions=[self._version(at, form["xmlFormId"], row["version"]) for row in versions],
            )

    def submission_ids(self, form_id: str) -> Iterator[FoundId]:
        rows = self._fetcher.get_json(f"{self._at}/forms/{_quoted(form_id)}/submissions", X_Extended_Metadata="true")
        rows.sort(key=lambda row: row["createdAt"])
        self._listed = {row["instanceId"]: row for row in rows}
        for row in rows:
            yield FoundId(row["instanceId"], row["currentVersion"]["instanceId"])

    def submission(self, form_id: str, instance_id: str) -> FoundSubmission:
        at = f"{self._at}/forms/{_quoted(form_id)}/submissions/{_quoted(instance_id)}"
        row = self._listed[instance_id]
        versions = [row]
        if row["currentVersion"]["instanceId"] != instance_id:
            versions = self._fetcher.get_json(f"{at}/versions", X_Extended_Metadata="true")
            versions.reverse()  # to be oldest first, also where two were received at one moment
        comments = self._fetcher.get_json(f"{at}/comments", X_Extended_Metadata="true")
        return FoundSubmission(
            form_id=form_id,
            instances=[self._instance(at, one) for one in sorted(versions, key=lambda one: one["createdAt"])],
            review_state=row["reviewState"],
            comments=[_comment(one) for one in sorted(comments, key=lambda one: one["createdAt"])],
        )

    def workbook_of(self, form_id: str, xml: bytes, version: str) -> bytes | None:
        return None

    def rules(self) -> Iterator[FoundRules]:
        for row in self._fetcher.get_json(f"{self._at}/datasets"):
            yield FoundRules(
                row["name"],
                approval_required=bool(row.get("approvalRequired")),
                owner_only=bool(row.get("ownerOnly")),
                filtered=bool(row.get("accessFilter")) and not row.get("ownerOnly"),
            )

    def lists(self) -> Iterator[FoundList]:
        for row in self._fetcher.get_json(f"{self._at}/datasets"):
            at = f"{self._at}/datasets/{_quoted(row['name'])}"
            # Central has no other cells than plain ones, and passes over what it does not know.
            text = self._fetcher.get(f"{at}/entities.csv?safeCells=false").decode("utf-8-sig")
            table = csv.DictReader(io.StringIO(text))
            properties = [
                name for name in table.fieldnames or () if not name.startswith(_SYSTEM_COLUMNS) and name != "label"
            ]
            entities = [
                FoundEntity(
                    line["__id"],
                    line["label"],
                    {name: line[name] for name in properties if line.get(name)},
                    dt.datetime.fromisoformat(line.get("__updatedAt") or line["__createdAt"]),
                )
                for line in table
            ]
            gone = self._fetcher.get_json(f"{at}/entities?deleted=true")
            deleted = {one["uuid"]: dt.datetime.fromisoformat(one["deletedAt"]) for one in gone if one.get("deletedAt")}
            yield FoundList(row["name"], properties, entities, deleted)

    def users(self) -> Iterator[FoundUser]:
        """Those with a role in the project, as far as this account may see them."""
        try:
            people = {row["id"]: row for row in self._fetcher.get_json("/v1/users")}
            assigned = self._fetcher.get_json(f"{self._at}/assignments")
        except Unexpected:
            return
        for row in assigned:
            person, role = people.get(row["actorId"]), _ROLES.get(self._role_names.get(row["roleId"], ""))
            if person and role and person.get("email"):
                yield FoundUser(person["email"], person["displayName"], role)

    @cached_property
    def _role_names(self) -> dict[int, str]:
        return {row["id"]: row["system"] for row in self._fetcher.get_json("/v1/roles")}

    def _version(self, at: str, form_id: str, version: str) -> FoundVersion:
        here = f"{at}/versions/{_quoted(version) or '___'}"
        files = {
            row["name"]: self._fetcher.get(f"{here}/attachments/{_quoted(row['name'])}")
            for row in self._fetcher.get_json(f"{here}/attachments")
            if row.get("blobExists", row.get("exists")) and not row.get("datasetExists")
        }
        return FoundVersion(
            form_id, version, self._fetcher.get(f"{here}.xml"), self._fetcher.get_or_none(f"{here}.xlsx"), files
        )

    def _instance(self, at: str, row: dict[str, Any]) -> FoundInstance:
        here = f"{at}/versions/{_quoted(row['instanceId'])}"
        files = {
            file["name"]: self._fetcher.get(f"{here}/attachments/{_quoted(file['name'])}")
            for file in self._fetcher.get_json(f"{here}/attachments")
            if file["exists"]
        }
        return FoundInstance(
            instance_id=row["instanceId"],
            xml=self._fetcher.get(f"{here}.xml"),
            files=files,
            sent_at=dt.datetime.fromisoformat(row["createdAt"]),
            sender=(row.get("submitter") or {}).get("displayName"),
            device=row.get("deviceId"),
        )


def _comment(row: dict[str, Any]) -> FoundComment:
    by = (row.get("actor") or {}).get("displayName")
    return FoundComment(row["body"], by, dt.datetime.fromisoformat(row["createdAt"]))


def _quoted(text: str) -> str:
    return quote(text, safe="")
