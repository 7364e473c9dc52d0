"""Every kind of page that can be reached: which route an address leads to, and where a page leads."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from server.app import create_app
from server.settings import Settings


def pages_of_each_kind(
    ask: Callable[[str], str | None],
    known: MapAdapter,
    starts: Sequence[str] = ("/",),
    *,
    each: int = 1,
    most: int = 400,
    by_what_is_asked: bool = False,
) -> Iterator[tuple[str, str, str]]:
    """Kind, address and text of so many pages of every kind, found as a visitor would, from page to page.

    `ask` gives the text of a page, None for what is none; so many are asked for at most. `by_what_is_asked` tells
    kinds apart by their parameters too, and fills forms in.
    """
    waiting, seen, count = deque(starts), set(starts), Counter[str]()
    asked = 0
    while waiting and asked < most:
        address = waiting.popleft()
        route = kind_of(known, address)
        names = sorted(name for name, value in parse_qsl(urlsplit(address).query) if value and by_what_is_asked)
        kind = " ".join([route or "", *names])
        if route is None or count[kind] >= each:
            continue
        asked += 1
        text = ask(address)
        if text is None:
            continue
        count[kind] += 1
        yield kind, address, text
        for link in (*links_of(text), *(filled_forms_of(text, address) if by_what_is_asked else ())):
            if link not in seen:
                seen.add(link)
                waiting.append(link)


def routes(folder: Path) -> MapAdapter:
    """The routes of the application, made in a folder of its own."""
    return create_app(Settings(folder=folder, reserve_mb=0)).url_map.bind("localhost")


def kind_of(routes: MapAdapter, address: str) -> str | None:
    """The route that an address leads to; None for what is no page of the desk."""
    path = urlsplit(address).path
    if path.startswith(("/v1", "/static")):
        return None
    try:
        endpoint, _ = routes.match(path)
    except HTTPException:
        return None
    return str(endpoint)


def links_of(text: str) -> Iterator[str]:
    """Addresses on this server, in the order of the page: also those that are loaded after it."""
    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value for name, value in attrs if name in ("href", "hx-get") and value)

    Links().feed(text)
    return (link.partition("#")[0] for link in found if link.startswith("/") and "lang=" not in link)


def filled_forms_of(text: str, address: str) -> Iterator[str]:
    """Where the forms of a page lead that only ask for something, each with one field filled in."""
    forms: list[tuple[str, list[tuple[str, str]], list[tuple[str, str]]]] = []
    chosen: list[str] = []

    class Forms(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            said = {name: value or "" for name, value in attrs}
            if tag == "form":
                asks = said.get("method", "get").lower() == "get"
                forms.append((said.get("action") or urlsplit(address).path if asks else "", [], []))
            elif forms and tag == "input" and said.get("name"):
                _, hidden, offered = forms[-1]
                kind = said.get("type", "text")
                if kind == "hidden":
                    hidden.append((said["name"], said.get("value", "")))
                elif kind != "submit":
                    offered.append((said["name"], _TYPED.get(kind, said.get("value", ""))))
            elif forms and tag == "select" and said.get("name"):
                chosen[:] = [said["name"]]
            elif forms and tag == "option" and chosen and said.get("value"):
                forms[-1][2].append((chosen[0], said["value"]))

        def handle_endtag(self, tag: str) -> None:
            if tag == "select":
                chosen.clear()

    Forms().feed(text)
    for action, hidden, offered in forms:
        if action.startswith("/"):
            yield from (f"{action}?{urlencode([*hidden, field])}" for field in offered)


_TYPED = {"text": "Traoré", "search": "Traoré", "date": "2026-01-01", "number": "3"}
