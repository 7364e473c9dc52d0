"""`${name}` in the expressions of our own sheets: where each stands, and what it is written as in XPath."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# A reference may mean many nodes where one of these asks for them; anywhere else it means one value.
NODESET_FUNCTIONS = frozenset(
    {"sum", "count", "count-non-empty", "min", "max", "join", "concat", "indexed-repeat", "boolean", "position"}
)
_TOKEN = re.compile(
    r"""(?P<literal>"[^"]*"|'[^']*')
      | \$\{\s*+(?P<name>[^\s{}]*+)\s*+\}
      | (?P<word>[A-Za-z_][\w.:-]*+)(?P<call>\s*+\()?
      | (?P<open>\()
      | (?P<close>\))
    """,
    re.VERBOSE,
)
_QUOTED = re.compile(r"\$\{\s*+([^\s{}]*+)\s*+\}")


@dataclass(frozen=True, slots=True)
class Reference:
    """`of_many`: whether it stands where a set of nodes is asked for, such as in `sum(${age})`.

    `quoted`: it stands inside a text, where it means nothing.
    """

    name: str
    start: int
    end: int
    of_many: bool = False
    quoted: bool = False

    @property
    def alone(self) -> bool:
        """Whether it means one value."""
        return not (self.of_many or self.quoted)


def references(expression: str) -> Iterator[Reference]:
    """Every `${…}` from left to right."""
    calls: list[str] = []
    for token in _TOKEN.finditer(expression):
        if token["literal"]:
            for quoted in _QUOTED.finditer(token[0]):
                start = token.start() + quoted.start()
                yield Reference(quoted[1], start, start + len(quoted[0]), quoted=True)
        elif token["name"] is not None:
            after = expression[token.end() :].lstrip()
            many = (bool(calls) and calls[-1] in NODESET_FUNCTIONS) or after.startswith(("[", "/"))
            yield Reference(token["name"], token.start(), token.end(), of_many=many)
        elif token["call"] or token["open"]:
            calls.append(token["word"] or "")
        elif token["close"] and calls:
            calls.pop()


def substitute(expression: str, path_of: Callable[[str], str]) -> str:
    """The expression with each reference replaced by the XPath that `path_of` gives for its name."""
    parts = []
    done = 0
    for reference in references(expression):
        if not reference.quoted:
            parts += [expression[done : reference.start], path_of(reference.name)]
            done = reference.end
    return "".join([*parts, expression[done:]])


def enclosing(path: str, repeats: tuple[str, ...]) -> str | None:
    """The innermost repeat around a path, not the path itself."""
    return max((repeat for repeat in repeats if path.startswith(f"{repeat}/")), key=len, default=None)


def visible(path: str, row: str | None, repeats: tuple[str, ...]) -> bool:
    """Whether the path means at most one node from the row: it lies in no repeat that the row is not in."""
    innermost = path if path in repeats else enclosing(path, repeats)
    return innermost is None or (row is not None and (row == innermost or row.startswith(f"{innermost}/")))
