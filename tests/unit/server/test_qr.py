"""The codes that set a tablet up, read back as ODK Collect reads them."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from server.wire.qr import Setup, code_png, code_svg, device_setup, settings_text

BASE = "https://siby.example.org"


def read(setup: Setup) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(settings_text(setup))))


def test_over_https_the_token_goes_in_a_header_and_not_in_the_address() -> None:
    told = read(device_setup(BASE, 7, "Siby", "Tablet: Awa", "siby_token", language="fr"))

    assert told["general"]["server_url"] == f"{BASE}/v1/projects/7"
    assert (told["general"]["username"], told["general"]["password"]) == ("Tablet  Awa", "siby_token")
    assert told["general"]["app_language"] == "fr"
    assert told["general"]["form_update_mode"] == "match_exactly"


def test_over_plain_http_and_on_demand_it_stands_in_the_address() -> None:
    plain = read(device_setup("http://10.0.0.5:8000", 7, "Siby", "Awa", "siby_token"))
    asked = read(device_setup(BASE, 7, "Siby", "Awa", "siby_token", "key"))

    assert plain["general"]["server_url"] == "http://10.0.0.5:8000/v1/key/siby_token/projects/7"
    assert asked["general"]["server_url"] == f"{BASE}/v1/key/siby_token/projects/7"
    assert "password" not in asked["general"]


def test_what_is_not_chosen_is_left_to_collect() -> None:
    told = read(Setup(f"{BASE}/v1/projects/7", "Rizières de Siby"))

    assert set(told) == {"general", "admin", "project"}
    assert set(told["general"]) == {"server_url", "form_update_mode", "autosend"}
    assert told["admin"] == {}
    assert told["project"] == {"name": "Rizières de Siby"}


def test_forms_that_ask_who_fills_them_in_hear_the_tablets_name_either_way() -> None:
    told = [read(device_setup(BASE, 7, "Siby", "Tablet: Awa", "siby_token", way)) for way in ("basic", "key")]

    assert [each["general"]["metadata_username"] for each in told] == ["Tablet: Awa", "Tablet: Awa"]


def test_collect_is_told_nothing_that_it_would_not_understand() -> None:
    told = read(Setup(BASE, "Siby", language="bm", image_size="original"))

    assert told["general"]["app_language"] == "fr"
    assert "image_size" not in told["general"]


def test_a_slow_link_and_a_locked_tablet_can_be_asked_for() -> None:
    told = read(Setup(BASE, "Siby", image_size="small", autosend="wifi_only", delete_sent=True, admin_password="rice"))

    assert (told["general"]["image_size"], told["general"]["delete_send"]) == ("small", True)
    assert told["general"]["autosend"] == "wifi_only"
    assert told["admin"] == {"admin_pw": "rice", "change_server": False}


def test_a_code_comes_as_a_picture_and_as_markup() -> None:
    text = settings_text(device_setup(BASE, 7, "Siby", "Awa", "siby_" + "x" * 43))

    assert code_png(text).startswith(b"\x89PNG")
    assert code_svg(text).startswith("<svg")
    assert "style=" not in code_svg(text)
