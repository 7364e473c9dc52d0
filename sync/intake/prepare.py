"""The part of taking a batch in that needs no lock: reading, checking and working out what each item says."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, TypeGuard, TypeVar
from zoneinfo import ZoneInfo

import orjson
import zstandard
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, aliased

from forms.findings import Faulty
from forms.form import Flag, Lists
from forms.indicators.contributing import Contribution, contributed, visit_of
from forms.indicators.subjects import subject_of
from forms.records import record
from forms.xforms.answers import answers_of, attachments_named, fingerprint, instance_from
from forms.xforms.check import check
from forms.xforms.corrections import TO_CORRECT, corrected_instance
from forms.xforms.entities import EntityAction, entity_actions
from forms.xforms.instance import Instance, read_instance
from forms.xforms.repeated import Iteration, iterations_of
from forms.xpath.dates import is_date, is_moment, read_moment
from sync.entities.lists import DatabaseLists
from sync.errors import NotFound
from sync.intake.items import (
    DEEPEST,
    LONGEST_ID,
    SHA256,
    Item,
    bytes_of,
    envelope_of,
    id_from_content,
    nested_deeper,
    read_item,
    shortened,
    storable,
)
from sync.models import Project, Submission, SubmissionVersion
from sync.projects.catalogue import Catalogue, Published, Unpublished
from sync.projects.lookups import lists_of

# What a choice among entities is answered with, in XML and in JSON: ids alone.
_IDS = rb"((?: ?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})+)"
_IN_XML, _IN_JSON = re.compile(rb">" + _IDS + rb"<"), re.compile(rb'"' + _IDS + rb'"')
MAX_XML = 10 * 1024 * 1024
CLOCK_TOLERANCE = dt.timedelta(minutes=10)
_A_DAY = dt.timedelta(days=1)
_BEFORE_TABLETS = dt.datetime(2015, 1, 1, tzinfo=dt.UTC)
# So many small items are worked on side by side, while what they were read into takes a few megabytes.
# Of answers nobody knows the weight before they are XML.
_SIDE_BY_SIDE, _BYTES_SIDE_BY_SIDE, _WEIGHT_OF_ANSWERS = 50, 500_000, 20_000


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing of it is kept."""

    instance_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """It goes into quarantine: `reason` is a code, `message` a sentence for people."""

    instance_id: str | None
    form: str | None
    version: str | None
    edits: str | None
    reason: str
    message: str
    raw: bytes
    envelope: Mapping[str, Any]
    said: bytes = b""  # the hash of answers as they were sent, where it came with answers

    @property
    def attachments(self) -> list[Mapping[str, Any]]:
        """The files that it announces, as far as that can be read: they are kept with it, and it is whole when it is
        filed."""
        said = self.envelope.get("attachments")
        files = said if isinstance(said, list) else []
        return [file for file in files if isinstance(file, Mapping) and SHA256.fullmatch(str(file.get("sha256", "")))]

    @property
    def other_id(self) -> str:
        """As that of what can be filed."""
        return _other_id(self.instance_id or "", self.said, self.raw)


@record
class Ready:
    """It can be filed: everything that follows from the instance itself is worked out."""

    instance_id: str
    form: str
    version: str
    edits: str | None
    xml: bytes
    packed: bytes  # zstd over xml
    sha256: bytes
    canonical_sha256: bytes  # of answers as they were sent; empty for XML, of which it is worked out when it is wanted
    recorded_at: dt.datetime
    attachments: Sequence[Mapping[str, Any]]
    named: Sequence[str]
    flags: Sequence[Flag]
    answers: Mapping[str, Any] | None
    fingerprint: bytes | None
    actions: Sequence[EntityAction]
    contributions: Sequence[Contribution]
    subject: str | None
    day: dt.date
    place: str | None
    envelope: Callable[[], Mapping[str, Any]] = dict  # the item without its body, as the quarantine keeps it
    answered: Mapping[str, Any] | None = None  # the item, where it came with answers instead of XML
    first_id: str | None = None  # by which its entities are named, if it is an edit that came with answers
    instance_name: str | None = None
    encrypted_key: str | None = None
    iterations: Sequence[Iteration] = ()
    dated: bool = True  # else nothing said when it was recorded
    by_row: bool = False  # it is an edit because of the row of `a_corriger` that it chose

    @property
    def raw(self) -> bytes:
        """What the quarantine keeps of it."""
        return bytes_of(self.answered) if self.answered is not None else self.xml

    @property
    def other_id(self) -> str:
        """The instance id that it gets as an edit where another content has its own."""
        return _other_id(self.instance_id, self.canonical_sha256, self.xml)


