"""The receipt that the user of a tablet reads: what came, what is missing of it, what came today, what to correct.

It is short, because Collect shows it in a small window. Bambara says what it can say in few words; the rest is French.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.intake.posting import Posted
from sync.intake.tally import COUNTED_TO

_NAMED = 3
# French, English, Bambara.
_LANGUAGES = ("fr", "en", "bm")
_WORDS: dict[str, tuple[str, str, str]] = {
    "received": ("Reçu.", "Received.", "A sera."),
    "corrected": ("Correction reçue.", "Correction received.", "A sera."),
    "completed": ("Reçu, avec ce qui manquait.", "Received, with what was missing.", "A tɔ sera."),
    "beside": ("Reçu aussi, gardé à côté du reste.", "Received too, kept beside the rest.", "A fana sera."),
    "known": ("Déjà reçu.", "Already received.", "A tun sera kaban."),
    "superseded": (
        "Déjà reçu ; une correction plus récente existe.",
        "Already received; there is a newer correction.",
        "A tun sera kaban.",
    ),
    "deleted": (
        "Déjà reçu, puis supprimé au bureau.",
        "Already received, and deleted by the office since.",
        "Déjà reçu, puis supprimé au bureau.",
    ),
    "corrected_in_vain": (
        "Correction reçue, mais la fiche a été supprimée au bureau.",
        "Correction received, but the office has deleted what it corrects.",
        "Correction reçue, mais la fiche a été supprimée au bureau.",
    ),
    "tried": ("Essai reçu.", "Trial received.", "Essai reçu."),
    "missing": ("Manque : {names}.", "Missing: {names}.", "Nin ma se fɔlɔ: {names}."),
    "more": ("{names} et {n} autres", "{names} and {n} more", "{names} (+{n})"),
    "today": ("Aujourd’hui : {n}.", "Today: {n}.", "Bi: {n}."),
    "to_correct": ("À corriger : {n}.", "To correct: {n}.", "Minnu ka kan ka labɛn: {n}."),
}


def receipt(posted: Posted, language: str) -> str:
    """One line for what was filed, or had been before."""
    said = [_say(_word_for(posted), language)]
    if posted.missing:
        said.append(_say("missing", language, names=_names(posted.missing, language)))
    if posted.tally.today:
        said.append(_say("today", language, n=_number(posted.tally.today)))
    if posted.tally.to_correct:
        said.append(_say("to_correct", language, n=_number(posted.tally.to_correct)))
    return " ".join(said)


def trial_receipt(missing: Sequence[str], language: str) -> str:
    """The same for a trial of a draft."""
    said = [_say("tried", language)]
    if missing:
        said.append(_say("missing", language, names=_names(missing, language)))
    return " ".join(said)


def _number(counted: int) -> str:
    return f"{COUNTED_TO}+" if counted >= COUNTED_TO else str(counted)


def _word_for(posted: Posted) -> str:
    if posted.deleted:
        return "corrected_in_vain" if posted.outcome == "edited" else "deleted"
    if posted.outcome != "duplicate":
        return "corrected" if posted.outcome == "edited" else "received"
    if posted.superseded:
        return "superseded"
    if posted.beside:
        return "beside"
    return "completed" if posted.news else "known"


def _names(names: Sequence[str], language: str) -> str:
    some = ", ".join(names[:_NAMED])
    more = len(names) - _NAMED
    return _say("more", language, names=some, n=more) if more > 0 else some


def _say(word: str, language: str, **values: object) -> str:
    return _WORDS[word][_LANGUAGES.index(language)].format(**values)
