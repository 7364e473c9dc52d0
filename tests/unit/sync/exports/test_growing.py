"""Files that are read while they grow: whole or known to be broken, made by one, swept after a day."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace

import pytest

from sync.errors import DiskFull
from sync.exports.growing import Broken, Facts, GrowingFiles, Making, Unwanted

FACTS = Facts("sale.csv", "text/csv", 3)
TAG = "a1-b2"


@pytest.fixture
def files(tmp_path: Path) -> GrowingFiles:
    return GrowingFiles(tmp_path / "exports", reserve=0)


def begun(files: GrowingFiles, tag: str = TAG) -> Making:
    making = files.claim(tag, FACTS)
    assert making is not None
    return making


def three_made(files: GrowingFiles, size: int) -> None:
    """The newest first, a minute apart."""
    for age, tag in enumerate(("e5-f6", "c3-d4", TAG)):
        making = begun(files, tag)
        making.write(bytes(size))
        making.keep()
        written = time.time() - age * 60
        os.utime(files.path(tag), (written, written))


def test_a_reader_has_the_first_bytes_before_the_last_are_written(files: GrowingFiles) -> None:
    making = begun(files)
    reading = files.follow(TAG)
    assert reading is not None
    making.write(b"first")
    making.flush()

    assert next(reading) == b"first"

    making.write(b", last")
    making.keep()
    assert b"".join(reading) == b", last"
    whole = files.open(TAG)
    assert whole is not None
    assert whole.read() == b"first, last"


def test_two_readers_at_once_read_the_same_and_only_one_makes_it(files: GrowingFiles) -> None:
    making = begun(files)
    read: list[bytes] = []

    def follow() -> None:
        reading = files.follow(TAG)
        assert reading is not None
        read.append(b"".join(reading))

    threads = [threading.Thread(target=follow) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert files.claim(TAG, FACTS) is None
    for number in range(1000):
        making.write(b"%d\n" % number)
    making.keep()
    for thread in threads:
        thread.join()

    assert len(set(read)) == 1
    assert read[0].splitlines()[-1] == b"999"
    assert files.claim(TAG, FACTS) is None


def test_a_reader_of_what_was_given_up_is_told(files: GrowingFiles) -> None:
    making = begun(files)
    reading = files.follow(TAG)
    assert reading is not None
    making.write(b"first")
    making.flush()
    assert next(reading) == b"first"
    making.give_up()

    with pytest.raises(Broken):
        next(reading)
    assert files.open(TAG) is None
    assert begun(files)


def test_what_a_process_that_ended_left_behind_is_made_anew(files: GrowingFiles) -> None:
    files.require_room()
    files.path(TAG, ".part").write_bytes(b"half of it")
    reading = files.follow(TAG)
    assert reading is not None
    with pytest.raises(Broken):
        list(reading)

    making = begun(files)
    making.write(b"all of it")
    making.keep()

    whole = files.wait(TAG, 1)
    assert whole is not None
    assert whole.read() == b"all of it"
    assert files.facts(TAG) == FACTS


def test_nobody_waits_for_what_nobody_makes(files: GrowingFiles) -> None:
    assert files.wait(TAG, 10) is None
    assert files.follow(TAG) is None
    assert files.facts(TAG) is None


def test_a_full_disk_is_said_before_it_is_full(tmp_path: Path) -> None:
    with pytest.raises(DiskFull):
        GrowingFiles(tmp_path, reserve=10**18).claim(TAG, FACTS)


def test_a_disk_that_fills_up_meanwhile_stops_the_making(files: GrowingFiles) -> None:
    making = begun(files)
    files.reserve = 10**18

    with pytest.raises(DiskFull):
        making.write(bytes(40 << 20))


def test_files_go_after_a_day(files: GrowingFiles) -> None:
    making = begun(files)
    making.keep()
    written = files.path(TAG).stat().st_mtime

    assert files.sweep(written + 3600) == 0
    assert files.sweep(written + 25 * 3600) == 2
    assert files.open(TAG) is None


def test_the_oldest_files_go_while_all_of_them_take_more_than_they_leave(
    files: GrowingFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_made(files, 100)

    def free(size: int) -> None:
        monkeypatch.setattr("sync.exports.growing.shutil.disk_usage", lambda _: SimpleNamespace(free=size))

    free(300)
    assert files.sweep(time.time()) == 0

    free(200)
    files.sweep(time.time())
    assert files.facts(TAG) is None
    assert [files.facts(tag) for tag in ("c3-d4", "e5-f6")] == [FACTS, FACTS]

    free(0)
    files.sweep(time.time())
    assert [files.facts(tag) for tag in ("c3-d4", "e5-f6")] == [None, FACTS]


def test_what_is_being_read_or_was_promised_stays_though_the_disk_fills_up(
    files: GrowingFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_made(files, 500_000)
    reading = files.follow(TAG)
    assert reading is not None
    read = len(next(reading))
    files.owe("somebody", "c3-d4")
    monkeypatch.setattr("sync.exports.growing.shutil.disk_usage", lambda _: SimpleNamespace(free=0))

    assert files.sweep(time.time()) == 0
    assert read + sum(map(len, reading)) == 500_000
    assert files.owed("somebody", time.time() - 60) == "c3-d4"


def test_what_a_killed_process_left_half_made_goes_at_the_next_sweep(files: GrowingFiles) -> None:
    killed, living = begun(files), begun(files, "c3-d4")
    half = files.path(TAG, ".part").read_bytes()
    abandoned = Path(mkdtemp(dir=files.folder, prefix=f"{TAG}.making-"))
    killed.give_up()
    files.path(TAG, ".part").write_bytes(half)
    with living.scratch() as scratch:
        files.sweep(files.path(TAG, ".part").stat().st_mtime)

        assert not files.path(TAG, ".part").exists()
        assert not abandoned.exists()
        assert scratch.folder.exists()
        living.write(b"whole")
    living.keep()
    assert files.path("c3-d4").read_bytes() == b"whole"


def test_a_file_that_was_dropped_is_not_made_further_and_leaves_the_next_one_alone(files: GrowingFiles) -> None:
    dropped = begun(files)
    files.drop(TAG)
    following = begun(files)
    with pytest.raises(Unwanted), dropped.scratch() as scratch:
        scratch.go_on(0)
    dropped.give_up()
    following.keep()

    assert files.open(TAG) is not None


def test_scratch_is_held_against_the_reserve(files: GrowingFiles) -> None:
    making = begun(files)

    with pytest.raises(DiskFull), making.scratch() as scratch:
        scratch.go_on(1 << 60)


def test_what_somebody_reads_goes_on_though_others_forgo_it(files: GrowingFiles) -> None:
    making = begun(files)
    making.write(b"first")
    making.flush()
    files.owe("e5-1", TAG)
    reading = files.follow(TAG)
    assert reading is not None
    first = next(reading)

    assert files.forgo("e5-1", 0)
    assert not files.forgo("e5-1", 0)
    making.go_on()
    making.keep()
    assert first + b"".join(reading) == files.path(TAG).read_bytes()


def test_a_maker_keeps_its_scratch_until_it_hears_that_nobody_waits_for_the_file(files: GrowingFiles) -> None:
    making = begun(files)
    files.owe("e5-1", TAG)
    with making.scratch() as scratch:
        assert files.forgo("e5-1", 0)
        files.sweep(time.time())
        (scratch.folder / "sheet").write_bytes(b"half of it")
        with pytest.raises(Unwanted):
            scratch.go_on(0)

    assert [path.name for path in files.folder.iterdir()] == []


def test_a_file_is_made_no_further_for_who_was_to_come_back_long_ago(files: GrowingFiles) -> None:
    begun(files)
    files.owe("e5-1", TAG)
    files.owe("f6-2", TAG)
    an_hour_ago = time.time() - 3600
    os.utime(files.path("f6-2", ".owed"), (an_hour_ago - 1, an_hour_ago - 1))

    assert files.forgo("e5-1", an_hour_ago)
    assert not files.is_made(TAG)


def test_what_was_for_one_reader_alone_does_not_outlive_the_server(files: GrowingFiles) -> None:
    for tag, facts in ((TAG, replace(FACTS, once=True)), ("c3-d4", FACTS)):
        making = files.claim(tag, facts)
        assert making is not None
        making.keep()

    files.sweep_at_start()

    assert files.open(TAG) is None
    kept = files.open("c3-d4")
    assert kept is not None
    kept.close()


@pytest.mark.parametrize("tag", ["../x", "a/b", "", "é"])
def test_a_tag_is_never_a_path(files: GrowingFiles, tag: str) -> None:
    with pytest.raises(ValueError, match="is not a tag"):
        files.path(tag)
