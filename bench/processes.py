"""What the figures were measured on, and the processor time and memory of processes, as Linux tells them."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from pysqlite3 import dbapi2 as sqlite

TICKS = os.sysconf("SC_CLK_TCK")
MEGABYTE = 1024 * 1024


def describe_machine() -> str:
    """One line for the head of a report."""
    model = next((line for line in read("/proc/cpuinfo").splitlines() if line.startswith("model name")), ":unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MEGABYTE / 1024
    return (
        f"{os.cpu_count()} × {model.partition(':')[2].strip()}, {memory:.0f} GB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, SQLite {sqlite.sqlite_version}"
    )


def cpu_of(pid: int) -> float:
    """Seconds of processor time of a process and all its descendants, those that have ended included."""
    return sum(ticks_of(one) for one in tree_of(pid)) / TICKS


def worked(pids: Sequence[int]) -> float:
    """Seconds of processor time of the threads of these processes, to the nanosecond; of those that live still."""
    threads = (thread for pid in pids for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int((read(str(thread)).split() or ["0"])[0]) for thread in threads) / 1e9


def memory_of(pid: int) -> dict[int, float]:
    """Megabytes of each process of the tree; what several share is divided among them."""
    found = {}
    for one in tree_of(pid):
        for line in read(f"/proc/{one}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                found[one] = int(line.split()[1]) / 1024
    return found


def tree_of(pid: int) -> list[int]:
    """The process and its living descendants."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := read(f"/proc/{folder.name}/stat")):
            children.setdefault(int(after_name(stat)[1]), []).append(int(folder.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def ticks_of(pid: int) -> int:
    """User and system time, with that of the children it has waited for."""
    stat = read(f"/proc/{pid}/stat")
    return sum(map(int, after_name(stat)[11:15])) if stat else 0


def after_name(stat: str) -> list[str]:
    """The fields after the command's name, which may itself hold spaces and brackets."""
    return stat.rpartition(")")[2].split()


def read(path: str) -> str:
    """The text of a file that may vanish at any time; then the empty text."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
