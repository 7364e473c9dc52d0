"""The pages: a person signs in, reads a statement, and follows a figure down to the instance behind it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape

import pytest

from server import clock
from tests.support.pages import Page, read, signed_in
from tests.support.people import a_gathering, publish_gathering
from tests.support.projects import a_sale, instance_id
from tests.support.web import PASSWORD, House, shown

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
STATEMENT = "# Sold\n\n{{ sacks }} sacks, {{ sacks(village='Siby') }} of them in Siby.\n"


@pytest.fixture
def sold(house: House) -> House:
    house.amina.send(a_sale(1, seller="<script>alert(1)</script>", sacks=-4), a_sale(2, sacks=9, village="Kalassa"))
    house.djeneba.put("statements/results/en", data=STATEMENT)
    house.djeneba.put("statements/results/fr", data=STATEMENT.replace("of them in", "dont à"))
    return house


def test_whoever_is_not_signed_in_is_led_to_the_page_and_back(sold: House) -> None:
    client = sold.app.test_client()
    target = f"/projects/{sold.pid}/statements/results"
    sent_away = client.get(target)

    page = client.get(sent_away.headers["Location"]).get_data(as_text=True)
    hidden = re.search(r'name="next" value="([^"]+)"', page)
    let_in = client.post(
        "/sign-in", data={"email": "baraka@example.org", "password": PASSWORD, "next": hidden[1] if hidden else ""}
    )

    assert (let_in.status_code, let_in.headers["Location"]) == (303, target)
    assert client.get(target).status_code == 200


def test_a_session_that_ended_in_the_middle_of_typing_is_said_and_leads_back(sold: House) -> None:
    client = sold.app.test_client()
    page = f"/projects/{sold.pid}/review?form=sale"

    sent = client.post(f"/projects/{sold.pid}/submissions/1/decision", headers={"Referer": f"https://localhost{page}"})
    asked = client.get(sent.headers["Location"]).get_data(as_text=True)

    assert "Your session had ended, so nothing was saved." in asked
    assert f'name="next" value="{page}"' in asked
    assert "Your session had ended" not in client.get("/sign-in").get_data(as_text=True)


@pytest.mark.parametrize(
    "before",
    [
        "http://[x",
        "about:blank",
        "https://elsewhere.example/projects/1",
        "https://localhost/projects/1/submissions/1/decision",
        "https://localhost/sign-in",
    ],
)
def test_only_to_a_page_of_ours_that_can_be_asked_for_does_it_lead_back(sold: House, before: str) -> None:
    client = sold.app.test_client()

    sent = client.post(f"/projects/{sold.pid}/submissions/1/decision", headers={"Referer": before})

    assert (sent.status_code, sent.headers["Location"]) == (303, "/sign-in?ended=yes")


@pytest.mark.parametrize(
    "target", ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere", "javascript:1"]
)
def test_signing_in_leads_nowhere_else(house: House, target: str) -> None:
    answer = house.app.test_client().post(
        "/sign-in", data={"email": "baraka@example.org", "password": PASSWORD, "next": target}
    )

    assert answer.headers["Location"] == "/"


def test_a_wrong_password_is_said_on_the_page(house: House) -> None:
    answer = house.app.test_client().post("/sign-in", data={"email": "baraka@example.org", "password": "wrong"})

    assert answer.status_code == 401
    assert 'role="alert"' in answer.get_data(as_text=True)
    assert "The e-mail address or the password is not right" in answer.get_data(as_text=True)
    assert "Set-Cookie" not in answer.headers


def test_another_site_cannot_sign_somebody_in(house: House) -> None:
    answer = house.app.test_client().post(
        "/sign-in",
        data={"email": "baraka@example.org", "password": PASSWORD},
        headers={"Sec-Fetch-Site": "cross-site"},
    )

    assert answer.status_code == 403


def test_a_figure_opens_down_to_the_instance(sold: House) -> None:
    client = signed_in(sold)
    start = read(client, f"/projects/{sold.pid}")
    statement_link = next(link for link in Page(start).links if link.endswith("/statements/results"))
    statement = read(client, statement_link)
    figure_link = next(link for link in Page(statement).links if "/figures/sacks?" in link and "village" in link)
    evidence = read(client, figure_link)
    submission_link = next(link for link in Page(evidence).links if "/submissions/" in link)
    submission = read(client, submission_link)
    raw_link = next(link for link in Page(submission).links if link.endswith(".xml"))

    assert "as_of=" in figure_link
    assert instance_id(1) in client.get(raw_link).get_data(as_text=True)
    assert "<script>" not in submission
    assert "&lt;script&gt;" in submission
    assert "constraint" in submission


def test_a_submission_of_a_deleted_form_has_no_page(sold: House) -> None:
    client = signed_in(sold)
    (number, *_) = [row["id"] for row in sold.baraka.get("review").get_json()["submissions"]]
    assert client.get(f"/projects/{sold.pid}/submissions/{number}").status_code == 200

    assert sold.djeneba.delete("forms/sale").status_code == 200

    assert client.get(f"/projects/{sold.pid}/submissions/{number}").status_code == 404


def test_pages_speak_french_and_english(sold: House) -> None:
    client = signed_in(sold)
    path = f"/projects/{sold.pid}/statements/results"

    english = client.get(path, headers={"Accept-Language": "en-GB,en;q=0.8"}).get_data(as_text=True)
    french = client.get(path, headers={"Accept-Language": "fr-ML,fr;q=0.9,en;q=0.1"}).get_data(as_text=True)
    chosen = client.get(f"{path}?lang=fr", headers={"Accept-Language": "en"}).get_data(as_text=True)

    assert "of them in Siby" in english
    assert "Sign out" in english
    assert "dont à Siby" in french
    assert "Se déconnecter" in french
    assert "Se déconnecter" in chosen


def test_the_language_that_was_chosen_stays_on_the_way_down(sold: House) -> None:
    client = signed_in(sold)
    statement = read(client, f"/projects/{sold.pid}/statements/results?lang=fr")

    figures = [link for link in Page(statement).links if "/figures/" in link]
    assert figures
    assert "Valeur" in read(client, figures[0])


def test_fields_that_were_left_empty_ask_for_nothing(sold: House) -> None:
    client = signed_in(sold)

    answer = client.get(f"/projects/{sold.pid}/statements/results?lang=fr&period=2026&place=&as_of=")

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/projects/{sold.pid}/statements/results?lang=fr&period=2026"


def test_why_something_is_refused_is_said_in_the_language_of_the_page(house: House) -> None:
    client = signed_in(house)

    assert "Il n’y a rien ici" in client.get("/projects/77?lang=fr").get_data(as_text=True).replace("&#39;", "'")
    assert "There is nothing here" in client.get("/projects/77?lang=en").get_data(as_text=True)


def test_a_viewer_reads_figures_but_no_answers(sold: House) -> None:
    client = signed_in(sold, "fanta")

    evidence = read(client, f"/projects/{sold.pid}/figures/sacks")
    start = read(client, f"/projects/{sold.pid}")

    assert "/submissions/" not in evidence + start
    assert client.get(f"/projects/{sold.pid}/submissions/1").status_code == 403
    assert "Awa" not in evidence


def test_the_quarantine_is_listed(house: House) -> None:
    house.amina.send(a_sale(1, version="9"))
    client = signed_in(house)

    page = read(client, f"/projects/{house.pid}/quarantine")

    assert "unknown_version" in page
    item = next(link for link in Page(page).links if re.search(r"/quarantine/\d+", link))
    raw = next(link for link in Page(read(client, item)).links if link.endswith("/raw"))
    assert client.get(raw).status_code == 200


def test_signing_out_takes_a_word_of_our_own_page(house: House) -> None:
    client = signed_in(house)
    page = read(client, "/")
    word = re.search(r'name="__csrf" value="([^"]+)"', page)

    assert client.post("/sign-out", data={"__csrf": "guess"}).status_code == 403
    assert client.post("/sign-out", data={"__csrf": word[1] if word else ""}).status_code == 303
    assert client.get("/").status_code == 303


def test_a_figure_of_people_says_what_it_hangs_on_until_somebody_has_decided(house: House) -> None:
    publish_gathering(house)
    second = a_gathering(2, first="Dieneba", last="Koulibali", phone="", born="")
    third = a_gathering(3, first="Oumou", last="Keita", phone="66 11 22 33", born="1975")
    house.amina.send(a_gathering(1), second, third)
    house.djeneba.put("statements/results/en", data="We reached {{ reached | people }}.")
    client = signed_in(house)
    pages = f"/projects/{house.pid}/statements/results", f"/projects/{house.pid}/figures/reached"

    open_statement, open_page = (read(client, page) for page in pages)
    the_others = read(client, f"{pages[1]}?others=yes")
    in_french = read(client, f"{pages[1]}?lang=fr")
    [pair] = shown(house.baraka.get("matches?list=people&state=open"))["matches"]
    house.baraka.post(f"matches/{pair['id']}", json={"decision": "same", "seen": pair["event"]})
    statement, page = (read(client, page) for page in pages)

    assert re.search(r">. people \(2 to 3, depending on one pair not reviewed\)</a>", open_statement)
    assert re.search(r"<strong>. \(2 to 3, depending on one pair not reviewed\)</strong>", open_page)
    assert [page.count("(perhaps the same as another)") for page in (open_page, the_others)] == [1, 1]
    assert re.search(r"<strong>. \(de 2 à 3, selon une paire non vérifiée\)</strong>", in_french)
    assert ">2 people</a>" in statement
    assert "<strong>2</strong>" in page
    assert "perhaps" not in page


def test_a_long_list_of_evidence_has_further_pages(sold: House) -> None:
    client = signed_in(sold)

    first = read(client, f"/projects/{sold.pid}/figures/sacks?limit=1&lang=fr")
    following = next(link for link in Page(first).links if "cursor=" in link)
    second = read(client, following)

    assert "Valeur" in second
    assert "cursor=" not in "".join(
        link for link in Page(second).links if "figures/sacks" in link and "lang" not in link
    )


def instance_of(page: str) -> list[str]:
    """The submissions that a page of evidence leads to."""
    return [link for link in Page(page).links if "/submissions/" in link]


def test_the_api_is_readable_without_signing_in(house: House) -> None:
    client = house.app.test_client()

    page = read(client, "/docs/api")
    document = client.get("/v1/openapi.json").get_json()

    assert "/v1/projects/{pid}/batches" in page
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]["/v1/projects/{pid}/batches"]["post"]["responses"]) == {"200", "default"}


DOORS_AT_THE_ROOT = ("/formList", "/formUpload", "/formXml", "/submission", "/upload", "/view/", "/xformsManifest/")


def test_every_route_under_v1_is_described(house: House) -> None:
    document = house.app.test_client().get("/v1/openapi.json").get_json()
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    there = {
        (re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in house.app.url_map.iter_rules()
        if rule.rule.startswith(("/v1", *DOORS_AT_THE_ROOT))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert described == there
    ids = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "query", ["pid=2", "endpoint=x", "_method=POST", "_scheme=javascript&_external=1", "_anchor=x"]
)
def test_whatever_stands_in_an_address_the_links_to_other_languages_stay_on_the_page(sold: House, query: str) -> None:
    path = f"/projects/{sold.pid}"

    links = Page(read(signed_in(sold), f"{path}?{query}")).links

    assert f"{path}?{query}&lang=fr" in links


def test_every_page_of_an_installation_for_practice_says_what_day_it_is_there(sold: House) -> None:
    client = signed_in(sold, language="fr")
    with clock_turned_back(dt.timedelta(hours=3)):
        page = read(client, f"/projects/{sold.pid}")
        told = shown(sold.djeneba.get("capabilities"))

    assert "Installation d’exercice" in unescape(page)
    assert "Installation d’exercice" not in unescape(read(client, f"/projects/{sold.pid}"))
    assert dt.datetime.fromisoformat(told["now"]) < dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)


@contextmanager
def clock_turned_back(by: dt.timedelta) -> Iterator[None]:
    clock.turn(clock.now() - by)
    try:
        yield
    finally:
        clock.turn(None)


def test_what_a_bambara_page_says_in_french_is_said_to_be_french(house: House) -> None:
    address = f"/projects/{house.pid}/indicators"
    page = read(signed_in(house, language="bm"), address)

    assert '<html lang="bm">' in page
    assert '<h1><span lang="fr">Indicateurs</span></h1>' in page
    assert "<title>Indicateurs" in page
    assert 'aria-label="Langue et compte"' in page
    assert '="<span' not in page
    assert not {"\ue000", "\ue001"} & set(page)
    assert '<span lang="fr">' not in read(signed_in(house, language="fr"), address)


def test_pages_on_which_people_decide_or_wonder_have_a_help(sold: House) -> None:
    client, project = signed_in(sold, "djeneba"), f"/projects/{sold.pid}"
    paths = ("forms/sale", "statements/results", "statements/results/issue", "lists/people", "team/trail")
    device = next(link for link in Page(read(client, f"{project}/devices")).links if re.search(r"/devices/\d+$", link))

    for page in ("/account", device, *(f"{project}/{path}" for path in paths)):
        assert '<details class="help">' in read(client, page), page