def _other_id(instance_id: str, said: bytes, xml: bytes) -> str:
    return id_from_content((said and instance_id.encode() + said) or xml)


class _Roots:
    """The instances with which chains of edits began, of items with answers: their entities are named by it.

    Looked for in the batch, then among what is stored; an edit of something unknown is its own guess until it is filed.
    """

    def __init__(self, session: Session, project_id: int, raws: Sequence[object]) -> None:
        self._session = session
        self._project_id = project_id
        self._parents = {raw["instance_id"]: raw["edits"] for raw in raws if _is_edit_by_answers(raw)}

    def of(self, raw: Any) -> str | None:
        """None for what is no edit, or names its entities itself."""
        if not _is_edit_by_answers(raw):
            return None
        root, seen = raw["edits"], {raw["instance_id"]}
        while root in self._parents and root not in seen:
            seen.add(root)
            root = self._parents[root]
        version = aliased(SubmissionVersion)
        stored = self._session.scalar(
            select(Submission.instance_id)
            .join(version, (version.project_id == Submission.project_id) & (version.submission_id == Submission.id))
            .where(version.project_id == self._project_id, version.form_id == raw["form"], version.instance_id == root)
        )
        return stored or root


Prepared = Refused | Waiting | Ready


@record
class Derived:
    """What follows from an instance and the form version that it names, by functions of their arguments alone."""

    flags: Sequence[Flag]
    answers: Mapping[str, Any] | None
    fingerprint: bytes | None
    actions: Sequence[EntityAction]
    contributions: Sequence[Contribution]
    subject: str | None
    day: dt.date
    place: str | None
    named: Sequence[str]
    iterations: Sequence[Iteration] = ()


class Surroundings:
    """What an item is read against: the project's forms, lists and time zone. Whoever has them `recalling` is to have
    the catalogue confirmed."""

    def __init__(self, session: Session, project_id: int, now: dt.datetime, recalling: bool = False) -> None:
        self.session = session
        self.project_id = project_id
        self.now = now
        self.arrived = now  # what nothing dates is said to have been recorded then
        self.lists = lists_of(session, project_id)
        self.catalogue = Catalogue(session, project_id, living=True, recalling=recalling)

    @cached_property
    def tz(self) -> ZoneInfo:
        """Most often it came along with a form. Raises NotFound without a project."""
        name = self.catalogue.time_zone
        return _zone(name) if name is not None else time_zone_of(self.session, self.project_id)

    def of_what_arrived(self, moment: dt.datetime) -> Surroundings:
        """The same, for what arrived then, or is an edit of something that did."""
        other = copy.copy(self)
        other.arrived = moment
        return other


def prepare_items(around: Surroundings, raws: Sequence[object]) -> list[Prepared]:
    """Reads from the database only; never raises for anything that a device may have sent."""
    roots = _Roots(around.session, around.project_id, raws)
    fetch_entities(around.lists, _published_texts(around, raws))
    return [
        prepared
        for some in _portions(raws, _weight)
        for prepared in _side_by_side([_item(around, raw, roots.of(raw)) for raw in some])
    ]


T = TypeVar("T")
_Work = Generator[None, None, T]


def _weight(raw: object) -> int:
    xml = raw.get("xml") if isinstance(raw, Mapping) else None
    return len(xml) if isinstance(xml, str) else _WEIGHT_OF_ANSWERS


def _portions(raws: Iterable[T], weight_of: Callable[[T], int]) -> Iterator[list[T]]:
    portion: list[T] = []
    size = 0
    for raw in raws:
        weight = weight_of(raw)
        if len(portion) == _SIDE_BY_SIDE or (portion and size + weight > _BYTES_SIDE_BY_SIDE):
            yield portion
            portion, size = [], 0
        portion.append(raw)
        size += weight
    yield portion


def _side_by_side(works: Sequence[_Work[T]]) -> list[T]:
    """What comes of each, done step by step: all are read, then all are checked, and so on. The processor is a quarter
    faster where it does the same thing again than where it has to fetch the program for the next one each time."""
    found: dict[int, T] = {}
    left = dict(enumerate(works))
    while left:
        for place, work in list(left.items()):
            try:
                next(work)
            except StopIteration as end:
                found[place] = end.value
                del left[place]
    return [found[place] for place in range(len(works))]


