"""What a request of OData asks for: its system query options, its headers, and where its next page begins."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from flask import request

from forms.findings import Finding
from forms.xpath.numbers import LARGEST
from sync.errors import NotAcceptable, NotFound, NotImplementedHere, Unexpected

# So many rows are in an answer at most; a link leads to the next ones.
LARGEST_PAGE = 2_000
_DEEPEST = 20  # an $expand inside others
MOST_INSIDE = 20_000  # of one submission: a form has no more elements
COUNT = "/$count"  # at the end of a table's address
_KNOWN = frozenset(
    f"${name}"
    for name in (
        "format",
        "count",
        "skip",
        "top",
        "filter",
        "wkt",
        "expand",
        "select",
        "skiptoken",
        "orderby",
        "search",
    )
)
_VERSION = re.compile(r"[0-9]{1,8}(?:\.|\Z)")
# Clients and libraries of scripts, as they were written for a server that gives all at once.
_FOLLOW_NO_LINKS = (
    *("pyodk", "ruodk", "httr", "python-requests", "python-urllib", "python-httpx", "aiohttp", "curl", "wget"),
    *("axios", "node", "undici", "openfn", "n8n", "powershell", "apps-script", "go-http-client", "okhttp", "postman"),
)
# Excel and Power BI: they take whatever the links lead to, and leave it to the server where `$top` ends.
_FOLLOW_EVERY_LINK = ("microsoft.data.mashup",)
EVERYTHING = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a table's rows is wanted: these columns, or all, and by their names the repeats that come inside, each
    with what is wanted of its rows. `*` stands for all repeats and those in them."""

    select: tuple[str, ...] | None = None
    expand: Mapping[str, Chosen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """`page` is how many rows an answer may have, `after` what the skip token holds of the row before the first."""

    top: int | None
    page: int
    skip: int
    count: bool
    wkt: bool
    chosen: Chosen
    links: bool
    filter: str | None
    orderby: str | None
    search: str | None
    after: dict[str, Any] | None


def read_options() -> Options:
    """Those of the request. Raises NotImplementedHere for one that is not known here, Unexpected for a faulty one."""
    unknown = [name for name in request.args if name.startswith("$") and name not in _KNOWN]
    if unknown:
        raise NotImplementedHere(f"The query option {unknown[0][:50]} is not done here.")
    top = _whole("$top")
    limits = [limit for limit in (top, _preferred(), LARGEST_PAGE) if limit is not None]
    return Options(
        top=top,
        page=min(limits),
        skip=_whole("$skip") or 0,
        count=_truth("$count"),
        wkt=_truth("$wkt"),
        chosen=_chosen(_said("$select"), _said("$expand")),
        links=_truth("links"),
        filter=_said("$filter"),
        orderby=_said("$orderby"),
        search=_said("$search"),
        after=_token(_said("$skiptoken")),
    )


def to_count(options: Options, page: int) -> Options:
    """Asking how many rows there are, of which only the filter and the search decide."""
    return replace(options, count=True, top=None, page=page, skip=0, after=None, orderby=None, chosen=Chosen())


def most_at_once(options: Options) -> int | None:
    """How many rows the client takes for all there are, where that may be more than a page: as many as its `$top` says,
    or every one, of clients that follow no links. None where it follows them, or says how long its pages may be."""
    if _preferred() is not None:
        return None
    if options.top is not None:
        return options.top
    return EVERYTHING if options.after is None and follows_no_links() else None


def follows_no_links() -> bool:
    """Whether the client is one of those that take the first page for all there is."""
    return _is_among(_FOLLOW_NO_LINKS)


def follows_every_link() -> bool:
    """Whether the client is one of those for which `$top` is how many rows all pages have together, as the standard
    says (OData 4.0, part 1, 11.2.5.3). For others, as for those of ODK Central, it is the length of a page."""
    return _is_among(_FOLLOW_EVERY_LINK)


def _is_among(clients: Iterable[str]) -> bool:
    agent = request.headers.get("User-Agent", "").lower()
    return any(name in agent for name in clients)


def require_version() -> None:
    """A client that knows no version 4 finds nothing here. Raises NotFound."""
    most = request.headers.get("OData-MaxVersion", "").partition(";")[0].strip()
    if most and not (_VERSION.match(most) and int(most[:9].partition(".")[0]) >= 4):
        raise NotFound("This is OData 4.0, and the client asks for an older one.")


def require_type(wanted: str) -> None:
    """Raises NotAcceptable where the client takes only the other of JSON and XML. `$format` outweighs the header."""
    named = _said("$format")
    if named is not None:
        if named.partition(";")[0].strip().lower() not in (wanted, wanted.rpartition("/")[2]):
            raise NotAcceptable(f"This is {wanted}.")
        return
    accepted = {kind.partition(";")[0].strip().lower() for kind, quality in request.accept_mimetypes if quality}
    family = wanted.partition("/")[0]
    if accepted and not accepted & {wanted, f"{family}/*", "*/*", "*"}:
        raise NotAcceptable(f"This is {wanted}.")


def token_of(place: dict[str, Any]) -> str:
    """The skip token of a page that begins after this place."""
    return "01" + base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def seen(place: Mapping[str, Any]) -> dict[str, Any]:
    """A place as it comes back in a token."""
    return orjson.loads(orjson.dumps(dict(place)))  # type: ignore[no-any-return]


def _token(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        if not text.startswith("01"):
            raise ValueError
        padded = text[2:] + "=" * (-len(text[2:]) % 4)
        place = orjson.loads(base64.urlsafe_b64decode(padded))
        good = isinstance(place, dict) and all(
            isinstance(place.get(key, 0), int) and 0 <= place.get(key, 0) <= LARGEST for key in ("id", "number")
        )
        if not good or not isinstance(place.get("by", []), list):
            raise ValueError
    except (ValueError, binascii.Error) as error:
        raise Unexpected("$skiptoken: this is no token of this feed. Begin again without it.") from error
    return place  # type: ignore[no-any-return]


def _chosen(select: str | None, expand: str | None, depth: int = 0) -> Chosen:
    if depth > _DEEPEST:
        raise Unexpected("$expand: it is nested too deeply.")
    names = None if select is None else tuple(_split(select, ","))
    if expand is None:
        inside = {}
    else:
        inside = dict(_expanded(item, depth) for item in _split(expand, ",")) or {"*": Chosen()}
    return Chosen(names if names and "*" not in names else None, inside)


def _expanded(item: str, depth: int) -> tuple[str, Chosen]:
    """A repeat by its name, and in brackets what of its rows. Raises NotImplementedHere for what is more than that."""
    name, bracket, rest = item.partition("(")
    name = name.strip()
    if bracket and not rest.endswith(")"):
        raise Unexpected(f"$expand: the brackets after ‘{name[:100]}’ do not close.")
    asked = dict(_option(part) for part in _split(rest[:-1], ";"))
    if more := asked.keys() - {"$select", "$expand"}:
        raise NotImplementedHere(f"{min(more)[:50]} is not done inside $expand; ask the table of the repeat for it.")
    if "/$" in name or (name == "*" and asked):
        raise NotImplementedHere(f"{item[:50]} is not done in $expand; it names repeats, or is * for all of them.")
    return name, _chosen(asked.get("$select"), asked.get("$expand"), depth + 1)


def _option(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip(), value


def _split(text: str, by: str) -> Iterator[str]:
    """The parts that are no blanks; what stands in brackets is not parted."""
    depth, part = 0, ""
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == by and not depth:
            yield from filter(None, [part.strip()])
            part = ""
        else:
            part += letter
    yield from filter(None, [part.strip()])


def _said(name: str) -> str | None:
    """What the request says of an option; one that is left empty is as good as none."""
    return request.args.get(name) or None


def _whole(name: str) -> int | None:
    text = _said(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise Unexpected(findings=[Finding(f"‘{text[:50]}’ is no whole number from 0 on.", "", name)])
    return int(text)


def _truth(name: str) -> bool:
    text = (_said(name) or "false").lower()
    if text not in ("true", "false"):
        raise Unexpected(findings=[Finding(f"‘{text[:50]}’ is neither true nor false.", "", name)])
    return text == "true"


def _preferred() -> int | None:
    for preference in request.headers.get("Prefer", "").replace(";", ",").split(","):
        name, _, value = preference.partition("=")
        if name.strip().lower() in ("odata.maxpagesize", "maxpagesize") and value.strip().isdecimal():
            return max(1, int(value.strip()[:9]))
    return None
