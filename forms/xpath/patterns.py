"""Regular expressions from strangers, matched in bounded time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby
from typing import TypeAlias

LONGEST_PATTERN = 2_000
LONGEST_TEXT = 20_000
_LONGEST_WRITTEN = 100_000  # with the characters that \p{…} stands for: of letters there are thousands
_STEPS = 2_000_000  # what one match may cost
_WIDEST = 1_000  # the largest count in braces


class BadPattern(ValueError):
    """The pattern is not a regular expression, or one whose cost could not be bounded."""


class TooCostly(ValueError):
    """Matching this text would take too long."""


@dataclass(frozen=True)
class Pattern:
    """Matches whole texts in time that grows with length, never exponentially.

    What backtracking does soon enough is left to `re`; what it might not end is run as a set of states instead: a
    repetition that holds another or a choice (`entangled`), many that have no bound, or many choices one after another.
    """

    simple: re.Pattern[str]
    tree: _Tree | None  # None of a pattern that states cannot follow
    entangled: bool
    open_ended: int  # repetitions without a bound
    ways: int  # in which the choices and the other repetitions can be combined

    def matches(self, text: str) -> bool:
        if len(text) > LONGEST_TEXT:
            raise TooCostly
        if not self.entangled and len(text) ** max(self.open_ended, 1) * self.ways <= _STEPS:
            return self.simple.fullmatch(text) is not None
        if self.tree is None:
            raise TooCostly
        return self.machine.matches(text)

    @cached_property
    def machine(self) -> _Machine:
        return _Machine(self.tree or _Sequence(()))


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> Pattern:
    """Java's notation as far as forms use it. Raises BadPattern with the reason."""
    if len(text) > LONGEST_PATTERN:
        raise BadPattern(f"it is longer than {LONGEST_PATTERN} characters")
    written = _python(text)
    if len(written) > _LONGEST_WRITTEN:
        raise BadPattern("it is too large")
    reader = _Reader(text)
    tree = reader.whole()
    try:
        simple = re.compile(written)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPattern(str(error)) from error
    if (reader.entangled or reader.open_ended > 3) and reader.beyond:
        raise BadPattern(f"repetition within repetition cannot be combined with {reader.beyond}")
    pattern = Pattern(simple, None if reader.beyond else tree, reader.entangled, reader.open_ended, reader.ways)
    if reader.entangled:
        _ = pattern.machine  # which may be too large
    return pattern


