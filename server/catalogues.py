"""The texts of the pages in other languages than English, read from `translations/` as they were written.

Each language has a folder of gettext catalogues, one for each group of pages. They are read as they are, so that nobody
has to compile them and none is out of date.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, g, has_app_context
from flask_babel import Babel, Domain

from server.words import tied, words

FOLDER = Path(__file__).parent / "translations"
# What is said elsewhere than on a page is found by its sentence (server/sentences.py), not by gettext.
REFUSALS = "refusals"
# Who reads Bambara reads French, wherever nobody has translated yet.
INSTEAD = {"bm": "fr"}


def install_catalogues(app: Flask) -> None:
    """Let templates and pages say `_("…")`, in the language of the visitor."""
    _Babel(app, locale_selector=lambda: words().locale)
    # A page says some hundred things: the language is found out once, and not for each of them.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: _of_visitor().ugettext(text),
        lambda one, many, number: _of_visitor().ungettext(one, many, number),
        newstyle=True,
    )


@cache
def catalogue_of(language: str) -> NullTranslations:
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
        merged.add_fallback(catalogue_of(INSTEAD[language]))
    return merged


def _tie(catalogue: Catalog) -> None:
    for message in catalogue:
        said = message.string or ""
        message.string = tied(said) if isinstance(said, str) else tuple(map(tied, said))


def _of_visitor() -> NullTranslations:
    if not has_app_context():
        return catalogue_of("en")
    if "catalogue" not in g:
        g.catalogue = catalogue_of(words().locale)
    found: NullTranslations = g.catalogue
    return found


class _Catalogues(Domain):  # type: ignore[misc]
    def get_translations(self) -> NullTranslations:
        return _of_visitor()


class _Babel(Babel):  # type: ignore[misc]
    domain_instance = _Catalogues()
