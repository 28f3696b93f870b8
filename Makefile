# make quickstart   install, run the small study, leave reports/quickstart.pdf
# make test         every test
# make exports      every member and depth, 2D and 3D, exported and compiled: many minutes
# make lint types layers

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: quickstart install test exports lint types layers

quickstart: $(STAMP)
	$(BIN)/nestbench study run studies/quickstart.yaml --workers 2

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# One thread in each of two processes: more would wait for one another on two cores.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

exports: $(STAMP)
	NESTBENCH_EVERY_EXPORT=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/model/test_export.py

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports
