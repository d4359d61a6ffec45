# Every target that needs the machine set up calls scripts/setup.sh, which is instant when nothing is to do.
SHELL := /bin/bash
BIN := .venv/bin
ARGS ?=
MODE ?= run

.DEFAULT_GOAL := help
.PHONY: help setup up test lint format bench overhead soak floods challenge ledger story reference lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install what is needed; MODE=run (default), test or bench
	@scripts/setup.sh $(MODE)

up: ## run one edge with a demonstration site on this machine
	@scripts/setup.sh run
	@$(BIN)/holdfast up --demo $(ARGS)

test: ## run all tests; ARGS="tests/unit -x" goes to pytest
	@scripts/setup.sh test
	$(BIN)/pytest $(ARGS)

lint: ## check style, formatting and types
	@scripts/setup.sh test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: ## format the code and sort its imports
	@scripts/setup.sh test
	$(BIN)/ruff check --select I --fix
	$(BIN)/ruff format

bench: ## measure how fast a change reaches traffic; ARGS=--quick for a short run
	@scripts/setup.sh bench
	$(BIN)/python -m bench.change $(ARGS)

overhead: ## measure what a request and a refusal cost beside nginx and HAProxy; ARGS=--quick for a short run
	@scripts/setup.sh bench
	$(BIN)/python -m bench.overhead $(ARGS)

soak: ## an hour under load, with changes, reloads and restarts; ARGS="--minutes 5" or ARGS=--quick for less
	@scripts/setup.sh bench
	$(BIN)/python -m bench.soak $(ARGS)

floods: ## measure floods among real visitors, beside peers; needs root; ARGS="--quick --scenario 4" for a short run
	@scripts/setup.sh bench
	$(BIN)/python -m bench.floods $(ARGS)

challenge: ## measure what a challenge costs who makes it and who solves it; ARGS=--quick for a short run
	@scripts/setup.sh bench
	$(BIN)/python -m bench.challenge $(ARGS)

ledger: ## measure appends, proofs and a full check of the log; ARGS=--quick for a short run
	@scripts/setup.sh bench
	$(BIN)/python -m bench.ledger $(ARGS)

story: ## one block from decision to proof, on an edge of its own; prints it as a page
	@scripts/setup.sh run
	$(BIN)/python scripts/story.py $(ARGS)

reference: ## write docs/reference anew from the code
	@scripts/setup.sh run
	$(BIN)/python scripts/reference.py

# Pins what pyproject.toml and requirements/*.in ask for. Versions already pinned are kept: ARGS=--upgrade, or
# ARGS="--upgrade-package NAME", moves them. uv is not pinned: it writes these files and is in none of them.
UV_COMPILE = "$$tmp/bin/uv" pip compile -q --generate-hashes --python-version 3.11 --python-platform linux \
	--no-emit-index-url --no-header $(ARGS) pyproject.toml

lock: ## pin the requirements anew, after a change to pyproject.toml or requirements/*.in
	@tmp="$$(mktemp -d)"; trap 'rm -rf "$$tmp"' EXIT; set -e; \
	python3 -m venv "$$tmp"; "$$tmp/bin/pip" install -q uv; \
	$(UV_COMPILE) requirements/run.in -o requirements/run.txt >/dev/null; \
	$(UV_COMPILE) -c requirements/run.txt requirements/dev.in -o requirements/dev.txt >/dev/null; \
	echo "requirements/run.txt and requirements/dev.txt are written"

clean: ## remove .venv, caches and build leftovers; var/, where state is kept, stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist src/*.egg-info
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
