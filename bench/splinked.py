"""splink 5 on the same records, set up as in its tutorial: names, an exact or near year, the rest by equality."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pandas as pd
import splink.comparison_library as cl
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI

from bench.judging import Weighed
from sync.dedup.scoring.profiles import Profile

_COLUMNS = (
    *("first_name", "last_name", "sex", "birth_year", "birth_date"),
    *("phone", "village", "commune", "address", "id_number"),
)
_RULES = (
    ("first_name", "last_name"),
    ("last_name", "birth_year", "commune"),
    ("first_name", "commune"),
    ("first_name", "birth_year"),
    ("phone",),
    ("birth_date",),
    ("address",),
    ("id_number",),
)


def by_splink(profiles: Sequence[Profile], least: float = 0.05) -> list[Weighed]:
    """The pairs that it believes in at least so much, with its probability."""
    rows = [_row(profile) for profile in profiles]
    columns = [name for name in _COLUMNS if any(row[name] for row in rows)]
    # The year is part of the date, and would count twice.
    compared = [name for name in columns if name != "birth_year" or "birth_date" not in columns]
    frame = pd.DataFrame(rows, dtype=object)[["unique_id", *columns]]
    rules = [rule for rule in _RULES if set(rule) <= set(columns)]
    settings = SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in rules],
        comparisons=[_comparison(name) for name in compared],
    )
    api = DuckDBAPI(duckdb.connect())
    linker = Linker(api.register(frame), settings, log_level="ERROR")
    certain = [
        block_on(*rule)
        for rule in (("first_name", "last_name", "birth_year"), ("id_number",))
        if set(rule) <= set(columns)
    ]
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.6)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in (("first_name", "last_name"), [name for name in ("birth_year", "commune") if name in columns]):
        linker.training.estimate_parameters_using_expectation_maximisation(
            block_on(*rule), record_sample_proportion=1.0
        )
    found = linker.inference.predict(threshold_match_probability=least).as_pandas_dataframe()
    ends = zip(found["unique_id_l"], found["unique_id_r"], found["match_probability"], strict=True)
    return [(*sorted((str(a), str(b))), float(p)) for a, b, p in ends]  # type: ignore[misc]


def _row(profile: Profile) -> dict[str, str | None]:
    said = profile.written
    values = {name: said.get(name, "").casefold() or None for name in ("first_name", "last_name")}
    names = ("sex", "birth_date", "phone", "village", "commune", "address", "id_number")
    values |= {name: getattr(profile, name) or None for name in names}
    return {**values, "unique_id": profile.id, "birth_year": str(profile.birth) if profile.birth is not None else None}


def _comparison(name: str) -> object:
    if name in ("first_name", "last_name"):
        return cl.NameComparison(name)
    if name == "address":
        return cl.JaroWinklerAtThresholds(name, [0.9, 0.7])
    if name in ("birth_year", "birth_date", "id_number"):
        return cl.DamerauLevenshteinAtThresholds(name, 1)
    if name == "sex":
        return cl.ExactMatch(name)
    return cl.ExactMatch(name).configure(term_frequency_adjustments=True)
