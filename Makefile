# Two commands for a fresh machine with Python 3.11 and pip: `make quickstart` and `make test`.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help quickstart test test-journeys lint clean

help:
	@echo "make quickstart      install, then train the bundled model and show before and after"
	@echo "make test            install, then run the tests"
	@echo "make test-journeys   the long tests: kills, whole runs"
	@echo "make lint            ruff and mypy"
	@echo "make clean           remove the virtual environment and caches"

# The stamps are written last, so an install that was cut off is done again.
$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

quickstart: $(VENV)/.run
	$(BIN)/tiebreak quickstart

# What some tests need and a fresh machine may lack; without it they are skipped, and say so.
.PHONY: machine
machine:
	@for name in chromium postgresql; do \
	  { [ $$name = chromium ] && command -v chromium >/dev/null; } && continue; \
	  { [ $$name = postgresql ] && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; } && continue; \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && { \
	      apt-get install -y -qq --no-install-recommends $$name >/dev/null 2>&1 || { \
	        apt-get update -qq >/dev/null 2>&1 && \
	        apt-get install -y -qq --no-install-recommends $$name >/dev/null 2>&1; }; }; } \
	  || echo "$$name is missing and cannot be installed: the tests that need it are skipped"; \
	done

test: $(VENV)/.dev machine
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-journeys: $(VENV)/.dev
	$(BIN)/python -m pytest -m journey --timeout=1500

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
