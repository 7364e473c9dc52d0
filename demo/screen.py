"""What the demo says while it runs: steps that stay, and one line of progress that is written over on a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from typing import TextIO

_PLAIN_EVERY_SECONDS = 5.0


def fitted(line: str, width: int) -> list[str]:
    """The line broken between words, what follows a little further in; an address stays whole, however long it is."""
    said = line.lstrip()
    indent = " " * (len(line) - len(said))
    wrapper = textwrap.TextWrapper(width, indent, f"{indent}  ", break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(said) or [""]


class Screen:
    """Writes to a terminal, or plain lines to anything else."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._open = False
        self._last = 0.0

    def say(self, text: str = "") -> None:
        """Lines that stay, no longer than the terminal is wide."""
        self._clear()
        for line in text.split("\n"):
            self._out.writelines(f"{piece}\n" for piece in fitted(line, shutil.get_terminal_size().columns))
        self._out.flush()

    def progress(self, text: str) -> None:
        """How far it is: written over the one before; now and then a line where nothing can be written over."""
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            self._out.write(f"\r{textwrap.shorten(text, width, placeholder=' …').ljust(width)}")
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
