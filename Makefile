# Everything that sets up and runs the project, on a machine with Python >= 3.11, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
PACKAGE := $(VENV)/.package
DEVELOPMENT := $(VENV)/.development

.PHONY: demo test lint bench clean

demo: $(PACKAGE)
	$(BIN)/medvision demo

test: $(DEVELOPMENT) lint
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: $(DEVELOPMENT)
	$(BIN)/ruff check -q .
	$(BIN)/ruff format -q --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEVELOPMENT)
	for script in benchmarks/bench_*.py; do \
	    echo "== $$script"; $(BIN)/python -m benchmarks.$$(basename $$script .py) || exit 1; \
	done

$(VENV):
	$(PYTHON) -m venv $(VENV)

$(PACKAGE): pyproject.toml constraints.txt | $(VENV)
	$(PIP) -e .
	touch $@

$(DEVELOPMENT): $(PACKAGE)
	$(PIP) -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) medvision-demo
