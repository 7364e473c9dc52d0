import re
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms.xpath.patterns import BadPattern, TooCostly, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"[0-9]{8}", "76123456", True),
        (r"[0-9]{8}", "761234567", False),
        (r"^[0-9]{8}$", "76123456", True),
        (r"\d+", "٣", False),
        (r"\w+", "é", False),
        (r"\p{L}+", "Aïssata", True),
        (r"[\p{L} ]+", "Aïssata Traoré", True),
        (r"[\p{L} ]+", "Ɲɛnɛ Kɔnɛ", True),
        (r"\p{Lu}\p{Ll}+", "Ɲɛnɛ", True),
        (r"\p{Lu}\p{Ll}+", "ɲɛnɛ", False),
        (r"\pL[\pL\p{M}]*", "ɔ\u0300rɔ", True),
        (r"\p{InArabic}+", "سلام", True),
        (r"\p{IsLatin}+", "سلام", False),
        (r"\P{L}+", "12-3", True),
        (r"(a|b)+c", "ababc", True),
        (r"([a-z]+)*x", "abcx", True),
        (r"([a-z]+)*x", "abc", False),
        (r"(\d{2} ?){4}", "76 12 34 56", True),
        (r"(\d{2} ?){4}", "76 12 34", False),
        (r"a*?b++", "aabb", True),
        (r"[^@]+@[^@]+\.[a-z]{2,}", "amina@example.org", True),
        (r"(?:ML|BF)-\d", "ML-2", True),
        (r"(?i)ml", "ML", True),
        (r"(?=.*\d).{4,}", "abc1", True),
        (r"a\.b", "a.b", True),
        (r"[\]\-x]+", "]-x", True),
        (r"", "", True),
        (r".*", "a\nb", False),
    ],
)
def test_a_pattern_matches_the_whole_text_as_in_java(pattern: str, text: str, expected: bool) -> None:
    assert compile_pattern(pattern).matches(text) is expected


@pytest.mark.parametrize(
    "pattern", ["(", ")", "[a", "a{2", "*a", "a\\", "[z-a]", "(?<a", r"\p{Klingon}", "a{5000}", r"\p{L}" * 99]
)
def test_what_is_no_pattern_or_too_large_is_refused(pattern: str) -> None:
    if pattern == "a{2":
        assert compile_pattern(pattern).matches("a{2")
        return
    with pytest.raises(BadPattern):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|a)*b",
        "(a|aa)+b",
        "(.*a){20}b",
        "((a*)*)*b",
        "a*a*a*a*a*a*b",
        "(a?){60}a{60}b",
        "(a{0,20}){0,20}b",
        "(a+){2}b",
        "([a-z]+[a-z]*)+b",
        "a?" * 28 + "b",
        "a{0,9}" * 12 + "b",
        "(a|a)" * 30 + "b",
        "(?=.)" + "(a|a)" * 30 + "b",
    ],
)
@pytest.mark.parametrize("length", [30, 3_000])
def test_no_pattern_takes_for_ever(pattern: str, length: int) -> None:
    began = time.process_time()

    with suppress(BadPattern, TooCostly):
        assert compile_pattern(pattern).matches("a" * length) is False

    assert time.process_time() - began < 5


def test_a_very_long_text_is_too_costly() -> None:
    with pytest.raises(TooCostly):
        compile_pattern("[a-z]+").matches("a" * 100_000)


_parts = st.sampled_from(
    ["a", "b", "[ab]", ".", "a?", "b*", "(ab)", "(a|b)", "(a|ba)+", "(a*b)*", "a{1,2}", "(b{2}|a)?"]
)


@given(st.lists(_parts, max_size=6).map("".join), st.text(st.sampled_from("ab"), max_size=8))
def test_the_two_ways_of_matching_agree(pattern: str, text: str) -> None:
    assert compile_pattern(pattern).matches(text) is (re.fullmatch(pattern, text) is not None)
