"""Who is one person when all pairs are seen together."""

from sync.dedup.scoring.clustering import Standing, partition

NOTHING: frozenset[tuple[str, str]] = frozenset()


def persons(standing: dict[str, Standing], bound: str = "person") -> set[frozenset[str]]:
    together: dict[str, set[str]] = {}
    for entity, one in standing.items():
        together.setdefault(getattr(one, bound), set()).add(entity)
    return {frozenset(entities) for entities in together.values()}


def people(*groups: str) -> set[frozenset[str]]:
    return {frozenset(group) for group in groups}


def test_a_pair_joins_by_how_probable_it_is() -> None:
    standing = partition({("a", "b"): 0.95, ("c", "d"): 0.6, ("e", "f"): 0.1, ("g", "h"): 0.01}, {}, NOTHING)

    assert persons(standing, "most") == people("ab", "c", "d", "e", "f", "g", "h")
    assert persons(standing, "person") == people("ab", "cd", "e", "f", "g", "h")
    assert persons(standing, "fewest") == people("ab", "cd", "ef", "g", "h")


def test_a_person_has_the_smallest_id_of_its_entities() -> None:
    assert partition({("a", "c"): 0.9, ("b", "c"): 0.9, ("a", "b"): 0.9}, {}, NOTHING)["c"] == Standing("a", "a", "a")


def test_one_doubtful_link_does_not_join_two_families() -> None:
    family = {("a", "b"): 0.9, ("c", "d"): 0.9, ("b", "c"): 0.6}

    assert persons(partition(family, {}, NOTHING)) == people("ab", "cd")
    assert persons(partition(family, {}, NOTHING), "fewest") == people("abcd")


def test_what_was_decided_holds_whatever_the_probability() -> None:
    assert persons(partition({("a", "b"): 0.01}, {("a", "b"): 0.01}, NOTHING), "most") == people("ab")
    assert persons(partition({("a", "b"): 0.99}, {}, {("a", "b")}), "fewest") == people("a", "b")


def test_two_who_are_different_are_not_joined_through_a_third() -> None:
    standing = partition({("a", "b"): 0.9, ("b", "c"): 0.8}, {}, {("a", "c")})

    assert persons(standing) == people("ab", "c")
    assert persons(standing, "fewest") == people("ab", "c")


def test_different_inside_of_what_was_decided_splits_it_at_its_weakest_link() -> None:
    same = {("a", "b"): 0.9, ("b", "c"): 0.3, ("c", "d"): 0.8}

    assert persons(partition({}, same, NOTHING)) == people("abcd")
    assert persons(partition({}, same, {("a", "d")})) == people("ab", "cd")


def test_a_long_chain_and_a_great_star_come_to_an_end() -> None:
    chain = {(f"{number:05}", f"{number + 1:05}"): 0.6 + number % 7 / 100 for number in range(20_000)}
    star = {("00000", f"{number:05}"): 0.6 + number % 7 / 100 for number in range(1, 20_000)}

    assert len(persons(partition(chain, {}, NOTHING), "fewest")) == 1
    assert len(persons(partition(star, {}, NOTHING), "person")) == 19_999
