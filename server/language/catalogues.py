"""The texts of the pages in other languages than English, read from `translations/` as they were written.

Each language has a folder of gettext catalogues, one for each group of pages. They are read as they are, so that nobody
has to compile them and none is out of date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, g, has_app_context
from flask_babel import Babel, Domain
from jinja2 import pass_context
from jinja2.runtime import Context

from server.language.words import tied, words

FOLDER = Path(__file__).parents[1] / "translations"
# What is said elsewhere than on a page is found by its sentence (server/language/sentences.py), not by gettext.
REFUSALS = "refusals"
# Who reads Bambara reads French, wherever nobody has translated yet.
INSTEAD = {"bm": "fr"}
# Around a text in that other language while a page is drawn, and where no element can stand around it afterwards.
_FROM, _TO = "\ue000", "\ue001"
_BARE = re.compile(r"<(title|option|textarea|script|svg)\b.*?</\1>|<[^>]*>", re.DOTALL)


def install_catalogues(app: Flask) -> None:
    """Let templates and pages say `_("…")`, in the language of the visitor."""
    _Babel(app, locale_selector=lambda: words().locale)
    # A page says some hundred things: the language is found out once, and not for each of them.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: _of_visitor().ugettext(text),
        lambda one, many, number: _of_visitor().ungettext(one, many, number),
        newstyle=True,
    )
    app.jinja_env.globals["ngettext"] = _counted(app.jinja_env.globals["ngettext"])  # type: ignore[arg-type]


def _counted(ngettext: Callable[..., str]) -> Callable[..., str]:
    """With the number as the visitor's language writes it, where a text does not say how."""

    @pass_context
    def counted(context: Context, one: str, many: str, num: int, /, **filled: object) -> str:
        return ngettext(context, one, many, num, num=words().number(num), **filled)

    return counted


@contextmanager
def drawing() -> Iterator[None]:
    """Meanwhile what is said in another language than the page's is marked, for `in_their_languages`."""
    before = g.get("drawing", False)
    g.drawing = True
    try:
        yield
    finally:
        g.drawing = before


def in_their_languages(page: str) -> str:
    """The page in which elements say which texts are in another language; not in attributes and titles."""
    language = INSTEAD.get(words().locale)
    if language is None:
        return page
    bare = _BARE.sub(lambda found: found[0].replace(_FROM, "").replace(_TO, ""), page)
    return bare.replace(_FROM, f'<span lang="{language}">').replace(_TO, "</span>")


class _Marked(NullTranslations):
    """Says in which texts another language stands in."""

    def __init__(self, instead: NullTranslations) -> None:
        super().__init__()
        self._instead = instead

    def gettext(self, message: str) -> str:
        return f"{_FROM}{self._instead.gettext(message)}{_TO}"

    def ngettext(self, one: str, many: str, number: int) -> str:
        return f"{_FROM}{self._instead.ngettext(one, many, number)}{_TO}"


@cache
def catalogue_of(language: str, marked: bool = False) -> NullTranslations:
    """All catalogues of a language; English is what stands in the code."""
    merged: NullTranslations = NullTranslations()
    for path in sorted((FOLDER / language).glob("*.po")):
        if path.name.startswith(REFUSALS):
            continue
        with path.open("rb") as written:
            catalogue = read_po(written, locale=language)
        if language == "fr":
            _tie(catalogue)
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        read = Translations(compiled)
        # The first brings along how the language makes its plurals.
        merged = merged.add(read) if isinstance(merged, Translations) else read
    if language in INSTEAD:
        instead = catalogue_of(INSTEAD[language])
        merged.add_fallback(_Marked(instead) if marked else instead)
    return merged


def _tie(catalogue: Catalog) -> None:
    for message in catalogue:
        said = message.string or ""
        message.string = tied(said) if isinstance(said, str) else tuple(map(tied, said))


def _of_visitor() -> NullTranslations:
    if not has_app_context():
        return catalogue_of("en")
    if "catalogues" not in g:
        g.catalogues = [catalogue_of(words().locale, marked) for marked in (False, True)]
    found: NullTranslations = g.catalogues[g.get("drawing", False)]
    return found


class _Catalogues(Domain):  # type: ignore[misc]
    def get_translations(self) -> NullTranslations:
        return _of_visitor()


class _Babel(Babel):  # type: ignore[misc]
    domain_instance = _Catalogues()
