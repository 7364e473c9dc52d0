"""Bodies are read within bounds, whatever they claim to be."""

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.app import create_app
from server.settings import Settings
from server.wire.bodies import UnknownEncoding, parse_batch, parse_json, unpack
from sync.errors import TooLarge, Unparseable
from sync.intake.items import nested_deeper

MB = 2**20


@pytest.fixture(scope="module", autouse=True)
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = create_app(Settings(folder=Path(tmp_path_factory.mktemp("siby"))))
    with app.app_context():
        yield app


@given(st.binary(max_size=3000), st.integers(1, 4))
def test_what_was_packed_comes_out(body: bytes, parts: int) -> None:
    size = max(1, len(body) // parts)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]

    assert unpack(gzip.compress(body), "gzip", MB) == body
    assert unpack(zstandard.compress(body), "zstd", MB) == body
    assert unpack(b"".join(gzip.compress(piece) for piece in pieces), "gzip", MB) == body
    assert unpack(b"".join(zstandard.compress(piece) for piece in pieces), "zstd", MB) == body


@given(st.binary(max_size=400), st.sampled_from(["gzip", "zstd", "br", "", "GZIP", "identity"]))
def test_no_bytes_raise_anything_but_a_refusal(body: bytes, encoding: str) -> None:
    with suppress(Unparseable, TooLarge, UnknownEncoding):
        assert len(unpack(body, encoding, 1000)) <= 1000


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_refused_before_it_fills_the_memory(encoding: str) -> None:
    zeros = bytes(300 * MB)
    bomb = gzip.compress(zeros, 9) if encoding == "gzip" else zstandard.compress(zeros, 19)
    del zeros
    tracemalloc.start()

    with pytest.raises(TooLarge):
        unpack(bomb, encoding, 8 * MB)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * MB


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_that_was_cut_is_not_taken_for_whole(encoding: str) -> None:
    body = bytes(range(256)) * 40
    packed = gzip.compress(body) if encoding == "gzip" else zstandard.compress(body)

    for length in range(1, len(packed)):
        with pytest.raises(Unparseable):
            unpack(packed[:length], encoding, MB)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_make_the_json_reader_raise_anything_but_a_refusal(body: bytes) -> None:
    with suppress(Unparseable):
        json.dumps(parse_json(body))


def test_numbers_keep_every_digit() -> None:
    assert parse_json(b'{"a": 123456789012345678901234567890}') == {"a": 123456789012345678901234567890}
    assert parse_json(b"[-9223372036854775809]") == [-9223372036854775809]


def test_half_a_character_is_read_so_that_its_neighbours_are() -> None:
    assert parse_json(b'["\\ud800", "whole"]') == ["\ud800", "whole"]


def test_endless_nesting_is_told() -> None:
    with pytest.raises(Unparseable, match="nested too deeply"):
        parse_json(b"[" * 200_000)


@pytest.mark.parametrize("depth", [101, 990, 5_000, 200_000])
def test_what_is_nested_too_deeply_in_a_batch_is_cut_off_and_costs_nothing_else(depth: int) -> None:
    deep = b'{"a": [' * (depth // 2) + b"1" + b"]}" * (depth // 2)

    found = parse_batch(b'{"items": ["[{", ' + deep + b', {"b": "]\\"]"}, 2]}')

    assert (found["items"][0], found["items"][2:]) == ("[{", [{"b": ']"]'}, 2])
    assert nested_deeper(found["items"][1], 60)
    assert not nested_deeper(found, 100)


def test_a_batch_that_is_never_closed_is_no_batch() -> None:
    with pytest.raises(Unparseable):
        parse_batch(b'{"items": [1, ' + b"[" * 5000)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet='[]{}",:1\\', max_size=40), st.integers(0, 300))
def test_no_nesting_makes_the_batch_reader_raise_anything_but_a_refusal(text: str, depth: int) -> None:
    with suppress(Unparseable):
        parse_batch(("[" * depth + text + "]" * depth).encode())


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_packed_in_very_many_parts_is_refused_at_once(encoding: str) -> None:
    part = gzip.compress(b"") if encoding == "gzip" else zstandard.compress(b"")

    with pytest.raises(Unparseable, match="parts"):
        unpack(part * 100_000, encoding, 8 * MB)


def test_a_number_of_very_many_digits_does_not_make_the_body_unreadable() -> None:
    assert parse_json(b'{"items": [' + b"7" * 5000 + b", 8]}") == {"items": ["7" * 5000, 8]}
