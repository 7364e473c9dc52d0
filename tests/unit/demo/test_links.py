"""A bad link fails in the ways that it names, and in the same order for the same seed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from demo.links import CLEAR, Link, NoAnswer, Traffic, Weather

CUT_BEFORE = Weather(1, 0, 0, 0, 0, most_in_a_row=99)
CUT_AFTER = Weather(0, 1, 0, 0, 0, most_in_a_row=99)
UNHEARD = Weather(0, 0, 1, 0, 0, most_in_a_row=99)
TWICE = Weather(0, 0, 0, 1, 0, most_in_a_row=99)
SLOW = Weather(0, 0, 0, 0, 1, most_in_a_row=99)


@dataclass
class Echo:
    """A server that answers with what it was sent, and knows which requests reached it whole."""

    port: int
    whole: list[bytes] = field(default_factory=list)
    arrival: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> list[bytes]:
        with self.arrival:
            self.arrival.wait_for(lambda: len(self.whole) >= count, timeout=5)
        return self.whole


@pytest.fixture
def echo() -> Iterator[Echo]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return
            with found.arrival:
                found.whole.append(body)
                found.arrival.notify_all()
            with suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Echo(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def a_link(echo: Echo, weather: Weather, seed: str = "seed", traffic: Traffic | None = None) -> Link:
    return Link("127.0.0.1", echo.port, "token", weather=weather, seed=seed, traffic=traffic)


@pytest.mark.parametrize("weather", [CLEAR, SLOW])
def test_a_request_that_passes_is_answered(echo: Echo, weather: Weather) -> None:
    link = a_link(echo, weather)

    answer = link.ask("POST", "/", {}, b"visit" * 100)
    link.close()

    assert (answer.status, answer.body, answer.arrived) == (200, b"visit" * 100, 1)


def test_a_request_that_is_cut_before_its_end_never_arrives_whole(echo: Echo) -> None:
    link = a_link(echo, CUT_BEFORE)

    with pytest.raises(NoAnswer) as cut:
        link.ask("POST", "/", {}, b"visit" * 100)

    assert cut.value.arrived == 0
    assert a_link(echo, CLEAR).ask("POST", "/", {}, b"other").status == 200
    assert echo.whole == [b"other"]


@pytest.mark.parametrize("weather", [CUT_AFTER, UNHEARD])
def test_a_request_whose_answer_is_lost_has_arrived(echo: Echo, weather: Weather) -> None:
    link = a_link(echo, weather)

    with pytest.raises(NoAnswer) as lost:
        link.ask("POST", "/", {}, b"visit")

    assert lost.value.arrived == 1
    assert echo.wait_for(1) == [b"visit"]


def test_a_repeater_sends_it_twice_and_the_tablet_hears_one_answer(echo: Echo) -> None:
    link = a_link(echo, TWICE)

    answer = link.ask("POST", "/", {}, b"visit")

    assert (answer.body, answer.arrived) == (b"visit", 2)
    assert echo.wait_for(2) == [b"visit", b"visit"]


def test_nobody_at_the_other_end_is_no_answer(echo: Echo) -> None:
    link = Link("127.0.0.1", 1, "token", timeout=1)

    with pytest.raises(NoAnswer) as refused:
        link.ask("POST", "/", {}, b"visit")

    assert refused.value.arrived == 0


def test_the_same_seed_brings_the_same_mishaps_and_never_too_many_in_a_row(echo: Echo) -> None:
    weather = Weather(0.4, 0.4, 0, 0, 0.1, most_in_a_row=2)

    first, second = fates(echo, weather, "seed"), fates(echo, weather, "seed")

    assert first == second
    assert "broken broken broken" not in " ".join(first)
    assert fates(echo, weather, "another") != first


def fates(echo: Echo, weather: Weather, seed: str) -> list[str]:
    """What became of thirty requests over one link."""
    link, found = a_link(echo, weather, seed), []
    for number in range(30):
        try:
            link.ask("POST", "/", {}, b"%d" % number)
            found.append("passed")
        except NoAnswer as broken:
            found.append("broken" if broken.arrived == 0 else "unheard")
    link.close()
    return found
