"""The one place that asks what time it is.

An installation for practice may live in another year: the file `clock` in its folder says how far its clock is behind.
Every process looks there each time, so that whoever turns the clock need not start the server again.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from server.settings import SettingsFaulty

FILE = "clock"
_RIGHT = dt.timedelta(0)


class _Clock:
    """The file of this process's installation, and what it said when it was last read."""

    def __init__(self) -> None:
        self.file: Path | None = None
        self._read: tuple[tuple[int, int], dt.timedelta] | None = None

    def follow(self, file: Path) -> None:
        self.file, self._read = file, None
        self.behind()

    def behind(self) -> dt.timedelta:
        if self.file is None or not os.access(self.file, os.F_OK):  # an exception costs more than the look
            return _RIGHT
        try:
            found = self.file.stat()
        except FileNotFoundError:
            return _RIGHT
        written = (found.st_ino, found.st_mtime_ns)
        if self._read is None or self._read[0] != written:
            try:
                self._read = (written, dt.timedelta(seconds=float(self.file.read_text())))
            except (ValueError, OverflowError):
                if self._read is None:
                    raise SettingsFaulty(
                        f"{self.file} says by how many seconds the clock for practice is behind, and holds no number. "
                        "Remove it, and the time is the true one."
                    ) from None
                self._read = (written, self._read[1])  # damaged since: time goes on as it did
        return self._read[1]


_clock = _Clock()


def now() -> dt.datetime:
    """This moment, aware, in UTC, in whole milliseconds: what is shown of a moment is then all of it."""
    moment = true_now() - _clock.behind()
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def true_now() -> dt.datetime:
    """This moment wherever nobody has turned the clock: what the codes of a phone go by."""
    return dt.datetime.now(dt.UTC)


def is_behind() -> bool:
    """Whether the installation lives in another year."""
    return bool(_clock.behind())


def follow(folder: Path) -> None:
    """Go by the clock of the installation in this folder. Raises SettingsFaulty where it cannot be read."""
    _clock.follow(folder / FILE)


def turn(moment: dt.datetime | None) -> None:
    """Let it be `moment` now, in all processes of the installation; the true time, for None."""
    assert _clock.file is not None, "follow comes first"
    if moment is None:
        _clock.file.unlink(missing_ok=True)
        return
    beside = _clock.file.with_suffix(".new")
    with beside.open("w") as written:
        written.write(f"{(true_now() - moment).total_seconds():.6f}\n")
        written.flush()
        os.fsync(written.fileno())
    os.replace(beside, _clock.file)  # whoever reads meanwhile finds the old one whole, or the new one