def fetch_entities(lists: DatabaseLists, texts: Iterable[tuple[Published, bytes]]) -> None:
    """Fetch the entities that these filled forms may select in one go for each list, instead of one by one."""
    named: dict[str, set[str]] = defaultdict(set)
    for found, text in texts:
        if found.outside:
            pattern = _IN_JSON if text.startswith(b"{") else _IN_XML
            ids = {id_.decode() for chosen in pattern.findall(text) for id_ in chosen.split()}
            for list_name in found.outside:
                named[list_name] |= ids
    for list_name, some in named.items():
        lists.preload(list_name, sorted(some))


def _published_texts(around: Surroundings, raws: Sequence[object]) -> Iterator[tuple[Published, bytes]]:
    for raw in raws:
        if not isinstance(raw, Mapping):
            continue
        form, version = raw.get("form"), raw.get("version", "")
        if not isinstance(form, str) or not isinstance(version, str) or storable([form, version]) != [form, version]:
            continue
        found = around.catalogue.published(form, version)
        if not isinstance(found, Unpublished) and found.outside:
            yield found, bytes_of(raw)


def prepare_item(around: Surroundings, raw: object, first_id: str | None = None) -> Prepared:
    """One item; `first_id` is the instance with which its chain of edits began, as far as that is known."""
    return _side_by_side([_item(around, raw, first_id)])[0]


def _item(around: Surroundings, raw: object, first_id: str | None) -> _Work[Prepared]:
    if not isinstance(raw, Mapping):
        return Refused(None, "An item is a JSON object with instance_id, form, version and xml or answers.")
    claimed = raw.get("instance_id")
    named = claimed if isinstance(claimed, str) and claimed.strip() else None
    if nested_deeper(raw, DEEPEST):
        return Refused(_shown(named) if named else None, f"An item may be nested {DEEPEST} levels deep at most.")
    if len(bytes_of(raw)) > MAX_XML:
        return Refused(_shown(named) if named else None, f"An item may hold {MAX_XML // 2**20} MB at most.")
    try:
        item = read_item(raw)
    except ValueError as error:
        if named is None and not _readable(raw):
            return Refused(None, _shown(f"It has neither an instance_id nor a body that can be read. {error}"))
        return _waiting(raw, "malformed", str(error))
    try:
        return (yield from _prepared(around, raw, item, first_id))
    except Faulty as faulty:
        if named is None:
            return Refused(None, _shown(f"It has no instance_id, and its body cannot be read: {faulty}"))
        return _waiting(raw, "unreadable" if item.xml is not None else "answers", str(faulty))


def prepare_instance(around: Surroundings, xml: bytes, item: Item, *, even_if_closed: bool = False) -> Prepared:
    """An instance as XML with what was said beside it. Raises Faulty if it cannot be read."""
    return _side_by_side([_instance(around, xml, item, even_if_closed=even_if_closed)])[0]


def _instance(around: Surroundings, xml: bytes, item: Item, *, even_if_closed: bool = False) -> _Work[Ready | Waiting]:
    instance = read_instance(xml)
    yield
    form_id, version = instance.form_id or item.form or "", instance.version or item.version or ""
    instance_id = instance.instance_id or item.instance_id or id_from_content(xml)
    edits = item.edits or instance.deprecated_id
    differing = [
        f"{name} is {said!r} in the item and {meant!r} in the XML."
        for name, said, meant in (
            ("instance_id", item.instance_id, instance_id),
            ("form", item.form, form_id),
            ("version", item.version, version),
            ("edits", item.edits, instance.deprecated_id or item.edits),
        )
        if said and said != meant
    ]

    def waits(reason: str, message: str) -> Waiting:
        named, meant, version_meant = shortened(item.instance_id or instance_id), shortened(form_id), shortened(version)
        corrects = shortened(edits) if edits else None
        return Waiting(named, meant, version_meant, corrects, reason, message[:2000], xml, item.envelope())

    if any(text and shortened(text) != text for text in (instance_id, edits)):
        return waits("malformed", f"An instance id may have {LONGEST_ID} bytes at most.")
    if instance.encrypted and not (instance.instance_id or item.instance_id):
        return waits("malformed", "An encrypted submission needs an instanceID, without which nobody can decrypt it.")
    if differing:
        return waits("differs", " ".join(["The item and its XML disagree.", *differing]))
    found = around.catalogue.published(form_id, version)
    if isinstance(found, Unpublished):
        if not found.form_known:
            return waits("unknown_form", f"There is no form {form_id!r} in this project.")
        return waits("unknown_version", f"Version {version!r} of the form {form_id!r} has not been published here.")
    if not instance.form_id and instance.root.tag != found.form.root.tag:
        said = f"Its XML is a ‘{instance.root.tag}’ that names no form: no answer to ‘{form_id}’."
        return waits("unreadable", said)
    if found.state == "closed" and not even_if_closed:
        return waits("form_closed", f"The form {form_id!r} is closed; a coordinator may open it and retry.")
    chosen = corrected_instance(found.form, instance) if edits is None and TO_CORRECT in found.outside else None
    said_at = item.recorded_at or _recorded_at(instance, around.tz)
    recorded_at, dated = said_at or around.arrived, said_at is not None
    derived = yield from _derived(found, instance, recorded_at, dated, around.lists, around.tz)
    return Ready(
        instance_id=instance_id,
        form=form_id,
        version=version,
        edits=edits or chosen,
        xml=xml,
        packed=pack(xml),
        sha256=sha256_of(xml),
        canonical_sha256=b"",
        recorded_at=recorded_at,
        attachments=item.attachments,
        named=derived.named,
        flags=[*derived.flags, *clock_flags(recorded_at, derived.day, around.now)],
        answers=derived.answers,
        fingerprint=derived.fingerprint,
        actions=derived.actions,
        contributions=derived.contributions,
        subject=derived.subject,
        day=derived.day,
        place=derived.place,
        envelope=item.envelope,
        instance_name=instance.instance_name,
        encrypted_key=instance.root.findtext("base64EncryptedKey") if instance.encrypted else None,
        iterations=derived.iterations,
        dated=dated,
        by_row=chosen is not None,
    )


