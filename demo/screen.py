"""What the demo says while it runs: steps that stay, and one line of progress that is written over on a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

_PLAIN_EVERY_SECONDS = 5.0


class Screen:
    """Writes to a terminal, or plain lines to anything else."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._open = False
        self._last = 0.0

    def say(self, text: str = "") -> None:
        """A line that stays."""
        self._clear()
        self._out.write(f"{text}\n")
        self._out.flush()

    def progress(self, text: str) -> None:
        """How far it is: written over the one before; now and then a line where nothing can be written over."""
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            self._out.write(f"\r{text[:width].ljust(width)}")
            self._open = True
            self._out.flush()
        elif time.monotonic() - self._last > _PLAIN_EVERY_SECONDS:
            self._last = time.monotonic()
            self.say(text)

    def _clear(self) -> None:
        if self._open:
            width = shutil.get_terminal_size().columns - 1
            self._out.write(f"\r{' ' * width}\r")
            self._open = False
