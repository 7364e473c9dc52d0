"""The results in words: the statement in each language, what is behind each figure, and what happened on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from demo.coordinator import Decided
from demo.fieldwork import Fieldwork
from demo.installation import READER
from demo.reading import Figures, Reader
from demo.screen import fitted
from demo.tablets import Record
from demo.visits import Year
from server import clock

_WIDTH = 80
_MOST_LISTED = 20
_OF_PEOPLE = (
    *("people_trained", "people_trained.sex=female", "volunteers", "volunteers.sex=female"),
    *("rice_parboilers_doubled", "shea_producers_tenfold"),
)
_RULE = "─" * _WIDTH


@dataclass(slots=True)
class Marks:
    """Figures, and what else is told of them, in the order in which the texts name them, with the numbers that their
    notes have on paper; each keeps its number through all languages."""

    figures: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def mark(self, figure: Mapping[str, Any]) -> str:
        name = f"{key_of(figure)} ({figure['fact']})" if "fact" in figure else key_of(figure)
        self.figures.setdefault(name, figure)
        return f"[{list(self.figures).index(name) + 1}]"


def statements(reader: Reader, period: str, marks: Marks) -> str:
    """Every statement of the project in every language that it has, with a number after each figure."""
    pages = []
    for name, language in _texts(reader):
        told = reader.get(f"statements/{name}", lang=language, period=period)
        head = f"{name} ({language}), {period}, as of event {told['as_of']['event']}"
        pages += [_RULE, head, _RULE, *(_paragraph(parts, marks) for parts in told["paragraphs"])]
    return "\n".join(pages)


def figures(marks: Marks, naive: Mapping[str, Decimal], address: str, project: int, period: str, reader: Reader) -> str:
    """What stands behind each figure, and what somebody would have said who counts what arrived."""
    lines = [_RULE, "Behind the figures", _RULE]
    lines.append(f"{'':>4}  {'figure':<45}{'Siby':>7}{'plain':>8}{'contributions':>14}")

    def evidence(figure: Mapping[str, Any]) -> tuple[dict[str, str], int]:
        cell = ",".join(f"{way}:{key}" for way, key in figure["by"].items())
        query = {"period": period} | ({"is": cell} if cell else {})
        return query, reader.get(f"figures/{figure['indicator']}/evidence", **query, limit="1")["count"]

    behind = reader.at_once(evidence, marks.figures.values())
    for number, ((name, figure), (query, count)) in enumerate(zip(marks.figures.items(), behind, strict=True), 1):
        fact = figure.get("fact", "")
        shown = _number(figure[fact if fact in ("n", "without") else "value"], figure)
        query |= {"fact": fact} if fact else {}
        plain = _plain(figure, naive)
        lines.append(f"{f'[{number}]':>4}  {name.replace('.', ', '):<45}{shown:>7}{plain:>8}{count:>14,}")
        lines.append(f"      {address}/projects/{project}/figures/{figure['indicator']}?{urlencode(query, safe=':,')}")
    said = "A plain count adds up every row that arrived, copies, repeats and earlier versions among them."
    return "\n".join([*lines, *_wrapped([said])])


def people(year: Year, naive: Mapping[str, Decimal], moments: Mapping[str, Figures], decided: Decided) -> str:
    """People counted once: what each figure can be at these moments, the first of them before any decision."""
    alike = sum(map(len, year.doubles.alike.values()))
    lines = [
        *(_RULE, "People counted once", _RULE),
        f"Two teams registered {len(year.doubles.twice)} people a second time, and {alike} pairs of others only look "
        "like one person: twins, cousins of one name, people named after an elder, wives of one man.",
        f"A coordinator then went through the {decided.pairs:,} pairs at the head of the queue on which figures hang: "
        f"{decided.same:,} were one person, {decided.different:,} were two. The coordinator of this demo knows who is "
        "who, as somebody does who rings the villages up; the product knows what the tablets sent, and no more. "
        "A dozen pairs on which figures hang are left for you to decide.",
    ]
    table = [f"{'plain':>11}{''.join(f'{moment:>20}' for moment in moments)}{'true':>7}"]
    for key in _OF_PEOPLE:
        told = f"{naive[key]:,.0f}" if key in naive else ""
        true = year.truth[key]
        assert isinstance(true, Decimal)
        spans = "".join(f"{_span(figures[key]):>20}" for figures in moments.values())
        table += [key.replace(".", ", "), f"{told:>11}{spans}{true:>7,.0f}"]
    return "\n".join([*_wrapped(lines), *table])


def _span(figure: Mapping[str, Any]) -> str:
    """`3,990 (3,700–4,350)`."""
    value, low, high = (f"{figure[name]:,.0f}" for name in ("value", "low", "high"))
    return value if low == high else f"{value} ({low}–{high})"


def journey(field: Fieldwork, year: Year, reader: Reader) -> str:
    """What happened between the tablets and the server."""
    records, counts, traffic = list(field.records), field.counts, field.traffic.counts
    flags = reader.flags()
    released = Counter(item["reason"] for item in reader.quarantine("resolved"))
    waiting = list(reader.quarantine("open"))
    wrong_clocks = sum(bool(error) for error in field.clock_errors.values())
    sent = sum(record.copies for record in records)
    lines = [
        _RULE,
        "On the way",
        _RULE,
        f"{len(records):,} visits on {len(field.tablets)} tablets; {sent:,} copies of them reached the server whole.",
        f"{traffic['requests']:,} requests: {traffic['cut_before']:,} were cut before they were whole, "
        f"{traffic['cut_after'] + traffic['unheard']:,} lost their answer, {traffic['twice']:,} came twice at once, "
        f"{traffic['broken']:,} met no server.",
        f"{counts['batches_again']:,} batches were sent again to the byte, {counts['restarts']:,} cut anew after the "
        f"app was restarted, {counts['resumed']:,} uploads of files taken up where they had broken off.",
        f"Tablet {field.late + 1} always came a month late, tablet {field.backwards + 1} sent its newest visits first, "
        f"{wrong_clocks} tablets had wrong clocks, by hours to years.",
        f"{len(year.troubles.get('edit', ())):,} visits were corrected; {flags['double_save']:,} had been saved twice "
        f"and count once; {len(year.troubles.get('old_version', ())):,} were made with an old version of their form.",
        "Flags: " + (", ".join(f"{_said(code)} {count:,}" for code, count in sorted(flags.items())) or "none") + ".",
        "Held in quarantine, and filed by themselves later: "
        + (", ".join(f"{count:,} {_reason(reason)}" for reason, count in released.items()) or "none")
        + ".",
        f"Still in quarantine, for a coordinator: {len(waiting)}.",
        *(
            f"  {item['form'] or '?'} {item['instance_id'] or '?'}: {_said(item['reason'])}"
            for item in waiting[:_MOST_LISTED]
        ),
    ]
    return "\n".join(_wrapped(lines))


def verdict(lost: Sequence[Record], wrong: Sequence[str], field: Fieldwork) -> str:
    """Whether anything is missing or untrue."""
    records = list(field.records)
    files = {sha256 for record in records for sha256 in record.files}
    lines = [_RULE]
    if lost:
        lines.append(f"LOST: {len(lost)} of {len(records):,} visits.")
        lines += [
            f"  {record.instance_id}: {record.state.value} {record.reason or ''}" for record in lost[:_MOST_LISTED]
        ]
    else:
        lines.append(
            f"Nothing was lost: the server holds all {len(records):,} visits that the tablets hold, and all "
            f"{len(files)} of their files, by id and hash."
        )
    if wrong:
        lines += ["NOT TRUE:", *(f"  {sentence}" for sentence in wrong)]
    else:
        lines.append(
            "Every figure is what is true of the population from which the visits were drawn, or has it in its range; "
            "it lay in the range before anybody had decided who is who."
        )
    return "\n".join(_wrapped(lines))


def where_to_look(reader: Reader, address: str, project: int, period: str, link: str, password: str) -> str:
    """The addresses to go on with."""
    pages = [
        f"  {address}/projects/{project}/statements/{name}?{urlencode({'lang': language, 'period': period})}"
        for name, language in _texts(reader)
    ]
    lines = [
        _RULE,
        f"The server runs at {address} until Ctrl-C. Sign in, once and within 15 minutes, by",
        f"  {address}/sign-in/link/{link}",
        f"or at any time as {READER} with the password {password}. Then each figure leads to its visits:",
        *pages,
        f"There it is {clock.now():%Y-%m-%d}: the year is over, and its books are about to be closed.",
    ]
    return "\n".join(_wrapped(lines))


def key_of(figure: Mapping[str, Any]) -> str:
    """`people_trained.sex=female`, as the population names it."""
    cell = ",".join(f"{name}={value}" for name, value in figure["by"].items())
    return f"{figure['indicator']}.{cell}" if cell else str(figure["indicator"])


def _texts(reader: Reader) -> list[tuple[str, str]]:
    """The project's statements, each in each of its languages."""
    found = reader.get("statements")["statements"]
    return [(row["name"], language) for row in found for language in row["languages"]]


