"""XForms XPath rewritten as the XPath 1.0 that lxml runs, so that it means there what JavaRosa makes of it.

JavaRosa gives a path the type of its question (a blank number is '', a date is a number of days where one is wanted),
takes an absolute path into a repeat around the context to mean the same iteration, and treats what is not there as ''.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from forms.findings import Finding
from forms.spelling import did_you_mean
from forms.xpath.dates import days_of, read_date
from forms.xpath.functions import PREFIX
from forms.xpath.shape import KIND_OF_TYPE, NUMERIC, Kind, Piece, Shape, Steps, quote
from forms.xpath.signatures import FUNCTIONS
from forms.xpath.syntax import Call, Negation, Node, Number, Operation, Path, Step, Text, Variable

_LAST_SAVED = "__last-saved"  # the record before this one on the device, which no server knows
_CHAINS = {"+": "+-", "-": "+-", "and": "and", "or": "or"}

# Translates a call: it is given the translator and the arguments.
Special = Callable[..., Piece]


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where `.` is: in a predicate (`nested`) paths cannot be written relative to the expression's own context."""

    here: Steps | None
    nested: bool = False
    foreign: bool = False  # in another instance than the primary one


class Translator:
    """Translates one expression whose context node is at `at`. What it met on the way is in its attributes.

    An absolute path means the same iteration of the repeats that `within` lies in; by default those around `at`.
    `calls` has the functions that take more than a template.
    """

    def __init__(self, at: str, shape: Shape | None, calls: Mapping[str, Special], within: str | None = None) -> None:
        self.shape = shape
        self.calls = calls
        self.at: Steps = _split(at)
        self.within: Steps = _split(within or at)
        self.scope = _Scope(self.at)
        self.findings: list[Finding] = []
        self.functions: set[str] = set()
        self.variables: set[str] = set()
        self.depends_on: set[str] = set()
        self.lists: set[str] = set()  # of those outside the form
        self.volatile = False
        self.spoken = False  # depends on the language shown
        self.wide = False  # reads more than its own iteration of a repeat

    # --- one part -------------------------------------------------------------------------------------------------

    def piece(self, node: Node) -> Piece:
        match node:
            case Number():
                return Piece(_literal_number(node.value), Kind.NUMBER)
            case Text():
                return Piece(quote(node.value), Kind.TEXT)
            case Variable():
                self.variables.add(node.name)
                return Piece(f"${node.name}", Kind.TEXT)
            case Negation():
                return Piece(f"(-{self.number(self.piece(node.operand))})", Kind.NUMBER)
            case Operation():
                return self.operation(node)
            case Call():
                return self.call(node)
            case Path():
                return self.path(node)

    def operation(self, node: Operation) -> Piece:
        """Long chains lean to the left, so that side is walked, not recursed into."""
        spine: list[Operation] = []
        left: Node = node
        while isinstance(left, Operation):
            spine.append(left)
            left = left.left
        piece = self.piece(left)
        for operation in reversed(spine):
            piece = self.combine(operation.operator, piece, self.piece(operation.right))
        return piece

    def combine(self, operator: str, left: Piece, right: Piece) -> Piece:
        if operator in ("and", "or"):
            return self.chained(operator, left, self.boolean(left), self.boolean(right), Kind.BOOLEAN)
        if operator == "=":
            return Piece(self.equality(left, right), Kind.BOOLEAN)
        if operator == "!=":
            return Piece(f"not({self.equality(left, right)})", Kind.BOOLEAN)
        if operator in ("<", "<=", ">", ">="):
            return Piece(f"({self.number(left)} {operator} {self.number(right)})", Kind.BOOLEAN)
        if operator == "|":
            if left.nodes and right.nodes:
                kind = left.kind if left.kind == right.kind else Kind.TEXT
                return Piece(f"({left.code} | {right.code})", kind, nodes=True)
            self.fault("‘|’ joins sets of nodes, not values.", "Write ‘or’ for a choice.")
            return left
        return self.chained(operator, left, self.number(left), self.number(right), Kind.NUMBER)

    def chained(self, operator: str, left: Piece, before: str, after: str, kind: Kind) -> Piece:
        """Without brackets around what is on the left already: libxml2 does not go very deep."""
        chain = _CHAINS.get(operator, "")
        if chain and left.chain == chain:
            before = before[1:-1]
        return Piece(f"({before} {operator} {after})", kind, chain=chain)

    def equality(self, left: Piece, right: Piece) -> str:
        kinds = (left.kind, right.kind)
        if Kind.ANY in kinds:
            return self.extension("equal", self.value(left), self.value(right))
        if Kind.BOOLEAN in kinds:
            return f"({self.boolean(left)} = {self.boolean(right)})"
        if Kind.NUMBER in kinds:
            if all(piece.code.isdigit() or piece.kind is Kind.NUMERIC for piece in (left, right)):
                return f"({self.number(left)} = {self.number(right)})"
            return self.extension("near", self.number(left), self.number(right))
        if left.kind in NUMERIC or right.kind in NUMERIC:
            return self.numeric_equality(left, right)
        if left.kind is Kind.TRUTH or right.kind is Kind.TRUTH:
            return self.extension("equal-truth", self.plain_text(left), self.plain_text(right))
        return f"({self.text(left)} = {self.text(right)})"

    def numeric_equality(self, left: Piece, right: Piece) -> str:
        """A number question that is blank is '' and equals no number."""
        for one, other in ((left, right), (right, left)):
            if other.code == "''":
                return f"({self.plain_text(one)} = '')"
        both_blank = f"({self.plain_text(left)} = '' and {self.plain_text(right)} = '')"
        return f"({self.number(left)} = {self.number(right)} or {both_blank})"

    # --- conversions ----------------------------------------------------------------------------------------------

    def number(self, piece: Piece) -> str:
        match piece.kind:
            case Kind.NUMBER:
                return piece.code
            case Kind.NUMERIC | Kind.BOOLEAN:
                return f"number({piece.code})"
            case Kind.DECIMAL:
                return self.extension("decimal", self.plain_text(piece))
            case Kind.DATE:
                return self.day_number(piece)
            case Kind.ANY:
                return self.extension("number", piece.code)
        return self.exact(piece)

    def exact(self, piece: Piece) -> str:
        """libxml2 reads fractions to within a rounding error only, and takes exponents, which XPath 1.0 does not. What
        was calculated may be a number all the same, and have one."""
        calculated = piece.at and self.shape and "/" + "/".join(piece.at) in self.shape.kinds
        return self.extension("decimal" if calculated else "exact", self.plain_text(piece))

    def day_number(self, piece: Piece) -> str:
        self.timed(piece)
        if piece.code == "$today":
            self.variables.add("today_number")
            return "$today_number"
        written = read_date(piece.code[1:-1]) if piece.code[:1] == "'" else None
        if written is not None:
            return _literal_number(float(days_of(written)))
        return self.extension("day-number", self.plain_text(piece))

    def timed(self, piece: Piece) -> None:
        """JavaRosa takes a time of day to be one of today."""
        if piece.at and self.shape and self.shape.types.get("/" + "/".join(piece.at)) == "time":
            self.volatile = True

    def text(self, piece: Piece) -> str:
        match piece.kind:
            case Kind.NUMBER:
                if piece.code.isdigit() and len(piece.code) < 9:
                    return f"'{piece.code}'"
                return self.extension("text", piece.code)
            case Kind.BOOLEAN:
                return f"string({piece.code})"
            case Kind.ANY:
                return self.extension("text", piece.code)
            case Kind.DECIMAL:
                return self.extension("decimal-text", self.plain_text(piece))
            case Kind.TRUTH:
                return self.extension("truth-text", self.plain_text(piece))
            case Kind.NUMERIC if not piece.nodes:
                return self.extension("text", piece.code)
            case Kind.DATE if piece.code != "$today":
                self.timed(piece)
                return self.extension("day-text", self.plain_text(piece))
        return self.plain_text(piece)

    def plain_text(self, piece: Piece) -> str:
        """As it stands in the instance."""
        if piece.nodes:
            return f"string({piece.code})"
        return piece.code if piece.kind in (Kind.TEXT, Kind.DATE) else f"string({piece.code})"

    def boolean(self, piece: Piece) -> str:
        match piece.kind:
            case Kind.BOOLEAN:
                return piece.code
            case Kind.NUMBER:
                return f"boolean({piece.code})"
            case Kind.NUMERIC | Kind.DECIMAL:
                return f"boolean({self.number(piece)})"
            case Kind.TRUTH:
                text = self.plain_text(piece)
                return f"({text} = 'true' or {text} = '1')"
            case Kind.ANY:
                return self.extension("boolean", piece.code)
        return f"boolean({self.plain_text(piece)})"

    def value(self, piece: Piece) -> str:
        """Its own kind kept; nodes become their text."""
        if piece.nodes and piece.kind in (*NUMERIC, Kind.TRUTH):
            return self.text(piece)
        return self.plain_text(piece) if piece.nodes else piece.code

    def extension(self, name: str, *arguments: str) -> str:
        self.functions.add(name)
        return f"{PREFIX}:{name}({', '.join(arguments)})"

    # --- paths ----------------------------------------------------------------------------------------------------

    def path(self, node: Path) -> Piece:
        match node.start:
            case "/":
                return self.absolute(node.steps)
            case ".":
                return self.relative(node.steps, self.scope, "")
            case Call("current"):
                if self.scope.nested:
                    self.variables.add("current")
                return self.relative(
                    node.steps, _Scope(self.at, self.scope.nested), "$current" if self.scope.nested else "."
                )
            case Call("instance", (Text(name),)):
                return self.instance(name, node)
            case start:
                assert not isinstance(start, str)
                return self.filtered(self.piece(start), node)

    def absolute(self, steps: tuple[Step, ...]) -> Piece:
        if not steps:
            return Piece(self.root(), Kind.TEXT, nodes=True, at=("data",))
        first = steps[0]
        if first.axis != "child" or first.test == "*":
            return self.written(self.root() if first.axis == "child" else f"{self.root()}/..", steps, None)
        if self.shape and first.test not in (self.shape.root, "data"):
            self.fault(f"There is no ‘/{first.test}’.", f"Paths into this form begin with ‘/{self.shape.root}’.")
        return self.resolved(("data",), steps[1:])

    def relative(self, steps: tuple[Step, ...], scope: _Scope, prefix: str) -> Piece:
        """`prefix` is the code of the node that the steps begin at, '' for the context node itself."""
        if scope.here is None or scope.foreign:
            return self.written(prefix, steps, None, foreign=scope.foreign)
        at, rest = scope.here, list(steps)
        climbs = 0
        while rest and not rest[0].predicates and rest[0].test == "node()" and rest[0].axis in ("self", "parent"):
            if rest.pop(0).axis == "parent":
                at, climbs = at[:-1], climbs + 1
        if not at:
            self.fault("The path climbs above the form's root.", "Take out one ‘..’.")
            return Piece("''", Kind.TEXT)
        if scope.here[-1].startswith("@"):  # the context node is the element that has the attribute
            prefix, climbs = (prefix, climbs - 1) if climbs else (f"{prefix or '.'}/{scope.here[-1]}", 0)
        begin = "/".join([part for part in [prefix] if part not in ("", ".")] + [".."] * climbs)
        if not rest:
            self.note(at)
            return Piece(begin or ".", self.kind(at), nodes=True, at=at)
        self.wide |= climbs > 0 and not scope.nested and self.returns(at, rest)
        return self.written(begin, rest, at)

    def returns(self, at: Steps, steps: list[Step]) -> bool:
        """Whether steps lead from above a repeat into it, as `../../people/age` does."""
        for step in steps:
            if step.axis != "child" or self.shape is None:
                return False
            at = (*at, _named(step))
            if "/" + "/".join(at) in self.shape.repeats:
                return True
        return False

    def resolved(self, at: Steps, steps: tuple[Step, ...]) -> Piece:
        """An absolute path: from the context's own iteration of a repeat, as far as no predicate says otherwise."""
        target, plain = at, 0
        for step in steps:
            if step.axis not in ("child", "attribute") or step.test == "*" or "(" in step.test or step.predicates:
                break
            target, plain = (*target, _named(step)), plain + 1
        start, shared = self.iteration(target)
        begin = "/".join([start, *target[shared:]])
        if plain == len(steps):
            self.note(target)
            return Piece(begin, self.kind(target), nodes=True, at=target)
        return self.written(begin, steps[plain:], target)

    def iteration(self, target: Steps) -> tuple[str, int]:
        """The code of the innermost repeat around the target and the place where the path stands, and how many steps
        lead to it; of the root, if there is none. In a predicate that place is first what the predicate looks at: of
        `/data/people[age = max(/data/people/age)]` JavaRosa compares each age with itself."""
        here = self.scope.here
        if self.scope.nested and not self.scope.foreign and here and (shared := self.shared(here, target)):
            return "/".join(_climb(here, shared)) or ".", shared
        if not (shared := self.shared(self.within, target)):
            return self.root(), 1
        climb = _climb(self.at, shared)
        if self.scope.nested:
            self.variables.add("current")
            return "/".join(["$current", *climb]), shared
        return "/".join(climb) or ".", shared

    def shared(self, place: Steps, target: Steps) -> int:
        """How many steps lead to the innermost repeat around both; 0 if none."""
        if self.shape is None:
            return 0
        common = 0
        for mine, its in zip(place, target, strict=False):
            if mine != its:
                break
            common += 1
        return next((n for n in range(common, 0, -1) if "/" + "/".join(target[:n]) in self.shape.repeats), 0)

    def root(self) -> str:
        if self.scope.nested:
            self.variables.add("root")
            return "$root"
        return "/*"

    def static(self, at: Steps, step: Step) -> Steps | None:
        """Where a step leads, if that can be told."""
        if step.test == "node()" and step.axis == "parent":
            return at[:-1] or None
        if step.test == "node()" and step.axis == "self":
            return at
        if step.axis in ("child", "attribute") and step.test != "*" and "(" not in step.test:
            return (*at, _named(step))
        return None

    def written(self, code: str, steps: Iterable[Step], at: Steps | None, *, foreign: bool = False) -> Piece:
        """Steps written out one by one after `code`, which leads to `at`."""
        place = at
        parts = [code] if code else []
        for step in steps:
            place = self.static(place, step) if place else None
            parts.append(_step(step) + "".join(self.predicates(step.predicates, place, foreign)))
        if place and not foreign:
            self.note(place)
        kind = Kind.TEXT if foreign or place is None else self.kind(place)
        return Piece("/".join(parts) or ".", kind, nodes=True, at=None if foreign else place)

    def predicates(self, predicates: tuple[Node, ...], at: Steps | None, foreign: bool) -> Iterator[str]:
        self.wide |= bool(predicates) and not foreign
        outer, self.scope = self.scope, _Scope(at, nested=True, foreign=foreign)
        try:
            for predicate in predicates:
                piece = self.piece(predicate)
                yield f"[{piece.code if piece.kind is Kind.NUMBER else self.boolean(piece)}]"
        finally:
            self.scope = outer

    def inside_predicate(self, node: Node) -> Piece:
        """Translated for a place in a predicate, where paths begin at variables and not at the context."""
        outer, self.scope = self.scope, _Scope(None, nested=True)
        try:
            return self.piece(node)
        finally:
            self.scope = outer

    def filtered(self, start: Piece, node: Path) -> Piece:
        if not start.nodes:
            self.fault("Only a path can be followed by ‘/’ or ‘[…]’.")
            return start
        code = f"({start.code})" + "".join(self.predicates(node.predicates, start.at, start.at is None))
        if not node.steps:
            return Piece(code, start.kind, nodes=True, at=start.at)
        return self.written(code, node.steps, start.at)

    def note(self, target: Steps) -> None:
        path = "/" + "/".join(target)
        self.depends_on.add(path)
        if self.shape is None:
            return
        self.volatile |= path in self.shape.late
        around = ["/" + "/".join(target[:n]) for n in range(2, len(target) + 1) if target[:n] != self.at[:n]]
        self.wide |= any(step in self.shape.repeats for step in around)
        if path in self.shape.types or target[-1].startswith("@"):
            return
        names = {known.rsplit("/", 1)[1]: known for known in self.shape.types}
        self.fault(f"‘{path}’ is not a question of this form.", did_you_mean(target[-1], names))

    def kind(self, target: Steps) -> Kind:
        if self.shape is None:
            return Kind.TEXT
        path = "/" + "/".join(target)
        return self.shape.kinds.get(path) or KIND_OF_TYPE.get(self.shape.types.get(path, ""), Kind.TEXT)

    # --- other instances ------------------------------------------------------------------------------------------

    def instance(self, name: str, node: Path) -> Piece:
        """The first step names the instance's root element. A choice among its items by value is a look-up."""
        self.look_up(name)
        _, *steps = node.steps or (None,)
        if steps and steps[0].axis == "child" and (found := self.indexed(name, steps[0])):
            code, rest = found
            return self.written(
                code + "".join(self.predicates(rest, None, foreign=True)), steps[1:], None, foreign=True
            )
        return self.written(self.extension("list", quote(name)), steps, None, foreign=True)

    def indexed(self, name: str, item: Step) -> tuple[str, tuple[Node, ...]] | None:
        """`item[column = value]`: the code of the look-up, and the predicates that are left."""
        if item.test != "item":
            return None
        for place, predicate in enumerate(item.predicates):
            parts = list(_conjuncts(predicate))
            if any(_positional(part) for part in parts):
                return None
            for part in parts:
                found = self.keyed(part)
                if found is None:
                    continue
                left = [other for other in parts if other is not part]
                rest = (*item.predicates[:place], *left, *item.predicates[place + 1 :])
                return self.extension("find", quote(name), quote(found[0]), found[1]), rest
        return None

    def keyed(self, part: Node) -> tuple[str, str] | None:
        """The column and the code of the value, if the part compares a column with what does not depend on the item."""
        if not isinstance(part, Operation) or part.operator != "=":
            return None
        for one, other in ((part.left, part.right), (part.right, part.left)):
            column = _column(one)
            if column is None or not _independent(other):
                continue
            value = self.piece(other)
            if value.kind in (Kind.TEXT, Kind.NUMERIC, Kind.DATE):
                return column, self.plain_text(value)
        return None

    def look_up(self, name: str) -> None:
        if self.shape is None:
            self.lists.add(name)
        elif name in self.shape.inside:
            return
        elif name in self.shape.outside:
            self.lists.add(self.shape.outside[name])
            self.volatile |= name == _LAST_SAVED
        else:
            known = [*self.shape.inside, *self.shape.outside]
            self.fault(f"There is no list ‘{name}’ in this form.", did_you_mean(name, known))

    # --- functions ------------------------------------------------------------------------------------------------

    def call(self, node: Call) -> Piece:
        known = FUNCTIONS.get(node.name)
        if known is None:
            self.fault(f"There is no function ‘{node.name}()’.", did_you_mean(node.name, FUNCTIONS))
            return Piece("''", Kind.ANY)
        count = len(node.arguments)
        if count < known.least or (known.most is not None and count > known.most):
            self.fault(f"{node.name}() takes {known.counted}, not {count}.")
            return Piece("''", known.kind)
        if known.volatile:
            self.volatile = True
        special = self.calls.get(node.name)
        if special is not None:
            return special(self, *node.arguments)
        arguments = [self.coerced(known.takes(place), argument) for place, argument in enumerate(node.arguments)]
        if known.code is not None:
            return Piece(known.code.format(*arguments, all=", ".join(arguments)), known.kind)
        return Piece(self.extension(known.extension or node.name, *arguments), known.kind)

    def coerced(self, letter: str, argument: Node) -> str:
        piece = self.piece(argument)
        match letter:
            case "n":
                return self.number(piece)
            case "b":
                return self.boolean(piece)
            case "s":
                return self.text(piece)
            case "p":
                if not piece.nodes:
                    self.fault("A path is needed here, not a value.")
                return piece.code
            case "m":  # several values, or the nodes of one path
                return piece.code if piece.nodes else self.value(piece)
        return self.value(piece)

    def fault(self, fault: str, remedy: str = "") -> None:
        finding = Finding(fault, remedy)
        if finding not in self.findings:
            self.findings.append(finding)


