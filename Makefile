# Two commands for a fresh machine with Python 3.11 and pip: `make quickstart` and `make test`.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help quickstart machine missing test test-journeys test-endurance fuzz lint map notebook docs real-model clean

help:
	@echo "make quickstart      install, then train the bundled model and show before and after"
	@echo "make test            install, then run the tests"
	@echo "make test-journeys   the long tests: kills, whole runs"
	@echo "make test-endurance  the longest tests: hundreds of kills, an hour and more"
	@echo "make fuzz            new random cases for what reads data"
	@echo "make machine         install what some tests need of the system: chromium and PostgreSQL"
	@echo "make lint            ruff, mypy, and whether the map shows this code"
	@echo "make map             draw the map and list the modules, in docs/"
	@echo "make notebook        run docs/notebook.ipynb and keep what it shows"
	@echo "make docs            the documentation as a site, in site/"
	@echo "make real-model      fetch a small real model for tests and examples, into .cache/"
	@echo "make clean           remove the virtual environment, the site and caches"

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

# Some tests need a browser and a database server. Nothing but `make machine` installs them: `make test` says what is
# missing and goes on, and the tests that need it are skipped.
CHROMIUM := $(firstword $(foreach name,chromium chromium-browser google-chrome,$(shell command -v $(name))))
POSTGRESQL := $(firstword $(wildcard /usr/lib/postgresql/*/bin/initdb) $(shell command -v initdb))
MISSING := $(if $(CHROMIUM),,chromium) $(if $(POSTGRESQL),,postgresql)

missing:
	@for name in $(MISSING); do \
	  case $$name in \
	    chromium) echo "chromium is missing: the tests of the pages in a browser are skipped";; \
	    postgresql) echo "postgresql is missing: the tests of votes in PostgreSQL are skipped";; \
	  esac; \
	done
	@[ -z "$(strip $(MISSING))" ] || echo "make machine installs:$(MISSING)"

machine: missing
	@[ -n "$(strip $(MISSING))" ] || exit 0; \
	if ! command -v apt-get >/dev/null; then echo "no apt-get here: install them as your system does"; exit 0; fi; \
	[ "$$(id -u)" = 0 ] && SUDO= || SUDO=sudo; \
	for name in $(MISSING); do \
	  echo "installing $$name with apt-get"; \
	  $$SUDO apt-get install -y -qq --no-install-recommends $$name >/dev/null 2>&1 || { \
	    $$SUDO apt-get update -qq >/dev/null && \
	    $$SUDO apt-get install -y -qq --no-install-recommends $$name >/dev/null; \
	  } || echo "$$name could not be installed"; \
	done

test: $(VENV)/.dev missing
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-journeys: $(VENV)/.dev missing
	$(BIN)/python -m pytest -m journey -n 2 --dist loadfile --timeout=1500

test-endurance: $(VENV)/.dev missing
	$(BIN)/python -m pytest -m endurance -n 2 --dist loadfile --timeout=7200

fuzz: $(VENV)/.dev
	HYPOTHESIS_PROFILE=default $(BIN)/python -m pytest -m endurance --timeout=3600 tests/data/test_fuzz.py

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m scripts.draw_map --check

# Needs no environment: the map is drawn from the text of the code.
map:
	$(PYTHON) -m scripts.draw_map

# Only this needs a Jupyter kernel, which is not among what developers install.
notebook: $(VENV)/.dev
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[notebook]"
	$(BIN)/python -m scripts.run_notebook

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# Never a dependency: without a package index a line says that what needs it is skipped.
real-model: $(VENV)/.dev
	@$(BIN)/python -m scripts.real_model

clean:
	rm -rf $(VENV) site .mypy_cache .pytest_cache .ruff_cache .hypothesis
