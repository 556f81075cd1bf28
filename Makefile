# Every day's commands. `make` alone lists them; deploy/setup.sh does the installing.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# A Podman of its own: the containers, networks and ports of this machine are never seen.
WORLD := $(BIN)/python tests/world.py
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header

# Decisions have no untested branch. With ARGS only a part runs, which proves nothing of the whole.
COVERAGE := --cov=reconciler.core --cov=reconciler.model --cov-branch --cov-report=term:skip-covered \
	--cov-fail-under=100

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: ## Install what is missing: Podman, the environment in .venv, busybox for the demo apps
	@deploy/setup.sh runtime

.PHONY: setup-dev
setup-dev:
	@deploy/setup.sh dev

# The demo only warns of images that nobody signed. A machine that was set up for more is left alone.
ifeq ($(wildcard /etc/archipelago),)
run: export ARCHIPELAGO_TRUST ?= $(CURDIR)/$(VENV)/trust.demo.yaml
endif
.PHONY: run
run: setup ## Make this machine match desired-state/, and keep it so (Ctrl-C leaves the apps running)
	@$(BIN)/archipelago run

.PHONY: test
test: check ## Checks first, then every test, on a real Podman in a world of its own
	@$(BIN)/python tests/real_cosign.py  # a world has no way out
	@$(WORLD) $(BIN)/python -m pytest -m '' $(or $(ARGS),$(COVERAGE))

.PHONY: test-podman5
test-podman5: setup-dev ## Every test as on Debian 13: Podman 5.4, Python 3.13 (made once, as root)
	@tests/debian13.sh $(WORLD) $(BIN)/python -m pytest -m '' $(ARGS)

.PHONY: check
check: setup-dev ## Format, lint, layers and types, without changing a file
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy
	@$(BIN)/pyright

.PHONY: fix
fix: setup-dev ## Format, and mend what ruff can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

.PHONY: bench
bench: setup-dev ## Measure: every tests/bench/bench_*.py
	@test -x .bench/peers/bin/ansible || { python3 -m venv .bench/peers && \
		.bench/peers/bin/pip install -q podman-compose==1.6.0 ansible; } || true  # a world has no way out
	@for bench in tests/bench/bench_*.py; do \
		$(WORLD) $(BIN)/python "$$bench" $(ARGS) || exit; \
	done

# CHAOS_SECONDS (600) on a real Podman, with CHAOS_SEED; before that CHAOS_EXAMPLES on the memory driver.
.PHONY: chaos
chaos: setup-dev ## Throw faults at a box for ten minutes, and see whether it always comes right
	@CHAOS_EXAMPLES=$(or $(CHAOS_EXAMPLES),1000) \
		$(BIN)/python -m pytest -q tests/property/test_anything_goes.py
	@$(WORLD) $(BIN)/python tests/chaos.py

.PHONY: mutants
mutants: setup-dev ## Break the code on purpose and see whether the tests notice
	@$(BIN)/python tests/mutants.py $(ARGS)

# hatchling and editables build the editable install without asking the network again;
# pyright[nodejs] brings its own node as a wheel.
.PHONY: lock
lock: setup-dev ## Write both lock files from pyproject.toml (newer versions: ARGS=--upgrade)
	@[ -x $(BIN)/uv ] || $(BIN)/pip install --quiet 'uv>=0.8'
	@printf '%s\n' hatchling editables \
		| $(COMPILE) $(ARGS) pyproject.toml - --output-file requirements.lock
	@printf '%s\n' hatchling editables 'pyright[nodejs]' \
		| $(COMPILE) $(ARGS) pyproject.toml - --constraint requirements.lock --extra keyless \
			--group test --group lint --group type --output-file requirements-dev.lock

.PHONY: clean
clean: ## Remove the environment and every cache; the state in .state stays
	@rm -rf $(VENV) dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache \
		.hypothesis .coverage apps/*/busybox
	@find reconciler tests -name __pycache__ -type d -prune -exec rm -rf {} +
