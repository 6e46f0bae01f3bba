# Everything a person types here. The first use of a target makes .venv; later ones start at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := taskkitx tests benchmarks $(wildcard examples)

.DEFAULT_GOAL := help
.PHONY: help demo test soak bench lint format clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## */\t/' | expand -t 10

demo: $(VENV)/.runs  ## see real work done by several processes, one of them killed in the middle
	@$(BIN)/python -m examples.demo

test: $(VENV)/.develops  ## everything, with the soaks in their short form; ARGS="-k name" to choose
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup $(ARGS)

soak: $(VENV)/.develops  ## the soaks in full length
	TASKKITX_SOAK=1 $(BIN)/python -m pytest -s -m soak $(ARGS)

bench: $(VENV)/.develops  ## every benchmark beside its floor; ARGS="drain" to choose
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/.develops  ## format, style, types, layers
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.develops  ## write the code as `lint` wants it
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

clean:  ## remove what the other targets made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# setuptools warns at length about every editable install of a flat layout.
INSTALL := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check

# pip learnt dependency groups in 25.1; the one a fresh environment brings is often older.
$(VENV)/.exists:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "taskkitx needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(INSTALL) --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.runs: $(VENV)/.exists pyproject.toml
	@echo "installing taskkitx into $(VENV) ..."
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.develops: $(VENV)/.exists pyproject.toml
	@echo "installing taskkitx and its development tools into $(VENV) ..."
	@$(INSTALL) --editable '.[all]' --group dev
	@touch $@ $(VENV)/.runs