def derive_all(
    raws: Iterable[tuple[Published, bytes, dt.datetime, bool]], lists: Lists, tz: dt.tzinfo
) -> Iterator[Derived]:
    """What is rebuilt from raw instances, each with its form, when it was recorded and whether anything said so, in
    their order."""
    for some in _portions(raws, lambda raw: len(raw[1])):
        yield from _side_by_side([_rebuilt(*raw, lists, tz) for raw in some])


def _rebuilt(
    found: Published, raw: bytes, recorded_at: dt.datetime, dated: bool, lists: Lists, tz: dt.tzinfo
) -> _Work[Derived]:
    instance = read_instance(raw)
    yield
    return (yield from _derived(found, instance, recorded_at, dated, lists, tz))


def _derived(
    found: Published, instance: Instance, recorded_at: dt.datetime, dated: bool, lists: Lists, tz: dt.tzinfo
) -> _Work[Derived]:
    """Everything that follows from the raw instance. An encrypted one says nothing about itself."""
    if instance.encrypted:
        day = recorded_at.astimezone(tz).date()
        return Derived((), None, None, (), (), None, day, None, attachments_named(found.form, instance))
    flags = check(found.form, instance, lists, recorded_at, tz)
    yield
    answers = answers_of(found.form, instance)
    actions = entity_actions(found.form, instance)
    contributions, faults = contributed(found.feeds, instance, recorded_at=recorded_at, tz=tz, lists=lists, dated=dated)
    flags.extend(faults)
    for action in actions:
        flags.extend(action.flags)
    sound = [action for action in actions if not action.flags]
    day, place = visit_of(found.feeds, instance, contributions, recorded_at, tz)
    return Derived(
        flags=flags,
        answers=answers,
        fingerprint=fingerprint(found.form, instance),
        actions=sound,
        contributions=contributions,
        subject=subject_of(found.sheets, sound, contributions),
        day=day,
        place=place,
        named=attachments_named(found.form, instance),
        iterations=iterations_of(found.form, answers),
    )


def _is_edit_by_answers(raw: Any) -> TypeGuard[Mapping[str, Any]]:
    return (
        isinstance(raw, Mapping)
        and "answers" in raw
        and all(
            isinstance(raw.get(key), str) and storable(raw[key]) == raw[key] for key in ("instance_id", "edits", "form")
        )
    )


def clock_flags(recorded_at: dt.datetime, day: dt.date, now: dt.datetime) -> list[Flag]:
    """A visit from the future, or from before there were tablets, was dated by a wrong clock or by a slip: `day` is the
    one on which it counts, wherever that comes from."""
    if recorded_at > now + CLOCK_TOLERANCE:
        return [Flag("clock", "", f"The tablet dated this visit {recorded_at:%Y-%m-%d %H:%M} UTC, after it arrived.")]
    if recorded_at < _BEFORE_TABLETS:
        return [Flag("clock", "", f"The tablet dated this visit {recorded_at:%Y-%m-%d}; its clock was wrong.")]
    if day > (now + _A_DAY).date():
        return [Flag("clock", "", f"It is dated {day}, more than a day after it arrived.")]
    return []


