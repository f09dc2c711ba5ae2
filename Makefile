PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# as many tests at the same time as there are cores, each with one thread
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist worksteal

.PHONY: help compare test quick long lint clean

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

compare: $(VENV)/installed  ## train and compare max, average and k-max pooling
	$(BIN)/python scripts/train.py -m pooling=max,avg,kmax

test: $(VENV)/installed-test lint  ## linter, type checker and tests, in minutes
	$(PYTEST)

quick: $(VENV)/installed-test  ## style and the tests that neither train nor start processes, in about a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	EXAMPLES=10 $(PYTEST) tests -m "not slow and not long"

long: $(VENV)/installed-test  ## the tests that `make test` leaves out: sweeps by other launchers and compiled code, minutes each
	$(BIN)/pytest tests -m long

lint: $(VENV)/installed-test  ## linter, formatter and type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean:  ## remove the virtual environment
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "textpool needs Python 3.11 or later: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/installed
