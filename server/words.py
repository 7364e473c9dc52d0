"""The words of the pages in French and English."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal
from flask import has_request_context, request, url_for

from sync.indicators.definitions import label_in
from sync.indicators.figures import Figure
from sync.indicators.periods import Period
from sync.indicators.wording import figure_words

LANGUAGES = ("en", "fr")
_DATES = {"en": "en_GB", "fr": "fr"}


class Words:
    """The catalogue in one language: `t("sign_in")`. An unknown word shows as itself, and a test finds it."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, word: str, /, **values: Any) -> str:
        found = CATALOGUE.get(word)
        return found[LANGUAGES.index(self.language)].format(**values) if found else word

    def sentence(self, english: str) -> str:
        """Why something was refused. What is not known in this language stays as it is."""
        return english if self.language == "en" else in_french(english)

    def number(self, value: Any) -> str:
        """A number as the language writes it; a dash for none."""
        return "—" if value is None else format_decimal(value, locale=self.language)

    def figure(self, figure: Figure, pairs: int | None = None) -> str:
        """A figure as texts have it: with its decimals and unit, a dash where it has no value, and its range with the
        number of pairs that it hangs on."""
        return figure_words(figure, self.language, pairs=pairs)

    def label(self, labels: Mapping[str, str]) -> str:
        """A label in this language, else in another."""
        return label_in(labels, self.language) or ""

    def period(self, period: Period) -> str:
        """A period with the days that it goes over; nothing for all time."""
        if period.start is None or period.end is None:
            return ""
        days = f"{self.day(period.start)} – {self.day(period.end)}"
        return days if "/" in period.text else f"{period.text} ({days})"

    def day(self, value: dt.date | str | None) -> str:
        if value is None:
            return ""
        day = dt.date.fromisoformat(value) if isinstance(value, str) else value
        return format_date(day, format="medium", locale=_DATES[self.language])

    def moment(self, value: dt.datetime | str | None, zone: str = "UTC") -> str:
        """A time in the project's time zone."""
        if value is None:
            return ""
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        return format_datetime(moment, format="medium", tzinfo=ZoneInfo(zone), locale=_DATES[self.language])


def in_french(english: str) -> str:
    """A refusal's sentence in French, known as a whole or by what stands before its colon; else as it is."""
    return SENTENCES.get(english.rstrip("."), SENTENCES.get(english.partition(": ")[0], english))


def words() -> Words:
    """The catalogue of this visitor: `?lang=`, else what the browser asks for, else English."""
    if not has_request_context():
        return Words(LANGUAGES[0])
    asked = request.args.get("lang", "")
    if asked not in LANGUAGES:
        asked = request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]
    return Words(asked)


def link(endpoint: str, **values: Any) -> str:
    """An address within the pages that keeps the language that was chosen."""
    if "lang" in request.args and "lang" not in values and endpoint != "static":
        values["lang"] = words().language
    return url_for(endpoint, **values)


