"""`python -m demo`: a year of visits by sixty tablets over bad links, and the statement that comes of it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from demo.run import run


def main() -> int:
    """Runs the demo as the arguments say; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo-data"), help="where everything lies (demo-data)")
    parser.add_argument("--port", type=int, default=8000, help="the first port to try (8000)")
    parser.add_argument("--seed", type=int, default=7, help="draws another year (7)")
    parser.add_argument("--fast", action="store_true", help="with links on which nothing goes wrong")
    parser.add_argument("--no-wait", action="store_true", help="end the server after the results are printed")
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
