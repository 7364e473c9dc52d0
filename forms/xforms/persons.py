"""Whether a question, by what it is called, asks who somebody is or how to reach them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from forms.spelling import unaccented

# Each of them tells by itself, as a whole word of the name or of a label.
TELLING = frozenset(
    {
        *("prenom", "prenoms", "surnom", "firstname", "lastname", "surname", "fullname", "nickname"),
        *("telephone", "phone", "whatsapp", "email", "courriel", "nina", "passeport", "passport"),
    }
)
# These tell of a person unless they are said of something else, and of that too if it is somebody's.
NAME = frozenset({"nom", "noms", "name"})
ADDRESS = frozenset({"adresse", "address"})
_PLACES = frozenset(
    {
        *("village", "hameau", "quartier", "commune", "cercle", "region", "district", "departement", "pays", "country"),
        *("ville", "town", "city", "lieu", "place", "localite", "site", "zone", "endroit", "rue", "street"),
    }
)
_THINGS = frozenset(
    {
        *("cooperative", "organisation", "organization", "association", "groupe", "groupement", "group", "union"),
        *("federation", "societe", "entreprise", "company", "business", "partenaire", "partner", "institution"),
        *("structure", "bureau", "office", "banque", "bank", "ecole", "school", "centre", "center", "clinic"),
        *("clinique", "hopital", "hospital", "cscom", "asaco", "marche", "market", "projet", "project", "programme"),
        *("program", "formation", "training", "session", "theme", "topic", "activite", "activity", "jalon"),
        *("milestone", "evenement", "event", "produit", "product", "article", "item", "variete", "variety", "culture"),
        *("crop", "espece", "species", "plante", "plant", "arbre", "tree", "animal", "champ", "field", "parcelle"),
        *("plot", "marque", "brand", "modele", "model", "machine", "materiel", "equipement", "equipment", "outil"),
        *("tool", "medicament", "medicine", "drug", "maladie", "disease", "vaccin", "vaccine", "formulaire", "form"),
        *("fichier", "file", "document", "liste", "list", "indicateur", "indicator", "langue", "language"),
    }
)
_PERSONS = frozenset(
    {
        *("personne", "person", "repondant", "repondante", "respondent", "enquete", "enquetee", "enqueteur"),
        *("enquetrice", "enumerator", "interviewer", "agent", "agente", "membre", "member", "producteur"),
        *("productrice", "producer", "paysan", "paysanne", "farmer", "vendeur", "vendeuse", "seller", "client"),
        *("cliente", "customer", "beneficiaire", "beneficiary", "participant", "participante", "patient", "patiente"),
        *("chef", "chief", "head", "president", "presidente", "secretaire", "secretary", "tresorier", "tresoriere"),
        *("treasurer", "responsable", "manager", "directeur", "directrice", "director", "contact", "formateur"),
        *("formatrice", "trainer", "volontaire", "volunteer", "pere", "father", "mere", "mother", "enfant", "child"),
        *("epoux", "epouse", "spouse", "mari", "husband", "wife", "femme", "woman", "homme", "man"),
        *("temoin", "witness", "tuteur", "tutrice", "guardian"),
    }
)
# How many there are of something is nobody's answer.
_COUNTING = frozenset({"combien", "nombre", "nb", "many"})
_REFERENCE = re.compile(r"\$\{[^}]*\}")
_WORD = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
# As a word of a sentence ‘tel’ is French for ‘such’; with its accent or in a name it is a telephone.
_TEL = re.compile(r"\btél\b", re.IGNORECASE)


def asks_who(name: str, labels: Iterable[str]) -> bool:
    """By whole words of the name and of its labels in all languages, French and English, whatever their accents."""
    said = [_REFERENCE.sub(" ", label) for label in labels]
    named = words_of(_HUMP.sub("_", name))
    words = named.union(*map(words_of, said))
    if words & _COUNTING:
        return False
    if words & TELLING or "tel" in named or any(_TEL.search(unicodedata.normalize("NFC", label)) for label in said):
        return True
    singular = words | {word[:-1] for word in words if word.endswith(("s", "x"))}
    if singular & _THINGS and not singular & _PERSONS:
        return False
    return bool(words & ADDRESS) or (bool(words & NAME) and bool(singular & _PERSONS or not singular & _PLACES))


def words_of(text: str) -> set[str]:
    """In small letters without accents."""
    return set(_WORD.findall(unaccented(text).casefold()))
