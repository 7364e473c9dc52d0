"""JavaRosa, the engine inside ODK Collect, as a second opinion. It lies in the jar that pyxform brings along."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import pytest

SOURCE = Path(__file__).with_name("Oracle.java")


@dataclass(frozen=True, slots=True)
class Node:
    """What JavaRosa makes of one node. `constraint` is None where there is none or it was not asked."""

    relevant: bool
    required: bool
    constraint: bool | None
    value: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record after all calculations. Paths are the form's own with positions from 1 (`/visit[1]/people[2]/age[1]`);
    `xml` is what Collect would send."""

    nodes: dict[str, Node]
    xml: bytes

    def at(self, path: str) -> Node:
        """By a path that needs positions only where they are not 1: `/data/people[2]/age`."""
        _, *steps = path.strip("/").split("/")
        wanted = "/".join(step if step.endswith("]") else f"{step}[1]" for step in steps)
        return next(node for known, node in self.nodes.items() if known.strip("/").partition("/")[2] == wanted)


class JavaRosaRefuses(Exception):
    """JavaRosa threw; the message is its own."""


class Oracle:
    """One JVM, asked again and again. Not to be shared by threads."""

    def __init__(self, questions: IO[str], answers: IO[str]) -> None:
        self._questions = questions
        self._answers = answers

    def form(self, xform: bytes) -> None:
        """The form that the records after this are for."""
        self._ask("form", xform)

    def media(self, folder: Path) -> None:
        """Where the files lie that the form attaches."""
        self._ask("media", str(folder).encode())

    def record(self, instance: bytes) -> Record:
        """A record opened again: everything that is calculated is calculated anew."""
        return self._ask("load", instance)

    def new_record(self) -> Record:
        """A record as it is when the form is opened for the first time."""
        return self._ask("new")

    def _ask(self, word: str, content: bytes | None = None) -> Record:
        encoded = [] if content is None else [base64.b64encode(content).decode()]
        self._questions.write("\t".join([word, *encoded]) + "\n")
        self._questions.flush()
        nodes: dict[str, Node] = {}
        xml = b""
        while line := self._answers.readline():
            kind, *words = line.rstrip("\n").split("\t")
            if kind == "ok":
                return Record(nodes, xml)
            if kind == "error":
                raise JavaRosaRefuses(_text(words[0]))
            if kind == "xml":
                xml = base64.b64decode(words[0])
            if kind == "node":
                path, relevant, required, constraint, value = words
                told = None if constraint == "-" else constraint == "1"
                nodes[path] = Node(relevant == "1", required == "1", told, _text(value))
        raise AssertionError("the JVM ended")


@contextmanager
def an_oracle(time_zone: str = "UTC") -> Iterator[Oracle]:
    """Starts a JVM for as long as the block runs. Skips the test on a machine without Java, but fails it where CI is
    set: there a missing Java is a fault of the set-up, and the comparison must not vanish unseen."""
    java = shutil.which("java")
    if java is None:
        reason = "JavaRosa needs Java 11 or newer: install default-jdk-headless"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    command = [
        java,
        "-XX:TieredStopAtLevel=1",
        "-Xmx256m",
        f"-Duser.timezone={time_zone}",
        "-Duser.language=en",
        "-Duser.country=US",
        "-cp",
        str(jar()),
        str(SOURCE),
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Oracle(process.stdin, process.stdout)
        finally:
            process.stdin.close()


def jar() -> Path:
    found = find_spec("pyxform")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "validators" / "odk_validate" / "bin" / "ODK_Validate.jar"


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
