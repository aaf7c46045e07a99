# Two commands on a fresh machine: `make demo` and `make test`. Each sets up what it needs in .venv first.
PYTHON ?= python3
BIN := .venv/bin
CODE := neuronexplain dissection db tests scripts

.PHONY: demo test coverage check docs package bench reproduce reproduce-small attack attack-small format clean

demo: .venv/installed
	$(BIN)/neuronexplain demo --out demo

test: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses logical --maxprocesses 8 --dist worksteal

coverage: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses logical --maxprocesses 8 --dist worksteal --cov --cov-report=term

check: .venv/installed-dev
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "The documentation is in site/index.html"

package: .venv/installed-dev
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

bench: .venv/installed-dev
	$(BIN)/python scripts/bench/run.py --broden

reproduce: .venv/installed-dev
	$(BIN)/python scripts/reproduce/run.py

reproduce-small: .venv/installed-dev
	$(BIN)/python scripts/reproduce/run.py --small --out reproduction-small

attack: .venv/installed-dev
	$(BIN)/python scripts/attack/run.py --full --json attack.json

attack-small: .venv/installed-dev
	$(BIN)/python scripts/attack/run.py --small --only kills,io,mutations,unfinished,limits,crowds

format: .venv/installed-dev
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

clean:
	rm -rf .venv demo build dist site bench.json bench.png attack.json reproduction reproduction-small

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml
	@echo "Installing NeuronExplain into .venv; PyTorch is a download of several GB, which takes some minutes."
	$(BIN)/python -m pip install --editable .
	touch $@

.venv/installed-dev: .venv/bin/python pyproject.toml
	@echo "Installing NeuronExplain into .venv, with what tests and checks need; that takes some minutes."
	$(BIN)/python -m pip install --editable '.[dev]'
	touch $@ .venv/installed