def _paragraph(parts: Sequence[Any], marks: Marks) -> str:
    text = "".join(part if isinstance(part, str) else f"{part['text']}{marks.mark(part)}" for part in parts)
    return "\n".join(_wrapped(text.splitlines())) + "\n"


def _is_share(figure: Mapping[str, Any]) -> bool:
    """A part of an indicator's own total, which the text gives in percent."""
    return figure.get("fact") == "share"


def _plain(figure: Mapping[str, Any], naive: Mapping[str, Decimal]) -> str:
    """What a plain count says of the same; "" where nobody would know how to count."""
    said = None if figure.get("fact") in ("n", "without") else naive.get(key_of(figure))
    if said is not None and _is_share(figure):
        said /= naive[figure["indicator"]]
    return "" if said is None else _number(said, figure)


def _number(value: Decimal | None, figure: Mapping[str, Any]) -> str:
    if value is None:
        return "—"
    if figure["unit"] == "%" or _is_share(figure):
        return f"{value * 100:.1f} %"
    return f"{value:,.0f}"


def _reason(code: str) -> str:
    return {
        "edits_unknown": "that came before the visit which they correct",
        "unknown_version": "of a version that was not published yet",
    }.get(code, _said(code))


def _said(code: str) -> str:
    return code.replace("_", " ")


def _wrapped(lines: Iterable[str]) -> list[str]:
    return [piece for line in lines for piece in fitted(line, _WIDTH)]
