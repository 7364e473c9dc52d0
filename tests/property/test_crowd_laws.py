"""A crowd is the set of its subjects: what is united, and how many persons it is, are the same."""

from hypothesis import given
from hypothesis import strategies as st

from sync.indicators.crowds import Crowd, Register, heads_by, united

_SUBJECTS = st.sampled_from([f"people/{letter}" for letter in "abcdefghijkl"])
_SETS = st.lists(st.sets(_SUBJECTS), max_size=6)


def as_crowds(sets: list[set[str]]) -> list[Crowd]:
    register = Register()
    register.enter({"people/l", "people/z"})  # others came before them
    return [Crowd(register, register.enter(one)) for one in sets]


@given(_SETS)
def test_crowds_are_the_sets_of_their_subjects(sets: list[set[str]]) -> None:
    crowds = as_crowds(sets)
    assert [set(one) for one in crowds] == sets
    assert [len(one) for one in crowds] == [len(one) for one in sets]
    assert all(("people/a" in crowd) == ("people/a" in one) for crowd, one in zip(crowds, sets, strict=True))
    assert all("nobody" not in crowd for crowd in crowds)
    assert set(united(crowds)) == set(united(sets)) == set().union(*sets)


@given(_SETS, st.dictionaries(_SUBJECTS, _SUBJECTS))
def test_persons_are_counted_alike(sets: list[set[str]], stands: dict[str, str]) -> None:
    persons = {subject: person for subject, person in stands.items() if person not in stands}
    count = heads_by(persons)
    for one, crowd in zip(sets, as_crowds(sets), strict=True):
        assert count(crowd) == count(one) == len({persons.get(subject, subject) for subject in one})
