"""The indicators of a workbook made ready to read submissions of one version of its form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from forms.findings import Faulty
from forms.indicators.references import enclosing, references, substitute, visible
from forms.indicators.sheets import LIST_NAME, Band, Indicator, Sheets, field_called, plain_reference
from forms.xforms.questions import GROUP, questions_of
from forms.xforms.xform import Form
from forms.xpath.expressions import Expression, compile_expression

# What a question that this version does not have is written as: a path to nothing.
_NOTHING = "*[false()]"


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a row: the answer at a path, or an expression. Rows remember it by `key`; `within` is the path of
    the repeat, or of the whole, in which the question lies."""

    key: int
    within: str = ""
    path: str = ""
    expression: Expression | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """One breakdown made ready. `known` are the values of its choice list; None where any value is a key."""

    reading: Reading | None
    several: bool = False
    known: frozenset[str] | None = None
    bands: tuple[Band, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the entity of a row may be named: in the row or an iteration around it, by the paths of `<entity>` elements
    and then of selections."""

    within: str
    entities: tuple[str, ...]
    selections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Feed:
    """One indicator made ready to read rows."""

    indicator: Indicator
    repeat: str | None
    where: Expression | None
    scopes: tuple[Scope, ...]
    subject: Reading | None
    value: Reading | None
    baseline: Reading | None
    date: Reading | None
    until: Reading | None
    place: Reading | None
    by: tuple[Cut, ...]


@dataclass(frozen=True, slots=True)
class Feeds:
    """The indicators of one workbook, ready to read submissions of one version of its form. Threads may share it."""

    form: Form
    feeds: tuple[Feed, ...]
    days: tuple[str, ...]  # paths of today, end and start, as far as the form asks for them
    place: str | None  # path of the question, asked once, that says where a visit was


def compile_feeds(form: Form, sheets: Sheets) -> Feeds:
    """`sheets` are those of the latest version, `form` may be an older one: a question it does not know is blank,
    what it asked in a repeat, and the latest asks once, is read in each iteration, and a group that is a repeat by now
    is one iteration of it, if anything in it was answered."""
    compiler = _Compiler(form, sheets)
    told = (compiler.feed(indicator) for indicator in sheets.indicators if indicator.aggregate != "ratio")
    feeds = tuple(feed for feed in told if feed is not None)
    places = [feed.place for feed in feeds] + [compiler.reading(compiler.default_place(None), None)]
    return Feeds(
        form,
        feeds,
        tuple(_preloaded(form, "date", "today") + _preloaded(form, "timestamp", "end", "start")),
        next((place.path for place in places if place is not None and place.path and place.within == "/data"), None),
    )


class _Compiler:
    """Makes readings, each distinct expression of one kind of row only once."""

    def __init__(self, form: Form, sheets: Sheets) -> None:
        self.form = form
        self.sheets = sheets
        self.readings: dict[tuple[str, str | None], Reading | None] = {}
        self.paths = {field.identity: field.path for field in form.fields.values()}
        self.paths |= {identity: path for path, identity in _repeat_identities(form)}

    def feed(self, indicator: Indicator) -> Feed | None:
        """None where this version of the form has not the repeat that the indicator goes over."""
        each = self.path(indicator.each) if indicator.each else None
        where = indicator.where
        if indicator.each and each not in self.form.repeats:
            group = self.group(indicator.each)
            if group is None:
                return None
            each = enclosing(group, self.form.repeats)
            where = f"normalize-space({group}) != '' and ({where or 'true()'})"
        subject = indicator.subject or ""
        by_list = bool(LIST_NAME.fullmatch(subject))
        repeat = self.rows(indicator, each)
        place = indicator.place or self.default_place(repeat)
        return Feed(
            indicator,
            repeat,
            where=self._expression(where, repeat) if where else None,
            scopes=tuple(self.scopes(subject, repeat)) if by_list else (),
            subject=None if by_list else self.reading(indicator.subject, repeat),
            value=self.reading(indicator.value, repeat),
            baseline=self.reading(indicator.baseline, repeat),
            date=self.reading(indicator.date, repeat),
            until=self.reading(indicator.until, repeat),
            place=self.reading(place, repeat),
            by=tuple(self.cut(name, repeat) for name in indicator.by),
        )

    def rows(self, indicator: Indicator, each: str | None) -> str | None:
        """The repeat whose iterations are the rows: what is asked once by now may have been asked in one."""
        ways = (way.value if (way := self.sheets.breakdown(name)) else f"${{{name}}}" for name in indicator.by)
        told = (indicator.where, indicator.value, indicator.baseline, indicator.date, indicator.until, indicator.place)
        names = (one.name for text in (*told, indicator.subject, *ways) for one in references(text or "") if one.alone)
        for path in filter(None, map(self.path, names)):
            around = enclosing(path, self.form.repeats)
            if around is not None and (each is None or around.startswith(f"{each}/")):
                each = around
        return each

    def default_place(self, repeat: str | None) -> str | None:
        path = self.path("place")
        return "${place}" if path is not None and visible(path, repeat, self.form.repeats) else None

    def path(self, name: str) -> str | None:
        """Where this version of the form has what the sheets call `name`."""
        return self.paths.get(self.sheets.fields.get(name, ""))

    def group(self, name: str) -> str | None:
        """Where this version of the form has a group for what is a repeat by now."""
        identity = self.sheets.fields.get(name, "")
        return next(
            (one.path for one in questions_of(self.form) if (one.identity, one.kind) == (identity, GROUP)), None
        )

    def reading(self, text: str | None, repeat: str | None) -> Reading | None:
        if text is None:
            return None
        known = (text, repeat)
        if known not in self.readings:
            self.readings[known] = self._reading(text, repeat, key=len(self.readings))
        return self.readings[known]

    def _reading(self, text: str, repeat: str | None, key: int) -> Reading:
        name = plain_reference(text)
        path = self.path(name) if name else None
        if path is not None and path in self.form.fields:
            plain = self._plain(path, repeat, key)
            if plain is not None:
                return plain
        return Reading(key, expression=self._expression(text, repeat))

    def _plain(self, path: str, repeat: str | None, key: int) -> Reading | None:
        """The answer to a question that has one value there."""
        around = enclosing(path, self.form.repeats) or "/data"
        row = repeat or "/data"
        if row != around and not row.startswith(f"{around}/"):
            return None
        return Reading(key, within=around, path=path)

    def _expression(self, text: str, repeat: str | None) -> Expression:
        written = substitute(text, lambda name: self.path(name) or _NOTHING)
        try:
            return compile_expression(written, form=self.form, at=repeat or "/data")
        except Faulty:
            # The sheets were checked with the latest version; what this older one cannot work out is blank in it.
            return compile_expression("''", form=self.form, at=repeat or "/data")

    def cut(self, name: str, repeat: str | None) -> Cut:
        defined = self.sheets.breakdown(name)
        text = defined.value if defined else f"${{{name}}}"
        bands = defined.bands if defined else ()
        plain = plain_reference(text)
        asked = field_called(self.form, self.sheets, plain) if plain else None
        if plain and asked is None:
            return Cut(None)
        if asked is None:
            return Cut(self.reading(text, repeat), bands=bands)
        known = None
        if asked.itemset is not None and not asked.external and asked.itemset in self.form.choices:
            known = frozenset(self.form.choices[asked.itemset])
        return Cut(self.reading(text, repeat), asked.type in ("select", "rank"), known, bands)

    def scopes(self, list_name: str, repeat: str | None) -> Iterator[Scope]:
        """The row itself first, then outwards."""
        around = repeat
        while True:
            entities = [
                entity.path
                for entity in self.form.entities
                if entity.list_name == list_name and entity.repeat == around
            ]
            selections = [
                asked.path
                for asked in self.form.fields.values()
                if asked.external and asked.itemset == list_name and asked.repeat == around and asked.type == "select1"
            ]
            if entities or selections:
                yield Scope(around or "/data", tuple(entities), tuple(selections))
            if around is None:
                return
            around = enclosing(around, self.form.repeats)


def _repeat_identities(form: Form) -> Iterator[tuple[str, str]]:
    """The identity of a repeat is what the identities of the questions in it have in common."""
    for repeat in form.repeats:
        identity = repeat
        for field in form.fields.values():
            rest = field.path[len(repeat) :]
            if field.path.startswith(f"{repeat}/") and field.identity.endswith(rest):
                identity = field.identity.removesuffix(rest)
                break
        yield repeat, identity


def _preloaded(form: Form, preload: str, *params: str) -> list[str]:
    """Paths of the questions that a client fills in by itself, in the order asked."""
    return [
        bind.path
        for param in params
        for bind in form.binds.values()
        if bind.preload == preload and bind.preload_params == param
    ]
