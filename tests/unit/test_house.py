"""The rules of the house that a machine can watch: who may import whom, what keys look like, what no file says."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table, UniqueConstraint

from server.settings import describe_settings
from sync.models import Base

ROOT = Path(__file__).parents[2]
SOURCES = {".py", ".md", ".toml", ".txt", ".html", ".js", ".css", ".csv", ".mako", ".yml", ".json", ""}

# Rows that belong to no project. A distributed database keeps a copy of these tables on every node, and only a
# reference to one of them may do without the project.
SHARED = {"actors", "invitations", "leases", "login_failures", "recovery_codes", "servers", "tokens"}
OF_PROJECTS = [table for table in Base.metadata.sorted_tables if table.name not in SHARED]

# Where packages are downloaded from differs from place to place, and so do the folders of somebody's machine.
SPOKEN_ONLY_BY_MACHINES = re.compile(
    "|".join(
        [
            r"pypi\.[a-z]+/|pythonhosted|deb\.debian|registry\.npm|index-url",
            r"(?<![\w.)])/(?:work|home/\w|root)/",
        ]
    )
)


def test_imports_go_one_way() -> None:
    contracts = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([contracts, "--no-cache"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_server_starts_without_waiting_for_what_few_ask_for() -> None:
    asked = "import sys, server.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)

    heavy = {"docx", "docxtpl", "numpy", "odatapy", "openpyxl", "pandas", "pyreadstat", "pyxform", "xlrd", "xlsxwriter"}
    assert heavy & set(done.stdout.split()) == set()


@pytest.mark.parametrize("table", OF_PROJECTS, ids=lambda table: table.name)
def test_the_project_leads_every_key_of_project_data(table: Table) -> None:
    wrong = [str(key.name) for key in keys_of(table) if next(iter(key.columns)).name != project_of(table)]

    assert wrong == []


@pytest.mark.parametrize("table", OF_PROJECTS, ids=lambda table: table.name)
def test_a_reference_between_rows_of_projects_carries_the_project(table: Table) -> None:
    wrong = [
        f"{reference.column_keys} -> {reference.referred_table.name}"
        for reference in table.foreign_key_constraints
        if reference.referred_table.name not in SHARED and not carries_the_project(table, reference)
    ]

    assert wrong == []


def test_the_list_of_shared_tables_names_tables_that_exist() -> None:
    assert set(Base.metadata.tables) >= SHARED


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}

    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_no_file_names_a_registry_or_a_folder_of_a_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if SPOKEN_ONLY_BY_MACHINES.search(line)
    ]

    assert found == []


def test_every_module_of_the_product_opens_with_a_line_on_what_it_is_for() -> None:
    bare = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.suffix == ".py"
        and "tests" not in path.parts
        and (text := path.read_text(encoding="utf-8"))
        and not text.startswith(('"""', 'r"""'))
    ]

    assert bare == []


def test_every_setting_is_in_the_operations_page() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    missing = [
        variable
        for variable, key, default, _ in describe_settings()
        if f"| `{variable}` | `{key}` | {f'`{default}`' if default else ''} |" not in page
    ]

    assert missing == []


def test_every_link_in_a_page_leads_to_a_file() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in files()
        if page.suffix == ".md"
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]

    assert broken == []


def keys_of(table: Table) -> Iterator[PrimaryKeyConstraint | UniqueConstraint | Index]:
    """Everything that makes rows of a table unique."""
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            yield constraint
    yield from (index for index in table.indexes if index.unique)


def project_of(table: Table) -> str:
    """The column that names the project: its own id in the table of projects."""
    return "id" if table.name == "projects" else "project_id"


def carries_the_project(table: Table, reference: ForeignKeyConstraint) -> bool:
    """Whether the reference pairs the project of one row with the project of the other."""
    pairs = {(element.parent.name, element.column.name) for element in reference.elements}
    return (project_of(table), project_of(reference.referred_table)) in pairs


def files() -> Iterator[Path]:
    """The files of the repository that people write; git knows which, and a copy without git has no others."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        listing = [git, "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        candidates = [ROOT / name for name in names]
    else:
        candidates = [path for path in ROOT.rglob("*") if not {".venv", "build"} & set(path.parts)]
    yield from (path for path in candidates if path.is_file() and path.suffix in SOURCES and path != Path(__file__))