def time_zone_of(session: Session, project_id: int) -> ZoneInfo:
    """The project's time zone. Raises NotFound for an unknown project."""
    name = session.connection().scalar(_TIME_ZONE, {"project": project_id})
    if name is None:
        raise NotFound
    return _zone(name)


_TIME_ZONE = select(Project.time_zone).where(Project.id == bindparam("project"))


_packers = threading.local()  # one packer costs as much to make as a form to pack, and serves one thread at a time


def pack(raw: bytes) -> bytes:
    """Raw bytes as they are stored."""
    packer = getattr(_packers, "packer", None)
    if packer is None:
        packer = _packers.packer = zstandard.ZstdCompressor(level=1)
    packed: bytes = packer.compress(raw)
    return packed


def unpack(packed: bytes) -> bytes:
    """The very bytes that were packed."""
    unpacker = getattr(_packers, "unpacker", None)
    if unpacker is None:
        unpacker = _packers.unpacker = zstandard.ZstdDecompressor()
    raw: bytes = unpacker.decompress(packed)
    return raw


def sha256_of(raw: bytes) -> bytes:
    """The hash by which bytes are recognised that come again: of a batch, or of an item in quarantine."""
    return hashlib.sha256(raw).digest()


def canonical_hash(xml: bytes) -> bytes:
    """The hash of what an instance says, however it is written. Raises Faulty if it cannot be read."""
    return bytes.fromhex(read_instance(xml).canonical_sha256)


def _prepared(around: Surroundings, raw: Mapping[str, Any], item: Item, first_id: str | None) -> _Work[Prepared]:
    if item.xml is not None:
        return (yield from _instance(around, item.xml, item))
    if not item.instance_id:
        return Refused(None, "An item with answers needs an instance_id, by which it can be recognised.")
    if not item.form:
        return _waiting(raw, "malformed", "An item with answers needs the form that they answer.")
    found = around.catalogue.published(item.form, item.version or "")
    if isinstance(found, Unpublished):
        if not found.form_known:
            return _waiting(raw, "unknown_form", f"There is no form {item.form!r} in this project.", _said(item))
        missing = f"There is no version {item.version or ''!r} of the form {item.form!r} in this project."
        return _waiting(raw, "unknown_version", missing)
    xml = instance_from(
        found.form,
        item.answers or {},
        instance_id=item.instance_id,
        deprecated_id=item.edits,
        recorded_at=item.recorded_at or around.arrived,
        dated=item.recorded_at is not None,
        tz=around.tz,
        lists=around.lists,
        first_id=first_id,
    )
    prepared = yield from _instance(around, xml, item)
    if isinstance(prepared, Waiting):
        return replace(prepared, raw=bytes_of(raw), said=_said(item))
    return replace(prepared, answered=raw, first_id=first_id, canonical_sha256=_said(item))


def _said(item: Item) -> bytes:
    """The hash of answers as they were sent. The XML made of them is no measure of a resend: it also says at which
    version an entity stood, or what a list held, and that may have changed in between.
    """
    recorded_at = item.recorded_at.astimezone(dt.UTC).isoformat() if item.recorded_at else None
    said = storable([item.form, item.version, item.edits, recorded_at, item.answers])
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()


def _waiting(raw: Mapping[str, Any], reason: str, message: str, said: bytes = b"") -> Waiting:
    def text(key: str) -> str | None:
        value = raw.get(key)
        return shortened(str(storable(value))) if isinstance(value, str) and value else None

    return Waiting(
        text("instance_id"),
        text("form"),
        text("version"),
        text("edits"),
        reason,
        str(storable(message))[:2000],
        bytes_of(raw),
        envelope_of(raw),
        said,
    )


def _readable(raw: Mapping[str, Any]) -> bool:
    xml = raw.get("xml")
    if not isinstance(xml, str):
        return False
    try:
        read_instance(xml.encode("utf-8", "surrogatepass"))
    except Faulty:
        return False
    return True


def _shown(text: str) -> str:
    return str(storable(text))[:1000]


def _recorded_at(instance: Instance, tz: dt.tzinfo) -> dt.datetime | None:
    for name in ("end", "start"):
        node = instance.root.find(name)
        if node is None or not node.text:
            continue
        text = node.text.strip()
        moment = read_moment(text, tz) if is_moment(text) or is_date(text) else None
        if moment is not None and 1 < moment.year < dt.MAXYEAR:  # else there may be no such time in another zone
            return moment.astimezone(dt.UTC)
    return None


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
