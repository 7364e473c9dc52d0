"""The door of the command `siby`."""

from __future__ import annotations

import gc
from importlib import import_module


def main() -> None:
    """Load the command and run it.

    What loads is no garbage and stays: to look through it time and again is a fifth of the way to the first answer.
    """
    gc.disable()
    run = import_module("server.cli").main
    gc.freeze()
    gc.enable()
    run()