CATALOGUE: dict[str, tuple[str, str]] = {
    "devices_sheet": ("Sheet of devices", "Planche d'appareils"),
    "devices_intro": (
        "Each name becomes a device with a code of its own, which is shown once: print the sheet, cut it, scan.",
        "Chaque nom devient un appareil avec son propre code, montré une seule fois : imprimez, découpez, scannez.",
    ),
    "devices_once": (
        "These codes are shown this once. Print the page (A4) before you leave it; whoever has a code can send data.",
        "Ces codes ne sont montrés qu'une fois. Imprimez la page (A4) avant de la quitter ; un code permet d'envoyer.",
    ),
    "device_names": ("Names, one on a line", "Noms, un par ligne"),
    "tablet_language": ("Language on the tablet", "Langue de la tablette"),
    "autosend": ("Send by itself", "Envoi automatique"),
    "image_size": ("Size of photos", "Taille des photos"),
    "delete_sent": ("Take off the tablet what was sent", "Effacer de la tablette ce qui a été envoyé"),
    "token_in_address": (
        "Put the token into the address (needed without https)",
        "Mettre le jeton dans l'adresse (nécessaire sans https)",
    ),
    "make_devices": ("Make the devices and show their codes", "Créer les appareils et montrer leurs codes"),
    "scan_with_collect": (
        "ODK Collect: Configure with QR code",
        "ODK Collect : Configurer avec un code QR",
    ),
    "sign_in": ("Sign in", "Se connecter"),
    "sign_out": ("Sign out", "Se déconnecter"),
    "email": ("E-mail address", "Adresse e-mail"),
    "password": ("Password", "Mot de passe"),
    "without_password": (
        "Without a password: ask whoever runs the server for a link that signs you in.",
        "Sans mot de passe : demandez un lien de connexion à la personne qui tient le serveur.",
    ),
    "signed_in_as": ("Signed in as {name}", "Connecté : {name}"),
    "link_intro": (
        "This link signs you in once, as the person for whom it was made.",
        "Ce lien vous connecte une seule fois, au nom de la personne pour qui il a été créé.",
    ),
    "link_spent": (
        "This link has been used or has expired. Ask for a new one: siby login-link EMAIL",
        "Ce lien a déjà servi ou a expiré. Demandez-en un nouveau : siby login-link EMAIL",
    ),
    "projects": ("Projects", "Projets"),
    "no_projects": ("You have no role in any project yet.", "Vous n'avez encore de rôle dans aucun projet."),
    "languages": ("Language:", "Langue :"),
    "statements": ("Statements", "Rapports"),
    "no_statements": ("The project has no statement yet.", "Le projet n'a pas encore de rapport."),
    "what_came_in": ("What came in", "Ce qui est arrivé"),
    "latest": ("Latest", "Dernières arrivées"),
    "form": ("Form", "Formulaire"),
    "count": ("Number", "Nombre"),
    "total": ("Total", "Total"),
    "quarantine": ("Quarantine", "Quarantaine"),
    "waiting": ("{n} waiting for a decision", "{n} en attente d'une décision"),
    "nothing_waits": ("Nothing waits.", "Rien n'attend."),
    "quarantine_intro": (
        "What devices sent and could not be filed. Nothing of it is thrown away, whatever is decided.",
        "Ce que les appareils ont envoyé et qui n'a pas pu être classé. Rien n'en est jeté, quoi qu'on décide.",
    ),
    "reason_malformed": ("not an item as it should be", "élément mal formé"),
    "reason_unreadable": ("unreadable", "illisible"),
    "reason_answers": ("answers that do not fit the form", "réponses qui ne vont pas avec le formulaire"),
    "reason_unknown_form": ("unknown form", "formulaire inconnu"),
    "reason_unknown_version": ("unknown version of the form", "version du formulaire inconnue"),
    "reason_edits_unknown": ("corrects a visit that has not arrived", "corrige une visite qui n'est pas arrivée"),
    "reason_differs": ("says two things about itself", "se contredit"),
    "reason_form_closed": ("the form is closed", "le formulaire est fermé"),
    "reason_not_allowed": ("form not given to the sender", "formulaire non attribué à l'expéditeur"),
    "reason_unstorable": ("could not be stored", "n'a pas pu être enregistré"),
    "reason_conflict": ("conflict with what is stored", "conflit avec ce qui est enregistré"),
    "reason": ("Reason", "Raison"),
    "received": ("Received", "Reçu"),
    "recorded": ("Recorded", "Saisi"),
    "bytes": ("As it was sent", "Tel que reçu"),
    "as_of": ("As of event {event}, {at}", "À l'événement {event}, {at}"),
    "value": ("Value", "Valeur"),
    "counted": ("Counted", "Compté"),
    "date": ("Date", "Date"),
    "place": ("Place", "Lieu"),
    "person": ("Who", "Qui"),
    "cell": ("Breakdown", "Ventilation"),
    "contributions_n": ("{n} contributions", "{n} contributions"),
    "counted_by_another": (
        "A dash under “Counted”: another row of the same subject decides, or the indicator leaves this one out.",
        "Un tiret sous « Compté » : une autre ligne du même sujet décide, ou l'indicateur écarte celle-ci.",
    ),
    "range_means": (
        "The least if all who may be one person are one, the most if only those are whom somebody has said to be one, "
        "or who almost surely are.",
        "Le minimum si toutes celles qui sont peut-être une même personne n'en font qu'une ; le maximum si seules "
        "n'en font qu'une celles dont quelqu'un l'a dit, ou dont c'est presque certain.",
    ),
    "perhaps_another": ("perhaps the same as another", "peut-être la même qu'une autre"),
    "nothing_behind": ("Nothing stands behind this figure yet.", "Rien n'appuie encore ce chiffre."),
    "shown_for": ("For another period, place or day", "Pour une autre période, un autre lieu, un autre jour"),
    "period_hint": (
        "A period is written like 2026, 2026-Q3 or FY2026.",
        "Une période s'écrit 2026, 2026-Q3 ou FY2026.",
    ),
    "place_code": ("Code of the place", "Code du lieu"),
    "as_it_stood": ("As it stood on", "État au"),
    "show": ("Show", "Afficher"),
    "no_submissions": ("Nothing has arrived yet.", "Rien n'est encore arrivé."),
    "next_page": ("Next page", "Page suivante"),
    "hidden": (
        "This figure is so small that it is shown to coordinators only.",
        "Ce chiffre est si petit qu'il n'est montré qu'aux coordinateurs.",
    ),
    "period": ("Period", "Période"),
    "all_time": ("all time", "depuis le début"),
    "answers": ("Answers", "Réponses"),
    "versions": ("Versions", "Versions"),
    "version": ("Version", "Version"),
    "flags": ("Flags", "Signalements"),
    "flag_required": ("answer missing", "réponse manquante"),
    "flag_constraint": ("constraint not met", "contrainte non respectée"),
    "flag_relevant": ("should not have been asked", "n'aurait pas dû être demandé"),
    "flag_choice": ("not on its list", "hors de la liste"),
    "flag_type": ("not of its type", "pas du bon type"),
    "flag_calculation": ("calculation differs", "calcul différent"),
    "flag_double_save": ("saved twice", "enregistrée deux fois"),
    "flag_same_day": ("same subject on the same day", "même sujet le même jour"),
    "flag_rival_file": ("two files of one name", "deux fichiers du même nom"),
    "flag_clock": ("clock of the tablet", "horloge de la tablette"),
    "flag_match": ("perhaps registered already", "peut-être déjà inscrite"),
    "no_flags": ("No flags.", "Aucun signalement."),
    "attachments": ("Files", "Fichiers"),
    "no_attachments": ("No files.", "Aucun fichier."),
    "not_arrived": ("not arrived yet", "pas encore arrivé"),
    "rival_of": (
        "came as {name} too, with other content",
        "arrivé lui aussi sous le nom {name}, avec un autre contenu",
    ),
    "extra_file": ("no answer names it", "aucune réponse ne le nomme"),
    "contributions": ("What it adds to figures", "Ce qu'elle apporte aux chiffres"),
    "no_contributions": ("It adds to no figure.", "Elle n'apporte rien aux chiffres."),
    "closed_at": ("until event {event}", "jusqu'à l'événement {event}"),
    "raw": ("The instance as it arrived (XML)", "L'instance telle qu'elle est arrivée (XML)"),
    "comments": ("Comments", "Commentaires"),
    "device": ("Device", "Appareil"),
    "collector": ("Collected by", "Saisi par"),
    "review_state": ("Review", "Revue"),
    "state_null": ("received", "reçue"),
    "state_edited": ("edited", "modifiée"),
    "state_hasIssues": ("has issues", "à corriger"),
    "state_rejected": ("rejected", "rejetée"),
    "state_approved": ("approved", "approuvée"),
    "counts_yes": ("Counts in figures", "Compte dans les chiffres"),
    "counts_no": ("Does not count in figures", "Ne compte pas dans les chiffres"),
    "double_of": ("A second copy of another submission", "Doublon d'une autre soumission"),
    "indicator": ("Indicator", "Indicateur"),
    "encrypted": (
        "Its answers are encrypted and cannot be shown here.",
        "Ses réponses sont chiffrées et ne peuvent pas être affichées ici.",
    ),
    "api": ("API", "API"),
    "api_intro": (
        "What programs and devices can ask of this server. The same as OpenAPI:",
        "Ce que programmes et appareils peuvent demander à ce serveur. La même chose en OpenAPI :",
    ),
    "right": ("Right: {name}", "Droit : {name}"),
    "parameters": ("Parameters", "Paramètres"),
    "body": ("Body", "Corps"),
    "answer": ("Answer", "Réponse"),
    "problem": ("This did not work", "Cela n'a pas fonctionné"),
    "back": ("Back to the projects", "Retour aux projets"),
    "unknown": ("unknown", "inconnu"),
}
# What refusals say, without the full stop.
SENTENCES: dict[str, str] = {
    "Sign in with a valid e-mail address and password, or a valid token": (
        "Connectez-vous avec une adresse e-mail et un mot de passe valables, ou un jeton valable."
    ),
    "Too many wrong passwords; wait and try again": "Trop de mots de passe faux ; attendez, puis réessayez.",
    "Passwords are taken over https only; use a token, or reach the server by https": (
        "Les mots de passe ne sont acceptés que par https ; passez par https, ou par un jeton."
    ),
    "You may not do this": "Vous n'avez pas le droit de faire cela.",
    "This request came from another site": "Cette demande est venue d'un autre site.",
    "The page was open for too long; load it again and repeat": (
        "La page est restée ouverte trop longtemps ; rechargez-la et recommencez."
    ),
    "There is nothing here, or not for you": "Il n'y a rien ici, ou rien pour vous.",
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try "
    "again": "Il n'y a rien à cette adresse.",
    "A value is not what was expected": "Une valeur n'est pas celle qui était attendue.",
    "What was sent is not as expected": "Ce qui a été envoyé n'est pas ce qui était attendu.",
    "Too many requests; wait and try again": "Trop de demandes ; attendez, puis réessayez.",
    "The server is busy; wait and try again": "Le serveur est occupé ; attendez, puis réessayez.",
    "Two devices cannot have one name": "Deux appareils ne peuvent pas porter le même nom ; vérifiez la liste.",
    "Write 1 to 200 names, one on a line": "Écrivez de 1 à 200 noms, un par ligne.",
    # What enumerators read on their tablets (OpenRosa).
    "This token is unknown or was revoked": (
        "Ce code est inconnu ou a été retiré. Gardez tout ; demandez un nouveau code au bureau."
    ),
    "It is not readable XML": "Ce formulaire rempli est illisible. Gardez-le et prévenez le bureau.",
    "It has a DOCTYPE, which no instance needs and which is not taken": (
        "Ce formulaire rempli contient un DOCTYPE, qui n'est pas accepté. Gardez-le et prévenez le bureau."
    ),
    "Its elements are nested more than 60 deep": (
        "Ce formulaire rempli a plus de 60 niveaux. Gardez-le et prévenez le bureau."
    ),
    "Send the form as multipart/form-data, with xml_submission_file in it": (
        "Envoyez le formulaire en multipart/form-data, avec xml_submission_file."
    ),
    "xml_submission_file is missing: the part with the filled form": (
        "Il manque xml_submission_file, la partie qui contient le formulaire rempli."
    ),
    "The form ended before it was whole; what arrived of it is kept. Send it again": (
        "L'envoi s'est interrompu ; ce qui est arrivé est gardé. Envoyez-le encore une fois."
    ),
    "There is no such form here, or not for you": "Ce formulaire n'existe pas ici, ou n'est pas pour vous.",
    "There is no such form here, or not for you. It is kept for the office": (
        "Ce formulaire n'existe pas ici, ou n'est pas pour vous. L'envoi est gardé pour le bureau."
    ),
    "This version of the form has not been published here": (
        "Cette version du formulaire n'est pas publiée ici. L'envoi est gardé ; le bureau s'en occupe."
    ),
    "It corrects a submission that has not arrived yet": (
        "L'envoi corrige une visite qui n'est pas encore arrivée. Il est gardé et sera pris en compte avec elle."
    ),
    "The form takes no submissions now": (
        "Ce formulaire est fermé. L'envoi est gardé ; le bureau peut encore l'accepter."
    ),
    "A submission with this id and other content is stored; the first one stays": (
        "Un envoi avec ce numéro et un autre contenu existe déjà. Les deux sont gardés ; le bureau tranchera."
    ),
    "The id of this correction belongs to another submission": (
        "Le numéro de cette correction est celui d'un autre envoi. Elle est gardée ; le bureau tranchera."
    ),
    "This has been corrected meanwhile; what was sent is not its newest version": (
        "Cette visite a été corrigée entre-temps. L'envoi est gardé ; le bureau tranchera."
    ),
    "The submission with this id has been deleted": (
        "La visite de ce numéro a été supprimée. L'envoi est gardé ; le bureau tranchera."
    ),
    "The server has no room left; keep everything and try again later": (
        "Le serveur n'a plus de place ; gardez tout et réessayez plus tard."
    ),
}
