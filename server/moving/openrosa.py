"""A server that speaks OpenRosa with ODK Briefcase's additions: KoboToolbox, Ona, ODK Aggregate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from urllib.parse import quote, urlsplit

from lxml import etree

from forms.xforms.corrections import name_as_first
from forms.xforms.xml import parser
from server.moving.fetching import Fetcher, basic, moment
from server.moving.found import (
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

_PAGE = 100
_OPENROSA = {"X_OpenRosa_Version": "1.0"}


class OpenRosa:
    """Reads the forms that an account may see, with what was sent to them. There are no lists and no users to read."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self._fetcher = Fetcher(url, {"Authorization": basic(name, password)})

    def name(self) -> str:
        return urlsplit(self._fetcher.url).hostname or self._fetcher.url

    def forms(self) -> Iterator[FoundForm]:
        for form_id, entry in self._listed.items():
            xform = self._follow(entry["downloadUrl"])
            version = _root_of(xform, form_id).get("version", "")
            files = self._files(entry.get("manifestUrl"))
            last = FoundVersion(form_id, version, xform, None, files)
            yield FoundForm(form_id, entry.get("name") or form_id, "open", [last], last_alone=True)

    def submission_ids(self, form_id: str) -> Iterator[FoundId]:
        cursor, seen = "", set[str]()
        while True:
            asked = f"formId={quote(form_id, safe='')}&numEntries={_PAGE}&cursor={quote(cursor, safe='')}"
            page = _read(self._fetcher.get(f"/view/submissionList?{asked}&includeIncomplete=false", **_OPENROSA))
            ids = [text for element in page.iter("{*}id") if (text := (element.text or "").strip())]
            yield from (FoundId(one, one) for one in ids if one not in seen)
            following = (page.findtext("{*}resumptionCursor") or "").strip()
            if not ids or following in ("", cursor) or seen.issuperset(ids):
                return
            seen.update(ids)
            cursor = following

    def submission(self, form_id: str, instance_id: str) -> FoundSubmission:
        root = _root_of(self._follow(self._listed[form_id]["downloadUrl"]), form_id)
        name = etree.QName(root).localname
        key = f"{form_id}[@version=null and @uiVersion=null]/{name}[@key={instance_id}]"
        answer = _read(self._fetcher.get(f"/view/downloadSubmission?formId={quote(key, safe='')}", **_OPENROSA))
        data = answer.find("{*}data")
        if data is None or len(data) == 0:
            raise Unexpected(f"{self._fetcher.url} gives no data for {instance_id}.")
        instance = data[0]
        sent_at = moment(instance.get("submissionDate") or instance.get("markedAsCompleteDate"))
        for theirs in {"submissionDate", "isComplete", "markedAsCompleteDate"} & set(instance.attrib):
            del instance.attrib[theirs]
        name_as_first(instance, instance_id)
        files = {
            (media.findtext("{*}filename") or "").strip(): self._follow(
                (media.findtext("{*}downloadUrl") or "").strip()
            )
            for media in answer.iter("{*}mediaFile")
        }
        only = FoundInstance(instance_id, etree.tostring(instance, encoding="UTF-8"), files, sent_at, None, None)
        return FoundSubmission(form_id, [only], None, ())

    def workbook_of(self, form_id: str, xml: bytes, version: str) -> bytes | None:
        return None

    def rules(self) -> Iterator[FoundRules]:
        return iter(())

    def lists(self) -> Iterator[FoundList]:
        return iter(())

    def users(self) -> Iterator[FoundUser]:
        return iter(())

    @cached_property
    def _listed(self) -> dict[str, dict[str, str]]:
        found = {}
        for element in _read(self._fetcher.get("/formList", **_OPENROSA)).iter("{*}xform"):
            entry = {etree.QName(child).localname: (child.text or "").strip() for child in element}
            if entry.get("formID") and entry.get("downloadUrl"):
                found[entry["formID"]] = entry
        return found

    def _files(self, manifest: str | None) -> Mapping[str, bytes]:
        if not manifest:
            return {}
        files = {}
        for media in _read(self._follow(manifest)).iter("{*}mediaFile"):
            address = (media.findtext("{*}downloadUrl") or "").strip()
            if address and not media.get("type"):
                files[(media.findtext("{*}filename") or "").strip()] = self._follow(address)
        return files

    def _follow(self, address: str) -> bytes:
        return self._fetcher.get(self._fetcher.path_of(address), **_OPENROSA)


def _read(body: bytes) -> etree._Element:
    try:
        return etree.fromstring(body, parser())
    except etree.XMLSyntaxError as error:
        raise Unexpected(
            "The server does not answer with XML; is this the address of its OpenRosa interface?"
        ) from error


def _root_of(xform: bytes, form_id: str) -> etree._Element:
    for element in _read(xform).iter("{http://www.w3.org/2002/xforms}instance"):
        if len(element) and element[0].get("id") == form_id:
            return element[0]
    raise Unexpected(f"The XForm of {form_id} has no main instance.")
