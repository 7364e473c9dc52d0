# Needs Python 3.11 or newer and make. Everything else is set up here, in .venv.

VENV := .venv
BIN := $(VENV)/bin

PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(firstword $(foreach p,$(PYTHONS),$(shell $(p) $(NEW_ENOUGH) 2>/dev/null && echo $(p))))
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
JOBS ?= auto
# A Java that came as a wheel lies beside the environment's Python. Many tests start programs, which are compiled once.
READY := export PATH="$(CURDIR)/$(BIN):$$PATH" CI=true PYTHONDONTWRITEBYTECODE=; $(BIN)/python -m tests.support.machine
# Tests write thousands of databases, of which none has to survive: into memory, where there is enough of it.
IN_MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "TMPDIR=/dev/shm" }')

.PHONY: help demo test style check fix run bench bench-pages bench-people screenshots migrate lock clean
.DELETE_ON_ERROR:

help: ## What can be made.
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/'

demo: $(VENV)/.run ## A year of visits by 60 tablets, and the statement that comes of it.
	@$(BIN)/python -m demo $(ARGS)

test: $(VENV)/.test ## All tests, on SQLite and on PostgreSQL.
	@$(READY) && $(IN_MEMORY) $(BIN)/pytest -n $(JOBS) --dist worksteal $(ARGS)

check: style ## Style, types, import contracts, and that migrations leave nothing over.
	@$(READY) && $(BIN)/pytest tests/unit/test_house.py tests/postgres/test_migrations.py

style: $(VENV)/.test ## Style, types and import contracts.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/.test ## Format, and mend what can be mended by itself.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

run: $(VENV)/.run ## The server, on 127.0.0.1.
	@$(BIN)/siby serve $(ARGS)

bench: $(VENV)/.test ## Speed and size, on SQLite and on PostgreSQL.
	@$(READY) && $(BIN)/python -m bench $(ARGS)

bench-pages: $(VENV)/.test ## How long each page takes with a million contributions, of what `make demo` left, and how many bytes it is.
	@$(READY) && $(BIN)/python -m bench pages $(ARGS)

bench-people: $(VENV)/.test ## How well people are told apart, beside splink (250 MB, installed for this alone).
	@$(PIP) install --no-build-isolation -c constraints.txt -e '.[bench-people]'
	@$(READY) && $(BIN)/python -m bench.people $(ARGS)

screenshots: $(VENV)/.test ## A picture of every page with the data that `make demo` left, in build/screenshots, to be looked at.
	@$(READY) && $(BIN)/python -m tests.browser.screenshots $(ARGS)

migrate: $(VENV)/.run ## Bring the database up to date.
	@$(BIN)/siby migrate

lock: ## Write constraints.txt anew, with the newest versions that pyproject.toml allows.
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip --quiet install 'setuptools>=80' -e '.[test,embedded,bench-people]'
	{ echo '# The exact versions that are tested. Written by `make lock`; change pyproject.toml instead.'; \
	  build/lock/bin/python -m pip freeze --all --exclude-editable | grep -Ev '^(pip|wheel)=='; } > constraints.txt
	rm -rf build/lock

clean: ## Remove the environment and what tools have left.
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.test: $(VENV)/.run
	@echo 'Setting up for tests.'
	@$(PIP) install --no-build-isolation -c constraints.txt -e '.[test]'
	@touch $@

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/pip
	@echo 'Setting up in $(VENV); the first time this takes about half a minute.'
	@$(PIP) install -c constraints.txt setuptools
	@$(PIP) install --no-build-isolation -c constraints.txt -e .
	@touch $@

$(BIN)/pip:
	@if [ -z '$(PYTHON)' ]; then \
	  echo 'Python 3.11 or newer was not found. Install it, or say where it is: make PYTHON=/path/to/python3.11' >&2; \
	  exit 1; \
	fi
	@$(PYTHON) $(NEW_ENOUGH) || { echo '$(PYTHON) is older than Python 3.11.' >&2; exit 1; }
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	  package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$$package"; \
	  else \
	    echo "$(PYTHON) cannot make environments. On Debian and Ubuntu: sudo apt-get install $$package" >&2; \
	    exit 1; \
	  fi; \
	fi
	@$(PYTHON) -m venv $(VENV)
