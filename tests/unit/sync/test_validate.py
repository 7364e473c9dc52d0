"""ODK Validate as an author meets it: it says what is wrong, and never keeps anybody waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from forms.findings import Faulty
from forms.workbooks.workbook import read_workbook
from sync.projects import validate
from tests.support.projects import SALE
from tests.support.workbooks import a_workbook

needs_java = pytest.mark.skipif(validate.java() is None, reason="ODK Validate needs Java")


@pytest.fixture(scope="module")
def xform() -> bytes:
    return read_workbook(a_workbook("sale", "1", SALE), "sale.xlsx").xform


@needs_java
def test_a_sound_form_has_no_findings(xform: bytes) -> None:
    assert validate.require_loadable(xform, "sale") == []


@needs_java
def test_a_form_that_collect_cannot_open_is_refused_in_its_words(xform: bytes) -> None:
    broken = xform.replace(b"</h:body>", b'<input ref="/data/nowhere"><label>?</label></input></h:body>')

    with pytest.raises(Faulty) as told:
        validate.require_loadable(broken, "sale")

    (finding,) = told.value.findings
    assert "nowhere" in finding.fault
    assert "\tat " not in finding.fault
    assert "/tmp" not in finding.fault


@needs_java
def test_a_form_that_refers_to_translations_which_it_does_not_have_is_refused_with_place_and_remedy(
    xform: bytes,
) -> None:
    broken = xform.replace(b"<label>Sacks</label>", b"<label ref=\"jr:itext('/data/sacks:label')\"/>")

    with pytest.raises(Faulty) as told:
        validate.require_loadable(broken, "sale")

    (finding,) = told.value.findings
    assert finding.fault.startswith("ODK Validate failed on the form itself, at ‘/data/sacks:label’")
    assert "itext" in finding.remedy
    assert "localizer" not in str(finding)


@needs_java
def test_a_form_that_takes_too_long_is_taken_with_a_warning(xform: bytes) -> None:
    (warning,) = validate.require_loadable(xform, "sale", seconds=0.01)

    assert "not done after 0.01 seconds" in warning.fault


def test_a_form_that_has_passed_is_not_tried_again_and_another_is(
    xform: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho tried >> {tmp_path}/tries\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    told = [validate.require_loadable(form, "sale") for form in (xform, xform, xform + b"\n")]

    assert told == [[], [], []]
    assert (tmp_path / "tries").read_text().splitlines() == ["tried", "tried"]


def test_without_java_there_is_a_warning_that_says_what_to_do(xform: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "java", lambda: None)

    (warning,) = validate.require_loadable(xform, "sale")

    assert "Install Java" in warning.remedy
