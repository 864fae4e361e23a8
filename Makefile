# Everything runs in .venv, which the first call makes. `make` alone says what there is.
# ARGS goes to the command: make pacman ARGS="--max-wall 10m"

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup pacman test test-all check format bench-peers

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.stamp  ## make .venv and install rltrain into it

pacman: $(VENV)/.stamp  ## train a deep Q-network on Ms. Pac-Man
	$(BIN)/rltrain train configs/dqn_pacman.yaml $(ARGS)

test: $(VENV)/.stamp  ## the tests
	$(BIN)/python -m pytest $(ARGS)

test-all: $(VENV)/.stamp  ## the tests and the slow ones
	$(BIN)/python -m pytest -m "slow or not slow" $(ARGS)

check: $(VENV)/.stamp  ## format, lint, types and tests: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/zizmor --offline -q .github/workflows
	$(BIN)/python -m pytest $(ARGS)

format: $(VENV)/.stamp  ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-peers: $(PEERS)/.stamp  ## install the libraries that bench/ measures against, into a place of their own

# torch goes first and pinned: a loose one would bring gigabytes that a machine without a GPU has no use for.
$(VENV)/.stamp: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "rltrain needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11"; exit 4; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch $@

$(PEERS)/.stamp: bench/peers-requirements.txt constraints.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet -c constraints.txt torch
	$(PEERS)/bin/python -m pip install --quiet -r bench/peers-requirements.txt
	@touch $@
