"""Who may do what: a table of every route and every role, and a visitor from elsewhere who finds nothing."""

from __future__ import annotations

import pytest
from flask import Flask

from server.guards import need_of
from tests.support.web import House, refused

# a administrator, c coordinator, v viewer, d device (collector)
ROLES = {"a": "djeneba", "c": "baraka", "v": "fanta", "d": "amina"}
TABLE = """
GET    /v1/projects/{pid}                                     acvd
PATCH  /v1/projects/{pid}                                     a
PUT    /v1/projects/{pid}/places                              a
PUT    /v1/projects/{pid}/programme                           a
PUT    /v1/projects/{pid}/statements/results/en               a
GET    /v1/projects/{pid}/forms                               acvd
GET    /v1/projects/{pid}/forms/sale                          acvd
GET    /v1/projects/{pid}/forms/sale.xml                      acvd
GET    /v1/projects/{pid}/forms/sale.xlsx                     acvd
GET    /v1/projects/{pid}/forms/sale/versions                 acvd
GET    /v1/projects/{pid}/forms/sale/versions/1.xml           acvd
GET    /v1/projects/{pid}/forms/sale/versions/1.xlsx          acvd
GET    /v1/projects/{pid}/forms/sale/attachments              acvd
GET    /v1/projects/{pid}/forms/sale/attachments/x.csv        acvd
POST   /v1/projects/{pid}/batches                             acd
POST   /v1/projects/{pid}/batches/known                       acd
GET    /v1/projects/{pid}/capabilities                        acvd
POST   /v1/projects/{pid}/files                               acd
HEAD   /v1/projects/{pid}/files/x                             acd
PATCH  /v1/projects/{pid}/files/x                             acd
DELETE /v1/projects/{pid}/files/x                             acd
GET    /v1/projects/{pid}/changes                             acd
GET    /v1/projects/{pid}/indicators                          acv
GET    /v1/projects/{pid}/figures                             acv
GET    /v1/projects/{pid}/figures/sacks/evidence              acv
GET    /v1/projects/{pid}/figures/sacks/changes               acv
GET    /v1/projects/{pid}/events                              acv
GET    /v1/projects/{pid}/statements                          acv
GET    /v1/projects/{pid}/statements/results                  acv
GET    /v1/projects/{pid}/statements/results/issues           acv
POST   /v1/projects/{pid}/statements/results/issues           ac
GET    /v1/projects/{pid}/statements/results/issues/1         acv
GET    /v1/projects/{pid}/statements/results/issues/1/changes acv
GET    /v1/projects/{pid}/review                              ac
GET    /v1/projects/{pid}/forms/sale/submissions/x            ac
PATCH  /v1/projects/{pid}/forms/sale/submissions/x            ac
GET    /v1/projects/{pid}/forms/sale/submissions/x.xml        ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/versions   ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/versions/y.xml ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/comments   ac
POST   /v1/projects/{pid}/forms/sale/submissions/x/comments   ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/attachments    ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/attachments/y  ac
GET    /v1/projects/{pid}/quarantine                          ac
GET    /v1/projects/{pid}/quarantine/1                        ac
GET    /v1/projects/{pid}/quarantine/1/raw                    ac
POST   /v1/projects/{pid}/quarantine/1/resolve                ac
GET    /projects/{pid}                                        acvd
GET    /projects/{pid}/statements/results                     acv
GET    /projects/{pid}/figures/sacks                          acv
GET    /projects/{pid}/submissions/1                          ac
GET    /projects/{pid}/quarantine                             ac
"""
ROWS = [tuple(line.split()) for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_role_may_do_what_the_table_says_and_nothing_else(house: House) -> None:
    wrong = []
    for method, path, allowed in ROWS:
        for letter, name in ROLES.items():
            status = getattr(house, name).ask(method, path.format(pid=house.pid)).status_code
            if (status == 403) == (letter in allowed) or status in (401, 500):
                wrong.append(f"{name} {method} {path}: {status}")

    assert wrong == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_to_somebody_from_elsewhere_there_is_no_such_project(house: House) -> None:
    for method, path, _ in ROWS:
        foreign = house.coumba.ask(method, path.format(pid=house.pid))
        missing = house.coumba.ask(method, path.format(pid=999))

        assert (method, path, foreign.status_code) == (method, path, 404)
        if "X-Request-Id" in foreign.headers and path.startswith("/v1"):
            assert foreign.get_json(silent=True) == missing.get_json(silent=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nobody_gets_in_without_signing_in(house: House) -> None:
    stranger = house.app.test_client()
    for method, path, _ in ROWS:
        answer = stranger.open(path.format(pid=house.pid), method=method)

        if path.startswith("/v1"):
            assert (path, answer.status_code) == (path, 401)
            assert answer.headers["WWW-Authenticate"].startswith("Basic")
        else:
            assert (path, answer.status_code) == (path, 303)
            assert answer.headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_administrator_of_the_installation_may_do_all_but_in_projects_that_are_not_there(house: House) -> None:
    assert house.sekou.get("review").status_code == 200
    assert refused(house.sekou.get("/v1/projects/999/review")) == 404.1
    assert house.sekou.post("/v1/projects", json={"name": "New"}).status_code == 200
    assert refused(house.djeneba.post("/v1/projects", json={"name": "New"})) == 403.1


def test_every_route_declares_its_right(app: Flask) -> None:
    bare = [rule.endpoint for rule in app.url_map.iter_rules() if need_of(app.view_functions[rule.endpoint]) is None]

    assert bare == []


def test_every_route_of_a_project_stands_in_the_table(app: Flask) -> None:
    adapter = app.url_map.bind("localhost")
    tabled = {(adapter.match(path.format(pid=1), method=method)[0], method) for method, path, _ in ROWS}
    there = {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS"}
        if "pid" in rule.arguments and not (method == "HEAD" and "GET" in (rule.methods or set()))
    }

    assert there == tabled


def test_a_route_that_declares_nothing_opens_for_nobody(house: House) -> None:
    house.app.view_functions["bare"] = lambda: "open"
    house.app.url_map.add(house.app.url_rule_class("/v1/bare", endpoint="bare"))

    assert refused(house.sekou.get("/v1/bare")) == 403.1
