"""Who may do what: a table of every route and every role, and a visitor from elsewhere who finds nothing."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.routing import Map

from server.door.guards import need_of
from tests.support.web import House, refused

# a administrator, c coordinator, v viewer, d device (collector)
ROLES = {"a": "djeneba", "c": "baraka", "v": "fanta", "d": "amina"}
TABLE = """
GET    /v1/projects/{pid}                                     acvd
PATCH  /v1/projects/{pid}                                     a
PUT    /v1/projects/{pid}                                     a
DELETE /v1/projects/{pid}                                     -
GET    /v1/projects/{pid}/assignments                         a
GET    /v1/projects/{pid}/assignments/forms                   a
GET    /v1/projects/{pid}/assignments/forms/app-user          a
GET    /v1/projects/{pid}/assignments/viewer                  a
POST   /v1/projects/{pid}/assignments/viewer/1                a
DELETE /v1/projects/{pid}/assignments/viewer/1                a
GET    /v1/projects/{pid}/forms/sale/assignments              a
GET    /v1/projects/{pid}/forms/sale/assignments/app-user     a
POST   /v1/projects/{pid}/forms/sale/assignments/app-user/1   ac
DELETE /v1/projects/{pid}/forms/sale/assignments/app-user/1   ac
GET    /v1/projects/{pid}/forms/sale/public-links             a
POST   /v1/projects/{pid}/forms/sale/public-links             a
DELETE /v1/projects/{pid}/forms/sale/public-links/1           a
GET    /v1/projects/{pid}/app-users                           ac
POST   /v1/projects/{pid}/app-users                           ac
GET    /v1/projects/{pid}/app-users/1                         ac
PATCH  /v1/projects/{pid}/app-users/1                         ac
DELETE /v1/projects/{pid}/app-users/1                         ac
PUT    /v1/projects/{pid}/app-users/places                    ac
POST   /v1/projects/{pid}/app-users/places/999999/undo        ac
GET    /v1/projects/{pid}/word-templates                      a
GET    /v1/projects/{pid}/word-templates/file                 a
PUT    /v1/projects/{pid}/word-templates/file                 a
DELETE /v1/projects/{pid}/word-templates/file                 a
GET    /v1/projects/{pid}/actor-properties                    ac
GET    /v1/projects/{pid}/qr.png                              acd
POST   /v1/projects/{pid}/actor-properties                    ac
PUT    /v1/projects/{pid}/places                              a
GET    /v1/projects/{pid}/programme                           a
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
POST   /v1/projects/{pid}/forms                               a
PATCH  /v1/projects/{pid}/forms/sale                          a
DELETE /v1/projects/{pid}/forms/nothing                       a
POST   /v1/projects/{pid}/forms/999/restore                   a
POST   /v1/projects/{pid}/key                                 a
GET    /v1/projects/{pid}/formList                            acd
GET    /v1/projects/{pid}/submission                          acd
POST   /v1/projects/{pid}/submission                          acd
GET    /v1/projects/{pid}/formXml                             acd
GET    /v1/projects/{pid}/upload                              a
POST   /v1/projects/{pid}/formUpload                          a
GET    /v1/projects/{pid}/view/submissionList                 ac
GET    /v1/projects/{pid}/view/downloadSubmission             ac
GET    /v1/projects/{pid}/forms/sale/manifest                 acvd
GET    /v1/projects/{pid}/forms/sale.xls                      acvd
GET    /v1/projects/{pid}/forms/sale/fields                   acvd
GET    /v1/projects/{pid}/forms/sale/versions/1               acvd
GET    /v1/projects/{pid}/forms/sale/versions/1.xls           acvd
GET    /v1/projects/{pid}/forms/sale/versions/1/fields        acvd
GET    /v1/projects/{pid}/forms/sale/versions/1/manifest      acvd
GET    /v1/projects/{pid}/forms/sale/versions/1/attachments   acvd
GET    /v1/projects/{pid}/forms/sale/versions/1/attachments/x.csv acvd
GET    /v1/projects/{pid}/forms/sale/draft                    a
POST   /v1/projects/{pid}/forms/nothing/draft                 a
DELETE /v1/projects/{pid}/forms/sale/draft                    a
POST   /v1/projects/{pid}/forms/sale/draft/publish            a
GET    /v1/projects/{pid}/forms/sale/draft.xml                a
GET    /v1/projects/{pid}/forms/sale/draft.xlsx               a
GET    /v1/projects/{pid}/forms/sale/draft.xls                a
GET    /v1/projects/{pid}/forms/sale/draft/fields             a
GET    /v1/projects/{pid}/forms/sale/draft/qr.png             a
GET    /v1/projects/{pid}/forms/sale/draft/qr.svg             a
GET    /v1/projects/{pid}/forms/sale/draft/formList           a
GET    /v1/projects/{pid}/forms/sale/draft/manifest           a
GET    /v1/projects/{pid}/forms/sale/draft/submission         a
POST   /v1/projects/{pid}/forms/sale/draft/submission         a
GET    /v1/projects/{pid}/forms/sale/draft/attachments        a
GET    /v1/projects/{pid}/forms/sale/draft/attachments/x      a
POST   /v1/projects/{pid}/forms/sale/draft/attachments/x      a
PATCH  /v1/projects/{pid}/forms/sale/draft/attachments/x      a
DELETE /v1/projects/{pid}/forms/sale/draft/attachments/x      a
GET    /v1/projects/{pid}/forms/sale/draft/submissions        a
GET    /v1/projects/{pid}/forms/sale/draft/submissions.csv    ac
GET    /v1/projects/{pid}/forms/sale/draft/submissions.csv.zip ac
GET    /v1/projects/{pid}/forms/sale/draft/submissions/x      a
GET    /v1/projects/{pid}/forms/sale/draft/submissions/x.xml  a
POST   /v1/projects/{pid}/batches                             acd
POST   /v1/projects/{pid}/batches/known                       acd
GET    /v1/projects/{pid}/capabilities                        acvd
POST   /v1/projects/{pid}/files                               acd
HEAD   /v1/projects/{pid}/files/x                             acd
PATCH  /v1/projects/{pid}/files/x                             acd
POST   /v1/projects/{pid}/files/x                             acd
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
POST   /v1/projects/{pid}/review/bulk                         ac
POST   /v1/projects/{pid}/review/bulk/1/undo                  ac
GET    /v1/projects/{pid}/forms/sale/submissions              acv
POST   /v1/projects/{pid}/forms/sale/submissions              acd
GET    /v1/projects/{pid}/forms/sale/submissions/submitters   ac
GET    /v1/projects/{pid}/forms/sale/submissions/keys         acv
GET    /v1/projects/{pid}/forms/sale/submissions.csv         acv
POST   /v1/projects/{pid}/forms/sale/submissions.csv         acv
DELETE /v1/projects/{pid}/forms/sale/submissions.csv         acv
GET    /v1/projects/{pid}/forms/sale/submissions.csv.zip     acv
POST   /v1/projects/{pid}/forms/sale/submissions.csv.zip     acv
GET    /v1/projects/{pid}/forms/sale/submissions.xlsx        acv
POST   /v1/projects/{pid}/forms/sale/submissions.xlsx        acv
GET    /v1/projects/{pid}/forms/sale/submissions.geojson     acv
POST   /v1/projects/{pid}/forms/sale/submissions.geojson     acv
GET    /v1/projects/{pid}/forms/sale/submissions.kml         acv
POST   /v1/projects/{pid}/forms/sale/submissions.kml         acv
GET    /v1/projects/{pid}/forms/sale/submissions.sav         acv
POST   /v1/projects/{pid}/forms/sale/submissions.sav         acv
GET    /v1/projects/{pid}/forms/sale/submissions.sav.zip     acv
POST   /v1/projects/{pid}/forms/sale/submissions.sav.zip     acv
GET    /v1/projects/{pid}/forms/sale/submissions.jsonl       acv
POST   /v1/projects/{pid}/forms/sale/submissions.jsonl       acv
GET    /v1/projects/{pid}/forms/sale/submissions/x.geojson    acv
GET    /v1/projects/{pid}/forms/sale/submissions/x            ac
PUT    /v1/projects/{pid}/forms/sale/submissions/x            ac
DELETE /v1/projects/{pid}/forms/sale/submissions/x            a
POST   /v1/projects/{pid}/forms/sale/submissions/x/restore    a
GET    /v1/projects/{pid}/forms/sale/submissions/x/diffs      ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/audits     ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/edit       ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/versions/y ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/versions/y/attachments   ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/versions/y/attachments/z ac
POST   /v1/projects/{pid}/forms/sale/submissions/x/attachments/y  acd
DELETE /v1/projects/{pid}/forms/sale/submissions/x/attachments/y  ac
PATCH  /v1/projects/{pid}/forms/sale/submissions/x            ac
GET    /v1/projects/{pid}/forms/sale/submissions/x.xml        ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/versions   ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/versions/y.xml ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/comments   ac
POST   /v1/projects/{pid}/forms/sale/submissions/x/comments   ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/attachments    ac
GET    /v1/projects/{pid}/forms/sale/submissions/x/attachments/y  ac
GET    /v1/projects/{pid}/datasets                            acv
POST   /v1/projects/{pid}/datasets                            a
GET    /v1/projects/{pid}/datasets/people                     acv
PATCH  /v1/projects/{pid}/datasets/people                     ac
DELETE /v1/projects/{pid}/datasets/nothing                    a
POST   /v1/projects/{pid}/datasets/people/properties          a
GET    /v1/projects/{pid}/datasets/people/assignments/1       ac
PUT    /v1/projects/{pid}/datasets/people/assignments/1       ac
POST   /v1/projects/{pid}/datasets/people/assignments/1       ac
DELETE /v1/projects/{pid}/datasets/people/assignments/1       ac
PUT    /v1/projects/{pid}/datasets/people/assignments/1/x     ac
DELETE /v1/projects/{pid}/datasets/people/assignments/1/x     ac
GET    /v1/projects/{pid}/datasets/people/entities            ac
POST   /v1/projects/{pid}/datasets/people/entities            ac
GET    /v1/projects/{pid}/datasets/people/entities/creators   ac
POST   /v1/projects/{pid}/datasets/people/entities/bulk-delete  ac
POST   /v1/projects/{pid}/datasets/people/entities/bulk-restore ac
GET    /v1/projects/{pid}/datasets/people/entities.csv        ac
GET    /v1/projects/{pid}/datasets/people/entities.geojson    ac
GET    /v1/projects/{pid}/datasets/people/entities/x          ac
PATCH  /v1/projects/{pid}/datasets/people/entities/x          ac
DELETE /v1/projects/{pid}/datasets/people/entities/x          ac
POST   /v1/projects/{pid}/datasets/people/entities/x/restore  ac
GET    /v1/projects/{pid}/datasets/people/entities/x/versions ac
GET    /v1/projects/{pid}/datasets/people/entities/x/diffs    ac
GET    /v1/projects/{pid}/datasets/people/entities/x/audits   ac
GET    /v1/projects/{pid}/datasets/people/integrity           acd
GET    /v1/projects/{pid}/forms/sale.svc                      acv
GET    /v1/projects/{pid}/forms/sale.svc/$metadata            acv
GET    /v1/projects/{pid}/forms/sale.svc/Submissions          acv
GET    /v1/projects/{pid}/forms/sale/draft.svc                ac
GET    /v1/projects/{pid}/forms/sale/draft.svc/$metadata      ac
GET    /v1/projects/{pid}/forms/sale/draft.svc/Submissions    ac
GET    /v1/projects/{pid}/datasets/people.svc                 ac
GET    /v1/projects/{pid}/datasets/people.svc/$metadata       ac
GET    /v1/projects/{pid}/datasets/people.svc/Entities        ac
GET    /v1/projects/{pid}/quarantine                          ac
GET    /v1/projects/{pid}/quarantine/1                        ac
GET    /v1/projects/{pid}/quarantine/1/raw                    ac
POST   /v1/projects/{pid}/quarantine/1/resolve                ac
GET    /v1/projects/{pid}/matches                             ac
POST   /v1/projects/{pid}/matches                             ac
GET    /v1/projects/{pid}/matches/waiting                     ac
POST   /v1/projects/{pid}/matches/bulk                        ac
POST   /v1/projects/{pid}/matches/bulk/1/undo                 ac
GET    /v1/projects/{pid}/matches/1                           ac
POST   /v1/projects/{pid}/matches/1                           ac
GET    /v1/projects/{pid}/people                              ac
POST   /v1/projects/{pid}/datasets/people/import              ac
POST   /v1/projects/{pid}/datasets/people/train               ac
GET    /v1/projects/{pid}/datasets/people/model               ac
GET    /v1/projects/{pid}/webhooks                            a
POST   /v1/projects/{pid}/webhooks                            a
GET    /v1/projects/{pid}/webhooks/1                          a
PATCH  /v1/projects/{pid}/webhooks/1                          a
DELETE /v1/projects/{pid}/webhooks/1                          a
POST   /v1/projects/{pid}/webhooks/1/replay                   a
POST   /v1/projects/{pid}/webhooks/1/ping                     a
GET    /v1/projects/{pid}/webhooks/1/deliveries               a
GET    /projects/{pid}                                        acvd
GET    /projects/{pid}/devices/sheet                         ac
POST   /projects/{pid}/devices/sheet                         ac
GET    /projects/{pid}/devices/places                         ac
POST   /projects/{pid}/devices/places                         ac
POST   /projects/{pid}/devices/places/undo                    ac
GET    /projects/{pid}/statements/results                     acv
GET    /projects/{pid}/figures/sacks                          acv
GET    /projects/{pid}/submissions/1                          ac
GET    /projects/{pid}/submissions                            ac
POST   /projects/{pid}/submissions/views                      ac
POST   /projects/{pid}/submissions/views/1/delete             ac
GET    /projects/{pid}/submissions/1/photos/x.jpg             ac
GET    /projects/{pid}/forms/sale/submissions/x               ac
GET    /dl/projects/{pid}/forms/sale/submissions/x/attachments/y ac
GET    /projects/{pid}/submissions/1/delete                   a
POST   /projects/{pid}/submissions/1/delete                   a
POST   /projects/{pid}/submissions/1/restore                  a
POST   /projects/{pid}/submissions/1/decision                 ac
POST   /projects/{pid}/submissions/1/comments                 ac
GET    /projects/{pid}/submissions/1/edit                     ac
POST   /projects/{pid}/submissions/1/edit                     ac
GET    /projects/{pid}/submissions/1/edit/back                ac
GET    /projects/{pid}/review                                 ac
GET    /projects/{pid}/review/many                            ac
POST   /projects/{pid}/review/many                            ac
POST   /projects/{pid}/review/many/1/undo                     ac
GET    /projects/{pid}/quarantine                             ac
POST   /projects/{pid}/quarantine/retry                       ac
GET    /projects/{pid}/quarantine/1                           ac
POST   /projects/{pid}/quarantine/1                           ac
GET    /projects/{pid}/duplicates                             ac
GET    /projects/{pid}/duplicates/waiting                     ac
GET    /projects/{pid}/duplicates/next                        ac
GET    /projects/{pid}/duplicates/bulk                        ac
POST   /projects/{pid}/duplicates/bulk                        ac
POST   /projects/{pid}/duplicates/bulk/1/undo                 ac
GET    /projects/{pid}/duplicates/1                           ac
POST   /projects/{pid}/duplicates/1                           ac
GET    /projects/{pid}/duplicates/1/figures                   ac
GET    /projects/{pid}/people/people/x                        ac
GET    /projects/{pid}/lists                                  ac
GET    /projects/{pid}/lists/people                           ac
GET    /projects/{pid}/lists/people/rows/x                    ac
POST   /projects/{pid}/lists/people/rows/x/settle             ac
GET    /projects/{pid}/lists/people/load                      ac
POST   /projects/{pid}/lists/people/load                      ac
GET    /projects/{pid}/overview/waiting                       ac
GET    /projects/{pid}/overview/arrivals                      acv
GET    /projects/{pid}/overview/devices                       ac
GET    /projects/{pid}/overview/targets                       acv
GET    /projects/{pid}/overview/registers                     acv
GET    /projects/{pid}/overview/silent                        acv
GET    /projects/{pid}/indicators                            acv
GET    /projects/{pid}/indicators.csv                        acv
GET    /projects/{pid}/indicators.xlsx                       acv
GET    /projects/{pid}/indicators/sacks/table                acv
GET    /projects/{pid}/indicators/sacks/table.csv            acv
GET    /projects/{pid}/indicators/sacks/table.xlsx           acv
GET    /projects/{pid}/indicators/of/sale                    acv
GET    /projects/{pid}/indicators/sacks                      acv
GET    /projects/{pid}/indicators/sacks/line                 acv
GET    /projects/{pid}/indicators/sacks/cells                acv
GET    /projects/{pid}/indicators/sacks/changes              acv
GET    /projects/{pid}/indicators/sacks/changes/1            ac
GET    /projects/{pid}/indicators/sacks/past                  acv
GET    /projects/{pid}/statements                            acv
GET    /projects/{pid}/word-templates                         a
POST   /projects/{pid}/word-templates                         a
GET    /projects/{pid}/word-templates/file                    a
GET    /projects/{pid}/word-templates/example                 a
GET    /projects/{pid}/word-templates/remove                  a
POST   /projects/{pid}/word-templates/remove                  a
GET    /projects/{pid}/statements/results/issue              ac
POST   /projects/{pid}/statements/results/issue              ac
GET    /projects/{pid}/statements/results/issues/1           acv
GET    /projects/{pid}/statements/results/issues/1/changes   acv
GET    /projects/{pid}/forms                                  acvd
GET    /projects/{pid}/forms/sale                             acvd
GET    /projects/{pid}/forms/sale/versions/1                  acvd
GET    /projects/{pid}/forms/sale/versions/1/changes          acvd
GET    /projects/{pid}/workbook                               a
POST   /projects/{pid}/workbook                               a
POST   /projects/{pid}/forms/nothing/state                    a
GET    /projects/{pid}/forms/sale/delete                      a
POST   /projects/{pid}/forms/nothing/delete                   a
POST   /projects/{pid}/forms/999/restore                      a
GET    /projects/{pid}/forms/sale/draft                       a
POST   /projects/{pid}/forms/nothing/draft                    a
GET    /projects/{pid}/forms/sale/draft/findings              a
GET    /projects/{pid}/forms/sale/draft/questions             a
GET    /projects/{pid}/forms/sale/draft/changes               a
GET    /projects/{pid}/forms/sale/draft/discard               a
POST   /projects/{pid}/forms/sale/draft/discard               a
GET    /projects/{pid}/forms/sale/draft/publish               a
POST   /projects/{pid}/forms/sale/draft/publish               a
GET    /projects/{pid}/forms/sale/draft/files/x/empty         a
POST   /projects/{pid}/forms/sale/draft/files/x               a
GET    /projects/{pid}/devices                                ac
POST   /projects/{pid}/devices                                ac
GET    /projects/{pid}/devices/1                              ac
POST   /projects/{pid}/devices/1                              ac
GET    /projects/{pid}/devices/1/revoke                       ac
POST   /projects/{pid}/devices/1/revoke                       ac
GET    /projects/{pid}/team                                   a
POST   /projects/{pid}/team/invitations                       a
GET    /projects/{pid}/team/invitations/x/revoke              a
POST   /projects/{pid}/team/invitations/x/revoke              a
GET    /projects/{pid}/team/1/role                            a
POST   /projects/{pid}/team/1/role                            a
GET    /projects/{pid}/team/1/remove                          a
POST   /projects/{pid}/team/1/remove                          a
GET    /projects/{pid}/team/trail                             a
GET    /projects/{pid}/exports                                acv
GET    /projects/{pid}/exports/sale.sav                       acv
POST   /projects/{pid}/exports/sale.sav/stop                  acv
GET    /projects/{pid}/settings                               a
POST   /projects/{pid}/settings                               a
POST   /projects/{pid}/settings/undo                          a
GET    /projects/{pid}/settings/counts                        a
GET    /projects/{pid}/settings/retention                     a
POST   /projects/{pid}/settings/retention                     a
GET    /projects/{pid}/settings/names                         a
POST   /projects/{pid}/settings/names                         a
GET    /projects/{pid}/settings/webhooks                      a
POST   /projects/{pid}/settings/webhooks                      a
POST   /projects/{pid}/settings/webhooks/resume               a
GET    /projects/{pid}/settings/webhooks/1                    a
POST   /projects/{pid}/settings/webhooks/1                    a
POST   /projects/{pid}/settings/webhooks/1/pause              a
POST   /projects/{pid}/settings/webhooks/1/test               a
POST   /projects/{pid}/settings/webhooks/1/replay             a
GET    /projects/{pid}/settings/webhooks/1/remove             a
POST   /projects/{pid}/settings/webhooks/1/remove             a
GET    /projects/{pid}/health                                 -
GET    /projects/{pid}/programme                              a
POST   /projects/{pid}/programme                              a
POST   /projects/{pid}/programme/load                         a
GET    /projects/{pid}/bin                                    a
POST   /projects/{pid}/bin/1/restore                          a
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
    house.app.url_map = Map([house.app.url_rule_class("/v1/bare", endpoint="bare")])

    assert refused(house.sekou.get("/v1/bare")) == 403.1
