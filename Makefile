# The commands of this project. Needs git, make and Python 3.11, 3.12 or 3.13; nothing else.
DATASET ?= movielens-100k
RATINGS ?= data/incoming/movielens-1m/ratings.dat
PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3,\
	$(shell $(name) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(name))))
# One tester more than processors on the smallest machine: many tests wait for servers and processes.
TESTERS ?= 3
# Whether to report which lines the tests run. Without sys.monitoring (Python 3.11) the tests take a third longer.
COVERAGE ?= $(shell $(BIN)/python -c 'import sys; print("yes" * hasattr(sys, "monitoring"))')
MINUTES ?= 30
SEED ?= 1
FAULT ?=
BIN := .venv/bin
export PYTHONUNBUFFERED = 1

.DEFAULT_GOAL := help
.PHONY: help install run up down test chaos bench docs lint typecheck format lock sbom audit clean

help:  ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed  ## Create .venv from the hash-pinned lock.

# The programs in .venv hold its path: where the folder has been moved, all of it is made again.
MOVED := $(shell test ! -s .venv/.installed || test "$$(cat .venv/.installed)" = "$$(pwd -P)" || echo yes)
ifeq ($(MOVED),yes)
.PHONY: .venv/.installed
endif

# uv comes from the lock too. If uv finds no package index but pip does, pip installs the packages.
.venv/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "AutoRec needs Python 3.11, 3.12 or 3.13 on PATH (or PYTHON=/its/path)."; exit 1; }
	@echo "Installing into .venv from requirements.lock ..."
	@test "$(MOVED)" != yes || rm -rf .venv
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@awk '/^uv==/{on=1} on{print} on&&!/\\$$/{exit}' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.lock
	@VIRTUAL_ENV=.venv $(BIN)/uv pip sync -q --require-hashes --compile-bytecode requirements.lock || \
		$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install -q --offline --no-deps --no-build-isolation -e .
	@pwd -P > $@

run: install  ## Fetch, check, split, search, evaluate, register DATASET (movielens-100k).
	@$(BIN)/autorec run $(DATASET)

up: install  ## Start Prefect, MLflow and a worker on loopback; deploy prefect.yaml.
	@$(BIN)/python -m flows.processes.services up

down: install  ## Stop what `make up` has started.
	@$(BIN)/python -m flows.processes.services down

test: lint typecheck  ## Lint, types, import rules and every test. COVERAGE=yes reports the lines that they run.
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadscope $(if $(COVERAGE),--cov --cov-report=)
	@test -z "$(COVERAGE)" || { $(BIN)/coverage html -q && \
		echo "The tests run $$($(BIN)/coverage report --format=total) % of the lines. Report: htmlcov/index.html"; }

chaos: install  ## Break an installation at random for MINUTES (30), by SEED (1); FAULT picks some.
	@PYTHONPATH=tests $(BIN)/python -m chaos --minutes $(MINUTES) --seed $(SEED) --only "$(FAULT)"

bench: install  ## Compare speeds with Keras, KerasTuner and DeepCTR-Torch, as ratios within one run.
	$(BIN)/python benchmarks/speed.py --ratings $(RATINGS)

docs: install  ## Build the documentation into site/.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

typecheck: install
	$(BIN)/mypy

format: install  ## Format the code and update its generated parts.
	$(BIN)/python tests/autorec_core/public_names.py
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: install  ## Pin all packages again, with hashes and without any address.
	$(BIN)/uv pip compile pyproject.toml --group dev --group docs --universal --generate-hashes --no-header -q -o requirements.lock

# Tools that only these two need are not in the lock; uv keeps them apart from .venv.
sbom: install  ## Write reports/sbom.json: every package with its licence (CycloneDX).
	@mkdir -p reports
	@$(BIN)/uv tool run -q --from 'cyclonedx-bom>=7,<8' cyclonedx-py environment $(BIN)/python \
		--pyproject pyproject.toml --output-reproducible -o reports/sbom.json
	@echo "reports/sbom.json"

audit: install  ## Look up known vulnerabilities of the lock's packages (asks pypi.org).
	@$(BIN)/uv tool run -q --from 'pip-audit>=2.9,<3' pip-audit --require-hashes --disable-pip -r requirements.lock

clean:  ## Remove .venv and tool caches; data, models and the tracking store stay.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov
