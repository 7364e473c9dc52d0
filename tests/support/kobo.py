"""A stand-in for KoboToolbox: what version 2 of its API answers, by its documentation, over HTTP on this machine.

Also a store on another port, to which it sends whoever asks for a file; and it can be slow, busy, or break off.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.live import answered

TOKEN = "c0ffee"
LANGUAGES = ["English (en)", "Français (fr)"]

Answer = tuple[int, dict[str, str], bytes]


def row(kind: str, name: str, *labels: str, **more: Any) -> dict[str, Any]:
    """A row of a form's content, with what KoboToolbox adds to it."""
    return {"type": kind, "$autoname": name, "$kuid": f"k{name}", "$xpath": name, "label": list(labels), **more}


def content(*rows: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """A version of a form as rows, with a list of two villages."""
    villages = [
        {"list_name": "village", "$autovalue": name, "$kuid": name, "label": [name.title(), name.title()]}
        for name in ("siby", "kati")
    ]
    head = {"schema": "1", "translations": LANGUAGES, "translated": ["label"], "settings": settings}
    return head | {"survey": [{"type": "start", "name": "start"}, *rows], "choices": villages}


@dataclass
class Version:
    """A version of a form: its rows, and how its instances name it."""

    uid: str
    content: dict[str, Any]
    named: str
    deployed: bool = True


@dataclass
class Asset:
    """A form with its versions, the latest last. `xls` is what is served as its workbook, if anything is."""

    uid: str
    name: str
    versions: list[Version] = field(default_factory=list)
    xls: bytes | None = None
    active: bool = True
    rights: dict[str, list[str]] = field(default_factory=dict)
    media: dict[str, bytes] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    xml: dict[int, bytes] = field(default_factory=dict)
    files: dict[tuple[int, str], bytes] = field(default_factory=dict)

    @property
    def deployed(self) -> Version | None:
        return next((version for version in reversed(self.versions) if version.deployed), None)

    def send(self, number: int, version: Version, answers: str, **more: Any) -> None:
        """A submission, or its new state if one with this number is here: with another instance id, as edits have."""
        known = next((one for one in self.rows if one["_id"] == number), None)
        instance_id = f"uuid:{uuid.uuid4()}" if known else uuid_of(number)
        meta = f"<instanceID>{instance_id}</instanceID>"
        if known:
            meta += f"<deprecatedID>{known['meta/instanceID']}</deprecatedID>"
        form_id = more.pop("id", self.uid)
        self.xml[number] = (
            f'<?xml version="1.0" encoding="utf-8"?><{self.uid} id="{form_id}" version="{version.named}">'
            f"<formhub><uuid>f0</uuid></formhub><start>2026-11-01T08:00:00.000+00:00</start>{answers}"
            f"<__version__>{version.uid}</__version__><meta>{meta}</meta></{self.uid}>"
        ).encode()
        files = more.pop("files", {})
        described = known or {
            "_id": number,
            "meta/rootUuid": instance_id,
            "_submission_time": f"2026-11-02T10:{number:02}:00",
            "_submitted_by": "amina",
            "deviceid": "collect:abc",
            "_notes": [],
            "_validation_status": {},
        }
        described |= {"_uuid": instance_id[5:], "meta/instanceID": instance_id, "__version__": version.uid} | more
        described["_attachments"] = [
            {
                "uid": f"att{at}",
                "filename": f"amina/attachments/{name.replace(' ', '_')}",
                "media_file_basename": name.replace(" ", "_"),
                "download_url": f"%s/api/v2/assets/{self.uid}/data/{number}/attachments/att{at}/",
                "mimetype": "image/jpeg",
                "is_deleted": False,
            }
            for at, name in enumerate(files)
        ]
        self.files |= {(number, f"att{at}"): body for at, body in enumerate(files.values())}
        if known is None:
            self.rows.append(described)


def uuid_of(number: int) -> str:
    """The first instance id of the submission with this number."""
    return f"uuid:{uuid.UUID(int=number)}"


@dataclass
class KoboServer:
    """What is there. `most` rows are given at once; `blind` are forms whose data this account may not see."""

    assets: list[Asset] = field(default_factory=list)
    members: dict[str, str] = field(default_factory=dict)  # addresses of the organisation's people
    most: int = 2
    blind: set[str] = field(default_factory=set)
    busy: int = 0  # so many answers from now on are 429
    cut: int = 0  # so many bodies from now on break off
    revoked_after: int | None = None
    deaf: bool = False  # to the query for what comes after a submission
    store_status: int = 200
    url: str = ""
    store: str = ""
    heard: list[tuple[str, str | None]] = field(default_factory=list)  # at the store: what, and with which token

    def answer(self, path: str, token: str | None) -> Answer:
        if token != f"Token {TOKEN}" or self.revoked_after == 0:
            return 401, {}, b'{"detail": "Invalid token."}'
        if self.revoked_after is not None:
            self.revoked_after -= 1
        if self.busy:
            self.busy -= 1
            return 429, {"Retry-After": "0"}, b'{"detail": "Request was throttled."}'
        asked = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        match asked.path.strip("/").split("/"):
            case ["me"]:
                return shown(
                    {"username": "djeneba", "email": "djeneba@example.org", "extra_details": {"name": "Djeneba"}}
                )
            case ["api", "v2", "organizations"]:
                return shown({"count": 1, "next": None, "results": [{"id": "org1"}]})
            case ["api", "v2", "organizations", "org1", "members"]:
                people = [
                    {"user__username": name, "user__email": email, "user__extra_details__name": name.title()}
                    for name, email in self.members.items()
                ]
                return self.paged(asked.path, query, people, "offset")
            case ["api", "v2", "assets"]:
                return self.paged(asked.path, query, [self.listed(asset) for asset in self.assets], "offset")
            case ["api", "v2", "assets", named, *rest]:
                asset = next((one for one in self.assets if one.uid == named.removesuffix(".xls")), None)
                return self.of_asset(asset, named, rest, asked.path, query) if asset else NOT_FOUND
        return NOT_FOUND

    def of_asset(self, asset: Asset, named: str, rest: list[str], path: str, query: dict[str, str]) -> Answer:
        match rest:
            case [] if named.endswith(".xls"):
                return (200, {}, asset.xls) if asset.xls is not None else NOT_FOUND
            case []:
                return shown(self.listed(asset) | self.described(asset))
            case ["versions", uid]:
                found = next((one for one in asset.versions if one.uid == uid), None)
                return shown({"uid": uid, "content": found.content}) if found else NOT_FOUND
            case ["files"]:
                files = [
                    {"content": f"{self.url}{path}{at}/content/", "metadata": {"filename": name}}
                    for at, name in enumerate(asset.media)
                ]
                return self.paged(path, query, files, "offset")
            case ["files", at, "content"]:
                return 200, {}, list(asset.media.values())[int(at)]
            case ["data", *_] if asset.uid in self.blind:
                return 403, {}, b'{"detail": "You do not have permission to perform this action."}'
            case ["data"]:
                after = 0 if self.deaf else json.loads(query.get("query", "{}")).get("_id", {}).get("$gt", 0)
                rows = sorted((one for one in asset.rows if one["_id"] > after), key=lambda one: one["_id"])
                return self.paged(path, query, json.loads(json.dumps(rows).replace('"%s/', f'"{self.url}/')), "start")
            case ["data", number] if query.get("format") == "xml":
                return (200, {}, asset.xml[int(number)]) if int(number) in asset.xml else NOT_FOUND
            case ["data", number, "attachments", uid] if (int(number), uid) in asset.files:
                return 302, {"Location": f"{self.store}/{asset.uid}/{number}/{uid}?signature=s"}, b""
        return NOT_FOUND

    def paged(self, path: str, query: dict[str, str], rows: list[Any], name: str) -> Answer:
        begin, limit = int(query.get(name, 0)), min(int(query.get("limit", 100)), self.most)
        more = begin + limit < len(rows)
        following = f"{self.url}{path}?limit={limit}&{name}={begin + limit}" if more else None
        return shown({"count": len(rows), "next": following, "results": rows[begin : begin + limit]})

    def listed(self, asset: Asset) -> dict[str, Any]:
        return {"uid": asset.uid, "asset_type": "survey", "has_deployment": asset.deployed is not None}

    def described(self, asset: Asset) -> dict[str, Any]:
        deployed = asset.deployed
        return {
            "name": asset.name,
            "version_id": asset.versions[-1].uid,
            "deployed_version_id": deployed.uid if deployed else None,
            "deployment__active": asset.active,
            "permissions": [
                {
                    "user": f"{self.url}/api/v2/users/{person}/",
                    "permission": f"{self.url}/api/v2/permissions/{right}/",
                }
                for person, rights in asset.rights.items()
                for right in rights
            ],
        }

    def stored(self, path: str, token: str | None) -> Answer:
        """What the store answers, which wants no token."""
        self.heard.append((path, token))
        uid, number, name = urlsplit(path).path.strip("/").split("/")
        asset = next(one for one in self.assets if one.uid == uid)
        return self.store_status, {}, asset.files[int(number), name]


NOT_FOUND: Answer = (404, {}, b'{"detail": "Not found."}')


def shown(value: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


@contextmanager
def serving(kobo: KoboServer) -> Iterator[KoboServer]:
    """It answers at its `url`, and its store at `store`, until the block ends."""
    with ExitStack() as stack:
        kobo.store = stack.enter_context(_answering(kobo.stored, lambda: False))
        kobo.url = stack.enter_context(_answering(kobo.answer, lambda: _breaks_off(kobo)))
        yield kobo


def _breaks_off(kobo: KoboServer) -> bool:
    left = kobo.cut
    kobo.cut = max(0, left - 1)
    return left > 0


@contextmanager
def _answering(answer: Callable[[str, str | None], Answer], breaks_off: Callable[[], bool]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path, self.headers.get("Authorization"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if breaks_off() else body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the library's word
            pass

    with answered(Handler) as address:
        yield address
