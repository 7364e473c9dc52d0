"""The page on the protocol says what the server does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import server.app
from sync.accounts.roles import RIGHTS, ROLES
from sync.errors import Refusal
from tests.support.web import House, shown

PAGE = (Path(server.app.__file__).parents[1] / "docs" / "protocol.md").read_text(encoding="utf-8")


def refusals(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for kind in of.__subclasses__():
        yield kind
        yield from refusals(kind)


def test_every_refusal_is_on_the_page() -> None:
    table = PAGE.split("## Saying no")[1].split("##")[0]
    told = {float(code) for row in re.findall(r"^\| ([\d., ]+) \|", table, re.M) for code in row.split(", ")}

    assert {kind.code for kind in refusals()} - told == set()


def test_the_table_of_rights_is_the_one_that_is_kept() -> None:
    rows = re.findall(r"^\| `([a-z.]+)`[^|]*\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$", PAGE, re.M)
    told = {right: {role for role, cell in zip(ROLES, cells, strict=True) if "yes" in cell} for right, *cells in rows}

    assert told == {right: set(roles) & set(ROLES) for right, roles in RIGHTS.items()}


def test_the_batch_on_the_page_can_be_sent(house: House) -> None:
    example = re.search(r"```json\n(.*?)```", PAGE, re.S)
    assert example is not None

    answer = house.amina.post("batches", json=json.loads(example[1]))

    assert [receipt["outcome"] for receipt in shown(answer)["receipts"]] == ["stored", "stored"]
