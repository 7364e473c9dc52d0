"""Pairs that may be one person over REST: the queue, decisions that meet, confirming many, and who may see them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.people import a_gathering, publish_gathering
from tests.support.web import House, refused, shown


@pytest.fixture
def village(house: House) -> House:
    """Two teams have registered Djénéba Coulibaly, spelt twice; Oumou Keita was registered once."""
    publish_gathering(house)
    second = a_gathering(2, first="Dieneba", last="Koulibali")
    other = a_gathering(3, first="Oumou", last="Keita", phone="66 11 22 33", born="1975")
    assert house.amina.outcomes(a_gathering(1), second, other) == ["stored"] * 3
    return house


def the_pair(village: House, state: str = "open") -> dict[str, Any]:
    [found] = shown(village.baraka.get(f"matches?list=people&state={state}"))["matches"]
    return dict(found)


def decide(village: House, pair: dict[str, Any], decision: str, **more: Any) -> Any:
    body = {"decision": decision, "seen": pair["event"], **more}
    return village.baraka.post(f"matches/{pair['id']}", json=body)


def reached(village: House) -> tuple[Any, Any, Any]:
    [figure] = shown(village.baraka.get("figures?indicator=reached"))["figures"]
    return figure["value"], figure["low"], figure["high"]


def trail(village: House, action: str) -> list[dict[str, Any]]:
    return list(shown(village.sekou.get(f"/v1/audits?action={action}")))


def test_a_pair_says_who_the_two_are_how_sure_it_is_and_why(village: House) -> None:
    pair = the_pair(village)

    assert {pair["a"]["label"], pair["b"]["label"]} == {"Djénéba Coulibaly (Siby)", "Dieneba Koulibali (Siby)"}
    assert 0.5 < pair["probability"] < 1
    assert pair["weight"] > 0
    assert pair["state"] == "open"
    assert {"field", "a", "b", "level", "weight", "words"} == set(pair["reasons"][0])


def test_the_reasons_are_told_in_the_language_of_whoever_asks(village: House) -> None:
    english = [reason["words"] for reason in the_pair(village)["reasons"]]
    answer = village.baraka.get("matches", headers={"Accept-Language": "fr"})
    french = [reason["words"] for reason in shown(answer)["matches"][0]["reasons"]]

    assert len(english) == len(french)
    assert english != french


def test_a_decision_changes_the_figure_and_taking_it_back_changes_it_back(village: House) -> None:
    before, pair = reached(village), the_pair(village)

    told = shown(decide(village, pair, "same", reason="the same phone"))
    assert reached(village) == (2, 2, 2)
    assert told["state"] == "same"
    assert [(said["decision"], said["reason"], said["by"]["name"]) for said in told["decisions"]] == [
        ("same", "the same phone", "Baraka")
    ]
    assert the_pair(village, "same")["id"] == pair["id"]
    changes = shown(village.baraka.get(f"figures/reached/changes?from={pair['event']}"))
    assert {cause["cause"] for cause in changes["causes"]} <= {"merged"}

    shown(decide(village, told, "different"))
    assert reached(village) == (3, 3, 3)

    shown(decide(village, the_pair(village, "different"), "open"))
    assert reached(village) == before


def test_whoever_was_second_gets_a_conflict_and_changes_nothing(village: House) -> None:
    pair = the_pair(village)
    shown(decide(village, pair, "same"))

    late = village.djeneba.post(f"matches/{pair['id']}", json={"decision": "different", "seen": pair["event"]})

    assert refused(late) == 409.33
    assert late.get_json()["details"]["state"] == "same"
    assert reached(village)[0] == 2


def test_a_pair_is_seen_side_by_side_what_differs_first(village: House) -> None:
    pair = the_pair(village)

    seen = shown(village.baraka.get(f"matches/{pair['id']}"))

    assert [one["property"] for one in seen["values"] if one["differs"]] == ["first_name", "last_name"]
    differing = [one["differs"] for one in seen["values"]]
    assert differing == sorted(differing, reverse=True)
    assert seen["stands"] in (seen["a"]["id"], seen["b"]["id"])
    assert seen["decisions"] == []


def test_a_decision_can_say_which_record_stands_for_the_person(village: House) -> None:
    pair = the_pair(village)
    before = shown(village.baraka.get(f"matches/{pair['id']}"))["stands"]
    [other] = {pair["a"]["id"], pair["b"]["id"]} - {before}
    asked = {"decision": "same", "seen": pair["event"], "stands": other}

    decided = shown(village.baraka.post(f"matches/{pair['id']}", json=asked))

    assert (decided["stands"], decided["decisions"][0]["stands"]) == (other, other)
    people = shown(village.baraka.get("people"))["people"]
    assert other in {person["stands"]["id"] for person in people}
    wrong = village.baraka.post(f"matches/{pair['id']}", json={**asked, "seen": decided["event"], "stands": "x"})
    assert wrong.status_code == 400
    assert "stands" in wrong.get_json()["message"]
    undone = shown(decide(village, decided, "open"))
    assert undone["stands"] == before


def test_two_records_that_nobody_proposed_can_be_decided(village: House) -> None:
    pair = the_pair(village)
    people = shown(village.baraka.get("people"))["people"]
    records = [record["id"] for person in people for record in (person["stands"], *person["others"])]
    [other] = set(records) - {pair["a"]["id"], pair["b"]["id"]}

    made = shown(village.baraka.post("matches", json={"a": other, "b": pair["a"]["id"], "decision": "same"}))
    assert (made["weight"], made["reasons"], made["state"]) == (None, [], "same")
    again = village.djeneba.post("matches", json={"a": pair["a"]["id"], "b": other, "decision": "different"})
    assert refused(again) == 409.33

    gone = shown(decide(village, made, "open"))
    assert gone["state"] == "open"
    assert village.baraka.get(f"matches/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("matches/{id}", {"decision": "same"}),
        ("matches/{id}", {"decision": "perhaps", "seen": 1}),
        ("matches/{id}", {"decision": "same", "seen": "x"}),
        ("matches/{id}", {"decision": "same", "seen": 1.5}),
        ("matches/{id}", []),
        ("matches", {"a": "x", "b": "x", "decision": "same"}),
        ("matches", {"a": "x", "decision": "same"}),
        ("matches/bulk", {"minimum": 0.2}),
        ("matches/bulk", {"minimum": "all"}),
        ("matches/bulk", {"minimum": 2}),
    ],
)
def test_what_makes_no_sense_is_refused(village: House, path: str, body: Any) -> None:
    answer = village.baraka.post(path.format(id=the_pair(village)["id"]), json=body)

    assert answer.status_code == 400
    refused(answer)


@pytest.mark.parametrize(
    "path",
    ["matches?list=sales", "matches/99999", "people?list=villages", "matches/waiting?list=x", "datasets/x/model"],
)
def test_what_there_is_not_is_not_found(village: House, path: str) -> None:
    assert village.baraka.get(path).status_code == 404


_NUL = ["matches?list=people%00", "people?list=people%00", "matches/waiting?list=%00"]


@pytest.mark.parametrize(
    "path", ["matches?state=never", "matches?cursor=x", "people?cursor=%C3%A9", "matches?limit=0", *_NUL]
)
def test_queries_that_make_no_sense_are_refused(village: House, path: str) -> None:
    assert village.baraka.get(path).status_code == 400


def test_it_is_told_how_much_hangs_on_what_is_open(village: House) -> None:
    found = shown(village.baraka.get("matches/waiting"))

    assert found["open"] == 1
    for figure in found["figures"]:
        assert figure["words"]
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_the_surest_are_confirmed_at_once_after_a_look_at_what_it_would_do(village: House) -> None:
    before, pair = reached(village), the_pair(village)
    body = {"list": "people", "minimum": min(pair["probability"], 0.95)}

    preview = shown(village.baraka.post("matches/bulk", json=body | {"preview": True}))
    assert (preview["undo"], reached(village)) == (None, before)
    assert preview["pairs"] + sum(one["pairs"] for one in preview["left_out"]) == 1

    done = shown(village.baraka.post("matches/bulk", json=body))
    assert done["pairs"] == preview["pairs"]
    if done["pairs"]:
        assert reached(village)[0] == 2
        assert shown(village.baraka.post(f"matches/bulk/{done['undo']}/undo"))["opened"] == 1
    assert reached(village) == before


def test_twins_are_never_confirmed_unseen(village: House) -> None:
    village.amina.outcomes(
        a_gathering(4, first="Hassan", last="Diarra", phone="70 00 00 09", sex="male"),
        a_gathering(5, first="Hassana", last="Diarra", phone="70 00 00 09", sex="male"),
        batch="twins",
    )

    done = shown(village.baraka.post("matches/bulk", json={"minimum": 0.5}))

    names = {example["a"]["label"].split()[0] for example in done["examples"]}
    assert not any(name.startswith("Hassan") for name in confirmed(village))
    assert names <= {"Hassan", "Hassana", "Djénéba", "Dieneba"}


def confirmed(village: House) -> set[str]:
    pairs = shown(village.baraka.get("matches?state=same"))["matches"]
    return {pair[side]["label"] for pair in pairs for side in ("a", "b")}


def test_whoever_looks_at_people_is_written_into_the_trail_once_a_page(village: House) -> None:
    pair = the_pair(village)
    village.baraka.get(f"matches/{pair['id']}")
    village.baraka.get("people?q=awa")
    village.baraka.get(f"datasets/people/entities/{pair['a']['id']}")
    village.baraka.get("datasets/people/entities.csv")
    shown(decide(village, pair, "same"))

    seen = [(act["action"], act["actorId"]) for act in trail(village, "match.viewed")]
    assert seen == [("match.viewed", village.baraka.actor_id)] * 2
    [people] = trail(village, "people.viewed")
    assert "awa" not in str(people).lower()
    assert len(trail(village, "entity.viewed")) == 2
    [decided] = trail(village, "match.decided")
    assert decided["details"]["decision"] == "same"


def test_views_of_a_list_that_holds_no_people_are_not_in_the_trail(village: House) -> None:
    shown(village.djeneba.post("datasets", json={"name": "villages"}))

    shown(village.baraka.get("datasets/villages/entities"))

    assert trail(village, "entity.viewed") == []


def test_viewers_and_devices_see_no_pair_and_nobody_does_from_elsewhere(village: House) -> None:
    pair = the_pair(village)
    for path in ("matches", f"matches/{pair['id']}", "people", "matches/waiting"):
        assert village.fanta.get(path).status_code == 403
        assert village.amina.get(path).status_code == 403
        assert village.coumba.get(path).status_code == 404


def test_an_edited_record_makes_a_decision_about_the_former_one_stale(village: House) -> None:
    pair = the_pair(village)
    change = {"data": {"phone": "66 99 99 99"}}
    shown(village.baraka.patch(f"datasets/people/entities/{pair['a']['id']}?force=true", json=change))

    assert refused(decide(village, pair, "same")) in (409.15, 404.1)


def test_what_was_learnt_is_explained(village: House) -> None:
    assert shown(village.baraka.get("datasets/people/model"))["version"] == 0

    learnt = shown(village.baraka.post("datasets/people/train"))

    assert learnt["version"] == 1
    assert learnt["explanation"]
    assert shown(village.baraka.get("datasets/people/model")) == learnt
    assert shown(village.baraka.post("datasets/people/train?decisions=true"))["version"] == 2
    assert trail(village, "people.trained")