# The tree of a pattern: a set of characters, a sequence, a choice, a repetition, an anchor.
@dataclass(frozen=True, slots=True)
class _Characters:
    pattern: re.Pattern[str]  # of one character


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple[_Tree, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    branches: tuple[_Tree, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    body: _Tree
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class _Anchor:
    at_end: bool


_Tree: TypeAlias = _Characters | _Sequence | _Choice | _Repeat | _Anchor

_QUANTIFIER = re.compile(r"[*+?]|\{(\d+)(,)?(\d*)\}")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[pP]\{\w+\}|[pP][LMNPSZ]|.)", re.DOTALL)
# What stands between [ and ].
_PROPERTIES = {
    "Alpha": "A-Za-z",
    "Digit": "0-9",
    "Upper": "A-Z",
    "Lower": "a-z",
    "Alnum": "A-Za-z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Space": r"\s",
    "ASCII": r"\x00-\x7f",
}
_CATEGORY = re.compile(r"(?:Is)?([LMNPSZ][a-z]?)|IsAlphabetic")
_SCRIPT = re.compile(r"(?:Is|In)([A-Z][a-z]{2,})")
_SHORT = {"d": "[0-9]", "D": "[^0-9]", "w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]", "h": r"[ \t\u00a0]", "z": r"\Z"}
_SHORT_IN_CLASS = {"d": "0-9", "w": "A-Za-z0-9_", "h": r" \t\u00a0"}
_PIECE = re.compile(rf"{_CLASS.pattern}|{_ESCAPE.pattern}|.", re.DOTALL)


def _python(text: str) -> str:
    """In Python's notation what Java writes differently: \\d and \\w are ASCII, \\p names properties, \\h a blank."""
    return "".join(_python_piece(piece) for piece in _PIECE.findall(text))


def _python_piece(piece: str) -> str:
    if piece[0] == "[" and len(piece) > 1:
        return _python_class(piece)
    if piece[0] != "\\":
        return piece
    if piece[1:2] in ("p", "P"):
        return f"[{'^' if piece[1] == 'P' else ''}{_property(piece)}]"
    return _SHORT.get(piece[1:], piece)


def _python_class(text: str) -> str:
    if "&&" in text or re.search(r"(?<!\\)\[", text[1:]):
        raise BadPattern("classes within classes are not known here")
    return _ESCAPE.sub(lambda found: _python_class_piece(found[0]), text)


def _python_class_piece(piece: str) -> str:
    if piece[1] not in "pP":
        return _SHORT_IN_CLASS.get(piece[1:], piece)
    if piece[1] == "P":
        raise BadPattern(f"{piece} is not known here within [ ]")
    return _property(piece)


def _property(piece: str) -> str:
    """What \\p{…} stands for, as it is written between [ and ]."""
    name = piece[2:].strip("{}")
    if name in _PROPERTIES:
        return _PROPERTIES[name]
    characters = ""
    if found := _CATEGORY.fullmatch(name):
        characters = _ranges(unicodedata.category, found[1] or "L")
    elif found := _SCRIPT.fullmatch(name):
        characters = _ranges(_name, f"{found[1].upper()} ")
    if not characters:
        raise BadPattern(f"{piece} is not known here")
    return characters


def _name(character: str) -> str:
    return unicodedata.name(character, "")


@lru_cache(maxsize=256)
def _ranges(told_by: Callable[[str], str], beginning: str) -> str:
    """The characters of which Unicode tells something that begins so, one range after the other."""
    codes = [code for code in range(0x10000) if told_by(chr(code)).startswith(beginning)]
    runs = [list(run) for _, run in groupby(enumerate(codes), key=lambda placed: placed[1] - placed[0])]
    return "".join(f"\\u{run[0][1]:04x}-\\u{run[-1][1]:04x}" for run in runs)


class _Reader:
    """Reads the pattern into a tree, and notes what could make backtracking expensive."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0
        self.open_ended = 0
        self.ways = 1
        self.entangled = False
        self.beyond = ""

    def whole(self) -> _Tree:
        tree = self.choice()
        if self.position < len(self.text):
            raise BadPattern("a ) has no (")
        return tree

    def choice(self) -> _Tree:
        self.depth += 1
        if self.depth > 40:
            raise BadPattern("its brackets are nested too deep")
        branches = [self.sequence()]
        while self.peek() == "|":
            self.position += 1
            branches.append(self.sequence())
        self.depth -= 1
        self.ways *= len(branches)
        return branches[0] if len(branches) == 1 else _Choice(tuple(branches))

    def sequence(self) -> _Tree:
        parts: list[_Tree] = []
        while (character := self.peek()) and character not in "|)":
            parts.append(self.repetition())
        return parts[0] if len(parts) == 1 else _Sequence(tuple(parts))

    def repetition(self) -> _Tree:
        part = self.atom()
        while found := _QUANTIFIER.match(self.text, self.position):
            self.position = found.end()
            if self.peek() and self.peek() in "?+":
                self.position += 1  # how greedy makes no difference to whether the whole matches
            part = self.repeated(part, *_bounds(found))
        return part

    def repeated(self, body: _Tree, least: int, most: int | None) -> _Tree:
        if max(least, most or 0) > _WIDEST:
            raise BadPattern(f"it repeats something more than {_WIDEST} times")
        if most is None or most > 1:
            self.entangled |= _varies(body)
        if most is None or most - least > 20:
            self.open_ended += 1
        else:
            self.ways *= most - least + 1
        return _Repeat(body, least, most)

    def atom(self) -> _Tree:
        character = self.text[self.position]
        if character == "(":
            return self.group()
        if character == "[":
            return self.characters(_CLASS, "a [ is never closed")
        if character == "\\":
            return self.escape()
        self.position += 1
        if character in "*+?":
            raise BadPattern(f"there is nothing before {character} to repeat")
        if character in "^$":
            return _Anchor(character == "$")
        if character == ".":
            return _Characters(re.compile(r"[^\n]"))
        return _Characters(re.compile(re.escape(character)))

    def group(self) -> _Tree:
        self.position += 1
        if self.peek() == "?":
            found = re.compile(r"\?(?::|<\w+>|[imsux-]+\)|<?[=!]|>)").match(self.text, self.position)
            if found is None:
                raise BadPattern("a group begins with (? in a way not known here")
            self.position = found.end()
            if (found[0] != "?:" and not found[0].startswith("?<")) or found[0][-1] in "=!":
                self.beyond = f"({found[0]}"
            if found[0].endswith(")"):
                return _Sequence(())
        tree = self.choice()
        if self.peek() != ")":
            raise BadPattern("a ( is never closed")
        self.position += 1
        return tree

    def escape(self) -> _Tree:
        following = self.text[self.position + 1 : self.position + 2]
        if following.isdigit() or following in ("k", "G", "Q"):
            self.beyond = f"\\{following}"
            self.entangled = True
        if following in ("b", "B", "A", "z", "Z"):
            self.beyond = f"\\{following}"
            self.position += 2
            return _Sequence(())
        return self.characters(_ESCAPE, "it ends with a backslash")

    def characters(self, shape: re.Pattern[str], otherwise: str) -> _Tree:
        found = shape.match(self.text, self.position)
        if found is None:
            raise BadPattern(otherwise)
        self.position = found.end()
        try:
            return _Characters(re.compile(_python(found[0])))
        except re.error as error:
            raise BadPattern(str(error)) from error

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]


def _bounds(found: re.Match[str]) -> tuple[int, int | None]:
    if found[1] is None:
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[found[0]]
    least = int(found[1])
    if not found[2]:
        return least, least
    return least, int(found[3]) if found[3] else None


def _varies(tree: _Tree) -> bool:
    """Whether one text can be matched by it in more than one way or length."""
    match tree:
        case _Choice():
            return True
        case _Repeat():
            return tree.least != tree.most or _varies(tree.body)
        case _Sequence():
            return any(_varies(part) for part in tree.parts)
    return False


class _Machine:
    """Thompson's construction: every state that could have been reached is followed at once."""

    def __init__(self, tree: _Tree) -> None:
        self.edges: list[tuple[re.Pattern[str], int] | None] = [None]  # the one step that reads a character
        self.free: list[list[tuple[int, bool | None]]] = [[]]  # steps that read nothing; True: only at the end
        self.final = self.build(tree, 0)

    def matches(self, text: str) -> bool:
        if len(text) * len(self.edges) > _STEPS:
            raise TooCostly
        now = self.reached({0}, at_start=True, at_end=not text)
        for index, character in enumerate(text, start=1):
            following = set()
            for state in now:
                edge = self.edges[state]
                if edge is not None and edge[0].fullmatch(character):
                    following.add(edge[1])
            now = self.reached(following, at_start=False, at_end=index == len(text))
            if not now:
                return False
        return self.final in now

    def reached(self, states: set[int], at_start: bool, at_end: bool) -> set[int]:
        waiting = list(states)
        while waiting:
            for target, only in self.free[waiting.pop()]:
                allowed = only is None or (at_end if only else at_start)
                if allowed and target not in states:
                    states.add(target)
                    waiting.append(target)
        return states

    def state(self) -> int:
        if len(self.edges) > 20_000:
            raise BadPattern("it is too large")
        self.edges.append(None)
        self.free.append([])
        return len(self.edges) - 1

    def build(self, tree: _Tree, start: int) -> int:
        match tree:
            case _Characters():
                end = self.state()
                self.edges[start] = (tree.pattern, end)
                after = self.state()
                self.free[end].append((after, None))
                return after
            case _Anchor():
                end = self.state()
                self.free[start].append((end, tree.at_end))
                return end
            case _Sequence():
                for part in tree.parts:
                    start = self.build(part, start)
                return start
            case _Choice():
                end = self.state()
                for branch in tree.branches:
                    first = self.state()
                    self.free[start].append((first, None))
                    self.free[self.build(branch, first)].append((end, None))
                return end
            case _Repeat():
                return self.repeat(tree, start)

    def repeat(self, tree: _Repeat, start: int) -> int:
        for _ in range(tree.least):
            start = self.build(tree.body, start)
        if tree.most is None:
            loop, end = self.state(), self.state()
            self.free[start].append((loop, None))
            self.free[loop].append((end, None))
            first = self.state()
            self.free[loop].append((first, None))
            self.free[self.build(tree.body, first)].append((loop, None))
            return end
        end = self.state()
        for _ in range(tree.most - tree.least):
            self.free[start].append((end, None))
            first = self.state()
            self.free[start].append((first, None))
            start = self.build(tree.body, first)
        self.free[start].append((end, None))
        return end
