"""Webhooks on pages: added with a secret that is shown once, tried out, paused, told again, removed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from werkzeug.test import TestResponse

from server.pages.project import webhooks
from tests.api.test_webhooks import Receiver, open_house, receiver, tell
from tests.support.pages import Page, read, send, signed_in
from tests.support.projects import a_sale
from tests.support.web import House, shown

__all__ = ["open_house", "receiver"]  # fixtures

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at(house: House, path: str = "") -> str:
    return f"/projects/{house.pid}/settings/webhooks{path}"


def act(house: House, path: str, page: str = "", **values: Any) -> TestResponse:
    return send(signed_in(house, "djeneba", "en"), at(house, page), at(house, path), values)


def hooks(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shown(house.djeneba.get("webhooks"))
    return found


def added(house: House, receiver: Receiver, **more: Any) -> tuple[str, str]:
    """Its path and its secret."""
    given = {"url": f"{receiver.url}/hook", "types": ["submission.stored", "form.published"]} | more
    answer = act(house, "", **given)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    page = answer.get_data(as_text=True)
    secret = page[page.index("whsec_") :].split("<")[0]
    return f"/{hooks(house)[0]['id']}", secret


def test_a_webhook_is_added_and_its_secret_is_shown_once(open_house: House, receiver: Receiver) -> None:
    path, secret = added(open_house, receiver)
    page = read(signed_in(open_house, "djeneba", "en"), at(open_house, path))

    assert secret not in page
    assert hooks(open_house)[0]["types"] == ["form.published", "submission.stored"]
    assert hooks(open_house)[0]["answers"] is False


def test_trying_it_out_sends_a_signed_ping_and_shows_the_answer(open_house: House, receiver: Receiver) -> None:
    path, secret = added(open_house, receiver)
    receiver.answers = [204, 500]

    well, badly = (act(open_house, f"{path}/test", path).get_data(as_text=True) for _ in range(2))

    headers, body = receiver.heard[0]
    told = Verifier(secret).verify(body, {name.lower(): value for name, value in headers.items()})
    assert told["type"] == json.loads(body)["type"] == "ping"
    assert "It answered well" in well
    assert "204" in well
    assert "It did not answer well" in badly
    assert shown(open_house.djeneba.get(f"webhooks{path}/deliveries")) == []


def test_trying_it_out_is_no_way_into_the_servers_own_network(house: House) -> None:
    assert act(house, "", url="https://127.0.0.1/secret", types=["form.published"]).status_code == 200
    path = f"/{hooks(house)[0]['id']}"

    answer = act(house, f"{path}/test", path)

    assert "leads into a network of this server" in answer.get_data(as_text=True)


def test_a_paused_webhook_is_told_all_once_it_goes_on(open_house: House, receiver: Receiver) -> None:
    path, _ = added(open_house, receiver)

    act(open_house, f"{path}/pause", path, paused="yes")
    open_house.amina.outcomes(a_sale(1))
    silent = tell(open_house.app)
    act(open_house, f"{path}/pause", path, paused="no")

    assert (silent, tell(open_house.app)) == (0, 1)


def test_the_log_shows_each_attempt_and_tells_again_from_there(open_house: House, receiver: Receiver) -> None:
    path, _ = added(open_house, receiver)
    open_house.amina.outcomes(a_sale(1))
    tell(open_house.app)
    [attempt] = shown(open_house.djeneba.get(f"webhooks{path}/deliveries"))

    answer = act(open_house, f"{path}/replay", path, event=str(attempt["event"]))
    tell(open_house.app)

    assert answer.status_code == 303
    first, second = (json.loads(body)["id"] for _, body in receiver.heard)
    assert first == second
    assert act(open_house, f"{path}/replay", path, event="x").status_code == 400


def test_removing_asks_first(open_house: House, receiver: Receiver) -> None:
    path, _ = added(open_house, receiver)
    client = signed_in(open_house, "djeneba", "en")

    asked = read(client, at(open_house, f"{path}/remove"))
    answer = act(open_house, f"{path}/remove", f"{path}/remove")

    assert "Remove the webhook?" in asked
    assert answer.status_code == 303
    assert hooks(open_house) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "http://example.org", "types": ["form.published"]}, "begins with https://"),
        ({"url": "https://example.org", "types": []}, "Choose at least one thing"),
        ({"url": "https://example.org", "types": ["everything"]}, "types"),
        ({"url": "https://a:b@example.org/<script>", "types": ["form.published"]}, "holds no password"),
    ],
)
def test_what_is_no_webhook_is_refused_and_what_was_typed_stays(house: House, given: dict[str, Any], said: str) -> None:
    answer = act(house, "", **given)
    page = answer.get_data(as_text=True)

    assert answer.status_code == 400
    assert said in page
    assert Page(page).runs == []
    assert "example.org" in page
    assert hooks(house) == []


def test_the_log_goes_on_to_older_attempts_until_all_were_seen(
    open_house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_DELIVERIES", 2)
    path, _ = added(open_house, receiver)
    open_house.amina.outcomes(*(a_sale(number) for number in range(1, 6)))
    tell(open_house.app)
    client, seen, next_page = signed_in(open_house, "djeneba", "en"), list[str](), at(open_house, path)

    while next_page:
        page = read(client, next_page)
        seen += re.findall(r'name="event" value="(\d+)"', page)
        next_page = next((link for link in Page(page).links if "cursor=" in link and "lang=" not in link), "")

    told = [str(one["event"]) for one in shown(open_house.djeneba.get(f"webhooks{path}/deliveries"))]
    first = open_house.djeneba.get(f"webhooks{path}/deliveries?limit=3")
    for odd in (f"2026-01-01T00:00:00%2B00:00~{10**22}~1", "0001-01-01T00:00:00%2B14:00~1~1"):
        assert open_house.djeneba.get(f"webhooks{path}/deliveries?cursor={odd}").status_code == 400
    assert seen == told
    assert len(seen) == 5
    assert 'rel="next"' in first.headers["Link"]
    rest = open_house.djeneba.get(first.headers["Link"].partition(">")[0].removeprefix("<http://localhost"))
    assert [str(one["event"]) for one in shown(first) + shown(rest)] == told
    assert client.get(f"{at(open_house, path)}?cursor=nonsense").status_code == 400
