"""What the demo says on a terminal: no word is broken, and no address."""

from __future__ import annotations

import io
import os

import pytest

from demo.screen import Screen, fitted

ADDRESS = "http://127.0.0.1:8000/projects/1/figures/people_trained?period=FY2025&is=topics:organisational-management"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_line_is_broken_between_words_and_what_follows_stands_further_in() -> None:
    line = "  Two teams registered 386 people a second time, and 50 pairs of others only look like one person."

    pieces = fitted(line, 40)

    assert max(map(len, pieces)) <= 40
    assert " ".join(piece.strip() for piece in pieces) == line.strip()
    assert all(piece.startswith("    ") for piece in pieces[1:])


def test_an_address_stays_whole() -> None:
    assert fitted(f"  {ADDRESS}", 40) == [f"  {ADDRESS}"]


def test_progress_is_cut_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((30, 24)))
    out = Terminal()

    Screen(out).progress("sending, 3 of 13: 1,204 of 12,000 visits acknowledged")

    assert out.getvalue().rstrip() == "\rsending, 3 of 13: 1,204 of …"
