# make demo    set up, then train on the digits: the main job
# make test    set up, then the whole test suite
# make check   format, lint, types, floors, text and the fast tests: before every commit
# make format  let ruff rewrite the files
# make bench   every script in benchmarks/
# make docs    every generated page of docs/ (tools/generate_*.py)
# make site    the documentation as a site, in site/
# make clean   remove what the above made
#
# PYTHON=python3.12 chooses the interpreter (3.11 or later), VENV=folder the virtual environment, JOBS=n the test workers.

NEWEST_FIRST = python3 python3.13 python3.12 python3.11 python
PYTHON ?= $(shell for name in $(NEWEST_FIRST); do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# Each test worker is a process of its own: one BLAS thread each, or they fight for the cores.
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS)

.PHONY: help venv install setup setup-dev demo test format bench docs site clean \
	check static check-format check-lint check-types check-floors check-text
help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed -n '1,10p'

# --- environments: each step leaves a stamp, so that the next call has nothing to do
$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Septet needs Python 3.11 or later; none was found. Try: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Septet needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1)"; exit 1; }
	$(PYTHON) -m venv $(VENV) \
		|| { echo "No virtual environment could be made. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.installed: pyproject.toml | $(VENV)/.made
	$(PIP) -e '.[view,data]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/.made
	$(PIP) -e '.[view,data,test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.made
	$(PIP) -e '.[view,data,test,dev]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test

venv: $(VENV)/.made
install: $(VENV)/.installed
setup: $(VENV)/.installed-test
setup-dev: $(VENV)/.installed-dev

# --- what users run
demo: install
	$(BIN)/septet train digits --out demo-output

test: setup
	$(PYTEST)

# --- what contributors run
check: static
	$(PYTEST) -m "not slow"

static: check-format check-lint check-types check-floors check-text
check-format: setup-dev
	$(BIN)/ruff format --check .
check-lint: setup-dev
	$(BIN)/ruff check .
check-types: setup-dev
	$(BIN)/mypy
check-floors: setup-dev
	$(BIN)/python tools/check_floors.py
check-text: setup-dev
	$(BIN)/python tools/check_text.py

format: setup-dev
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

bench: setup
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script; done

docs: install
	@set -e; for script in tools/generate_*.py; do \
		test -e $$script || { echo "no generated pages"; continue; }; echo "== $$script"; $(BIN)/python $$script; done

site: setup
	$(BIN)/python -m pip --disable-pip-version-check install --quiet -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

clean:
	rm -rf $(VENV) build dist site demo-output *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
