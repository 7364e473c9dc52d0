"""Reading the results through the API, as a program of a donor would, and holding them against what is true."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlencode

from demo.serving import HOST

Truth = Mapping[str, Decimal | tuple[str, ...]]
Figures = Mapping[str, Mapping[str, Any]]
# Shares need not end; the API gives six decimals.
_CLOSE = Decimal("0.000001")
_AT_ONCE = 4

One = TypeVar("One")
Other = TypeVar("Other")


class Unanswered(Exception):
    """The server refused what it was asked; the text holds its words."""


class Reader:
    """Asks for one project's results with a token."""

    def __init__(self, port: int, token: str, project: int) -> None:
        self._port, self._token = port, token
        self._root = f"/v1/projects/{project}"

    def get(self, path: str, **query: str) -> Any:
        """The JSON at `path` below the project."""
        return self._ask("GET", path + (f"?{urlencode(query)}" if query else ""))

    def post(self, path: str, content: Mapping[str, Any]) -> Any:
        """What the project answers to this JSON."""
        return self._ask("POST", path, json.dumps(content))

    def _ask(self, method: str, path: str, body_sent: str | None = None) -> Any:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=60)
        headers = {"Authorization": f"Bearer {self._token}"}
        headers |= {"Content-Type": "application/json"} if body_sent is not None else {}
        try:
            target = f"{self._root}/{path}"
            connection.request(method, target, body_sent, headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise Unanswered(f"{target}: {response.status} {body.decode(errors='replace')[:500]}")
        return json.loads(body, parse_float=Decimal, parse_int=Decimal)

    def flags(self) -> Counter[str]:
        """How many submissions have which flag now. A receipt tells what was known when it was written: a visit that
        arrives later may flag an earlier one."""
        found: Counter[str] = Counter()
        for row in self.pages("review", "submissions", state="flagged", limit="1000"):
            found.update({flag["code"] for flag in row["flags"]})
        return found

    def quarantine(self, state: str) -> Iterator[Mapping[str, Any]]:
        """What waits there (`open`), or has been filed since (`resolved`)."""
        return self.pages("quarantine", "items", state=state)

    def pages(self, path: str, name: str, **query: str) -> Iterator[Mapping[str, Any]]:
        """What stands under `name` on all pages of a list."""
        page = self.get(path, **query)
        yield from page[name]
        while page["cursor"]:
            page = self.get(path, **query, cursor=page["cursor"])
            yield from page[name]

    def figure(self, key: str, period: str, as_of: str | None = None) -> Mapping[str, Any]:
        """`people_trained`, or a cell of it: `people_trained.sex=female`; as it was, or as it is now."""
        name, _, cell = key.partition(".")
        picked = ({"is": cell.replace("=", ":")} if cell else {}) | ({"as_of": as_of} if as_of else {})
        found: Mapping[str, Any] = self.get("figures", indicator=name, period=period, **picked)["figures"][0]
        return found

    def figures(self, truth: Truth, period: str, as_of: str | None = None) -> Figures:
        """Every figure that has a true value, as it was or as it is now."""
        keys = [key for key, true in truth.items() if isinstance(true, Decimal)]
        return dict(zip(keys, self.at_once(lambda key: self.figure(key, period, as_of), keys), strict=True))

    def at_once(self, ask: Callable[[One], Other], of: Iterable[One]) -> Iterator[Other]:
        """What is asked of each of these, several at a time; the answers come in order."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(ask, of)


def outside(figures: Figures, truth: Truth, as_of: str | None = None) -> list[str]:
    """A sentence for each figure of which the truth is not even in its range."""
    found = []
    for key, true in truth.items():
        if isinstance(true, Decimal):
            said = figures[key]
            if said["low"] is None or not said["low"] - _CLOSE <= true <= said["high"] + _CLOSE:
                when = f"said as of event {as_of}:" if as_of else "says"
                found.append(f"{key} is {true}, and the product {when} {said['low']} to {said['high']}.")
    return found


def differences(reader: Reader, figures: Figures, truth: Truth, period: str) -> list[str]:
    """A sentence for each figure that is certain, and is not what is true."""
    lists = [row["name"] for row in reader.get("indicators")["indicators"] if row["aggregate"] == "list"]
    found = []
    for key, true in truth.items():
        if isinstance(true, Decimal):
            figure = figures[key]
            said, certain = figure["value"], figure["low"] == figure["high"]
            if said is None or (certain and abs(said - true) > _CLOSE):
                found.append(f"{key} is {true}, and the product says {said}.")
            continue
        for name in (name for name in lists if name.startswith(key)):
            told = sorted(str(code) for item in reader.figure(name, period)["items"] for code in item["by"].values())
            if told != sorted(true):
                found.append(f"{name} are {', '.join(sorted(true))}, and the product says {', '.join(told)}.")
    return found
