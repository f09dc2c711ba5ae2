PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# as many tests at the same time as there are cores, each with one thread
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist worksteal

.PHONY: help compare test quick long test-lowest lint clean

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

compare: $(VENV)/installed  ## train and compare max, average and k-max pooling
	$(BIN)/python scripts/train.py -m pooling=max,avg,kmax

test: $(VENV)/installed-test lint  ## linter, type checker and tests, in minutes
	$(PYTEST)

quick: $(VENV)/installed-test  ## style and the tests that neither train nor start processes, in about a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	EXAMPLES=10 $(PYTEST) tests -m "not slow and not long"

long: $(VENV)/installed-test  ## the tests that `make test` leaves out: sweeps by other launchers, compiled code, kills at random moments; about an hour
	$(BIN)/pytest tests -m long

# Warnings are no errors here: old versions warn about each other.
test-lowest: $(VENV)-lowest/installed  ## the tests with the lowest version of every package that pyproject.toml allows
	PYTHONWARNINGS=ignore OMP_NUM_THREADS=1 $(VENV)-lowest/bin/pytest --numprocesses auto --dist worksteal -W default

lint: $(VENV)/installed-test  ## linter, formatter and type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean:  ## remove the virtual environments
	rm -rf $(VENV) $(VENV)-lowest

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "textpool needs Python 3.11 or later: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/installed

# pip has no such choice; uv takes it for what pyproject.toml names, and the newest that fits for all other packages
$(VENV)-lowest/installed: pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip install --quiet 'uv>=0.8,<0.14'
	VIRTUAL_ENV=$(VENV)-lowest $(VENV)-lowest/bin/uv pip install --quiet --resolution lowest-direct --editable '.[test]'
	touch $@
