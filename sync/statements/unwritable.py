"""Why a text cannot be written: what is wrong in it, and what to do about it, in words that its author can use."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, DivisionUndefined, InvalidOperation, localcontext
from functools import wraps
from inspect import signature
from typing import Any

from jinja2 import StrictUndefined, TemplateError, Undefined, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.utils import missing

# What a text may break on.
FAULTS = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    SyntaxError,  # of the Python that Jinja makes of a text, which nests less deeply
)
_LIKE_THIS = 'Write it like people_trained(sex="female").'
_IN_THE_DOCS = "See the docs on statements."
# As far as floats go, on either side of the point.
_MOST_DIGITS = 308


class Unwritable(TemplateError):
    """A part of a sentence that says what is wrong, and a remedy."""

    remedy = _IN_THE_DOCS

    def __init__(self, fault: str, remedy: str = "") -> None:
        super().__init__(fault)
        self.remedy = remedy or self.remedy


class NotAllowed(Unwritable, SecurityError):
    """What no text may do, whatever the data say."""


class NotThere(Unwritable, UndefinedError):
    """What is asked for is not there; it may be there another time."""

    remedy = "Look how it is written, or ask first whether it is there: {% if … is defined %}."


class Missing(StrictUndefined):
    """What a text names and is not there. It may be asked whether it is; all else is refused in our words."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: Any = None, exc: type[Unwritable] = NotThere
    ) -> None:
        super().__init__(hint, obj, name, exc)  # type: ignore[arg-type]

    @property
    def _undefined_message(self) -> str:
        name, of = self._undefined_name, self._undefined_obj
        if self._undefined_hint:
            return self._undefined_hint
        if of is missing:
            return f"‘{name}’ is not known"
        if of is None:
            return f"what ‘{name}’ is asked of has no value"
        return f"there is no ‘{name}’ here" if isinstance(name, str) else f"there is no item [{name}] here"


def reckoned(operator: str, work_out: Callable[..., Any], *numbers: Any) -> Any:
    """What comes of them; raises Unwritable for what is no number, or no value at all, and ArithmeticError."""
    if not any(isinstance(one, str | list | tuple) for one in numbers):
        try:
            with localcontext(Emax=_MOST_DIGITS, Emin=-_MOST_DIGITS):
                found = work_out(*numbers)
        except TypeError:
            if any(one is None for one in numbers):
                raise Unwritable(
                    f"{operator} is for numbers, and there is no value",
                    "Ask first whether there is one: {% if … is not none %}.",
                ) from None
        else:
            if isinstance(found, int | float | Decimal) and not abs(found) < 10 ** (_MOST_DIGITS + 1):
                raise OverflowError
            return found
    raise Unwritable(f"{operator} is for numbers", "Of a figure, take its .value.")


def of_numbers(ask: Callable[..., Any]) -> Callable[..., Any]:
    """A test that divides: it raises TypeError for a text, which Python would fill in."""

    @wraps(ask)
    def asked(value: Any, *given: Any, **named: Any) -> Any:
        if isinstance(value, str):
            raise TypeError
        if any(one == 0 for one in (*given, *named.values())):
            raise ZeroDivisionError  # of Decimal, no other than what it raises for numbers that are too large
        return ask(value, *given, **named)

    return asked


def well_asked(name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
    """A filter or test that raises Unwritable for what it is not for."""

    @wraps(ask)
    def asked(*given: Any, **named: Any) -> Any:
        try:
            return ask(*given, **named)
        except (TypeError, ValueError):
            for one in (*given, *named.values()):
                if isinstance(one, Undefined):
                    str(one)  # raises, and says what is not there
            raise _ill_asked(name, ask, *given, **named) from None

    return asked


def _ill_asked(name: str, ask: Callable[..., Any], /, *given: Any, **named: Any) -> Unwritable:
    try:
        signature(ask).bind(*given, **named)
    except TypeError:
        return Unwritable(f"‘{name}’ does not take what stands in its brackets")
    return Unwritable(f"‘{name}’ is not for what stands before it")


def called(call: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
    """What comes of asking a figure for a part of it; raises Unwritable where it cannot be asked so."""
    try:
        return call(*given, **named)
    except TypeError:
        raise Unwritable("a figure is asked for by names only", _LIKE_THIS) from None


def _is_by_zero(error: ArithmeticError) -> bool:
    """Also where nought is divided, of which Decimal says it in what it raises."""
    return isinstance(error, ZeroDivisionError) or (
        isinstance(error, InvalidOperation) and [DivisionUndefined] in error.args
    )


def told(error: Exception) -> Unwritable:
    """What is wrong with a text whose writing ended with this."""
    match error:
        case Unwritable():
            return error
        case ArithmeticError() if _is_by_zero(error):
            return Unwritable(
                "a number is divided by zero", "Divide only where there is something to divide by: {% if … %}."
            )
        case ArithmeticError():
            return Unwritable("a number becomes too large", "Reckon with smaller ones.")
        case RecursionError() | SyntaxError():
            return Unwritable("the text is too deeply nested", "Write it plainer.")
    return Unwritable(
        "something in this line is not of the kind that it is used as",
        "Compare numbers, such as the .value of a figure, and ask first whether there is one: {% if … is not none %}.",
    )