def _split(path: str) -> Steps:
    return tuple(path.strip("/").split("/"))


def _named(step: Step) -> str:
    return ("@" if step.axis == "attribute" else "") + step.test.rpartition(":")[2]


def _step(step: Step) -> str:
    test = step.test.rpartition(":")[2]  # the instance carries no namespaces
    if test == "node()" and step.axis in ("self", "parent"):
        return "." if step.axis == "self" else ".."
    match step.axis:
        case "child":
            return test
        case "attribute":
            return "@" + test
    return f"{step.axis}::{test}"


def _conjuncts(node: Node) -> Iterator[Node]:
    if isinstance(node, Operation) and node.operator == "and":
        yield from _conjuncts(node.left)
        yield from _conjuncts(node.right)
    else:
        yield node


def _positional(node: Node) -> bool:
    """Whether it might be a position, which must be counted before anything is left out."""
    match node:
        case Operation():
            return (
                _positional(node.left)
                or _positional(node.right)
                or node.operator in "+-*"
                or node.operator in ("div", "mod")
            )
        case Call():
            return node.name in ("position", "last") or any(map(_positional, node.arguments))
        case Number() | Negation():
            return False
    return False


def _column(node: Node) -> str | None:
    match node:
        case Path(".", (Step("child", test, ()),), ()) if test != "*" and "(" not in test:
            return test
    return None


def _independent(node: Node) -> bool:
    match node:
        case Path("."):
            return False
        case Path("/"):
            return True
        case Path(start):
            return not isinstance(start, str) and _independent(start)
        case Operation():
            return _independent(node.left) and _independent(node.right)
        case Negation():
            return _independent(node.operand)
        case Call():
            if node.name in ("position", "last", "once", "name", "local-name"):
                return False
            if not node.arguments and node.name in ("string", "normalize-space", "string-length"):
                return False
            return all(map(_independent, node.arguments))
    return True


def _literal_number(number: float) -> str:
    """A fraction as a quotient of whole numbers: exactly the nearest double, which libxml2's own reading is not."""
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    _, digits, exponent = Decimal(repr(number)).as_tuple()
    assert isinstance(exponent, int)
    figures = "".join(map(str, digits)).lstrip("0") or "0"
    if exponent >= 0:
        return f"({figures}{'0' * exponent} * 1)"
    if len(figures) > 15 or exponent < -22:
        return f"number('{number:f}')"
    return f"({figures} div 1{'0' * -exponent})"


def _climb(place: Steps, upto: int) -> list[str]:
    """From a place to the one so many steps from the root."""
    return [".."] * (sum(not step.startswith("@") for step in place) - upto)
