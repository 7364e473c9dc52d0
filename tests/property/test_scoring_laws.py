"""Laws of telling people apart that hold for any records, links and decisions."""

from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from sync.dedup.scoring import organisations
from sync.dedup.scoring.blocking import keys_of
from sync.dedup.scoring.clustering import Standing, partition
from sync.dedup.scoring.comparing import compare, stratum_of
from sync.dedup.scoring.estimating import count_terms
from sync.dedup.scoring.model import DEFAULT, score, weigh
from sync.dedup.scoring.profiles import profile_of
from sync.dedup.scoring.wording import sentences
from tests.support.lookalikes import FIRST, LAST, ROLES, TODAY, a_profile

# Surrogates too: what no database takes is looked at before it is refused.
ANYTHING = st.text(max_size=30) | st.sampled_from(["", "a", "Awa" * 4000, "🙂", "\ud800", "فاطمة", "0", "Mme"])
HOSTILE = st.fixed_dictionaries({}, optional=dict.fromkeys(ROLES, ANYTHING))
LIKELY = st.fixed_dictionaries(
    {
        "first_name": st.sampled_from([*FIRST, "Hawa", "Fatou", "Traoré", ""]),
        "last_name": st.sampled_from([*LAST, "Traore", "Awa", "Mme Koné"]),
        "birth_year": st.sampled_from(["1980", "1981", "1999", ""]),
        "age": st.sampled_from(["44", "30", ""]),
        "phone": st.sampled_from(["70112233", "70112234", "66000000", ""]),
        "village": st.sampled_from(["Siby", "Sibi", "Sirakoro", "Sirakorou", "Niono", ""]),
        "group": st.sampled_from(["Benkadi", "Coopérative Benkadi", ""]),
    }
)
NAMES = [f"{number}" for number in range(8)]
PAIRS = st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True).map(lambda pair: (min(pair), max(pair)))
LINKS = st.dictionaries(PAIRS, st.sampled_from([0.01, 0.05, 0.3, 0.49, 0.5, 0.6, 0.9, 0.99]), max_size=14)
SAME = st.dictionaries(PAIRS, st.sampled_from([0.0, 0.4, 0.95]), max_size=4)


@given(HOSTILE, HOSTILE)
def test_no_value_makes_anything_raise(one: dict[str, str], other: dict[str, str]) -> None:
    a, b = (profile_of(id_, ROLES, said, TODAY) for id_, said in (("a", one), ("b", other)))
    c, d = (organisations.organisation_of(id_, {"x": "name"}, said) for id_, said in (("a", one), ("b", other)))

    assert all(-(2**63) <= key < 2**63 for key in keys_of(a))
    assert math.isfinite(score(DEFAULT, count_terms([a, b]), a, b).weight)
    assert sentences(score(DEFAULT, {}, a, b).parts, "fr")
    assert math.isfinite(organisations.score(c, d).weight)


@given(LIKELY | HOSTILE, LIKELY | HOSTILE, st.booleans())
def test_a_score_is_the_same_for_both_orders(one: dict[str, str], other: dict[str, str], counted: bool) -> None:
    a, b = a_profile("a", **one), a_profile("b", **other)
    terms = count_terms([a, b, *([a_profile(str(number), **one) for number in range(9)] if counted else [])])

    found, turned = score(DEFAULT, terms, a, b), score(DEFAULT, terms, b, a)

    assert math.isclose(found.weight, turned.weight, abs_tol=1e-9)
    assert math.isclose(found.weight, weigh(DEFAULT, terms, a, b, stratum_of(a, b), compare(a, b)), abs_tol=1e-9)
    assert math.isclose(found.weight, sum(part.weight for part in found.parts), abs_tol=1e-9)
    assert [(part.field, part.level) for part in found.parts] == [(part.field, part.level) for part in turned.parts]


def of(standing: dict[str, Standing], bound: str) -> dict[str, str]:
    return {name: getattr(standing[name], bound) if name in standing else name for name in NAMES}


@given(LINKS, SAME, st.sets(PAIRS, max_size=4))
def test_the_bounds_are_nested_and_no_decision_is_broken(
    links: dict[tuple[str, str], float], same: dict[tuple[str, str], float], different: set[tuple[str, str]]
) -> None:
    same = {pair: strength for pair, strength in same.items() if pair not in different}

    standing = partition(links, same, different)

    most, person, fewest = (of(standing, bound) for bound in ("most", "person", "fewest"))
    for one in NAMES:
        for other in NAMES:
            assert most[one] != most[other] or person[one] == person[other]
            assert person[one] != person[other] or fewest[one] == fewest[other]
    assert all(fewest[a] != fewest[b] for a, b in different)
    assert len(set(fewest.values())) <= len(set(person.values())) <= len(set(most.values()))
    if not different:
        assert all(most[a] == most[b] for a, b in same)


@given(LINKS, SAME, st.sets(PAIRS, max_size=3), st.randoms(use_true_random=False))
def test_order_and_what_else_there_is_make_no_difference(
    links: dict[tuple[str, str], float],
    same: dict[tuple[str, str], float],
    different: set[tuple[str, str]],
    rng: random.Random,
) -> None:
    def shuffled(some: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
        return dict(rng.sample(list(some.items()), len(some)))

    alone = partition(links, same, different)
    elsewhere = {(f"x{a}", f"x{b}"): p for (a, b), p in links.items()}

    together = partition(shuffled({**elsewhere, **links}), shuffled(same), set(different))

    assert {name: one for name, one in together.items() if not name.startswith("x")} == alone


@given(LINKS, SAME, PAIRS)
def test_a_decision_that_is_taken_back_leaves_nothing(
    links: dict[tuple[str, str], float], same: dict[tuple[str, str], float], pair: tuple[str, str]
) -> None:
    same.pop(pair, None)
    before = partition(links, same, set())
    assert (
        of(partition(links, same, {pair}), "fewest")[pair[0]] != of(partition(links, same, {pair}), "fewest")[pair[1]]
    )

    assert partition(links, same, set()) == before
