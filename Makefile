# Everything that sets up and runs the project, on a machine with Python >= 3.11, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
PACKAGE := $(VENV)/.package
DEVELOPMENT := $(VENV)/.development
TORCH := .venv-torch
TORCH_BIN := $(TORCH)/bin
OPENAI_2 := $(TORCH)/openai-2.8
MINUTES := 60

.PHONY: demo test test-peers test-train lint bench reliability fuzz licences audit wheels clean

demo: $(PACKAGE)
	$(BIN)/medvision demo

test: $(DEVELOPMENT) lint test-train
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not peers" --ignore tests/train

# Training, in an environment of its own: torch is too large for everyone else.
test-train: $(TORCH)/.installed
	OMP_NUM_THREADS=1 $(TORCH_BIN)/python -m pytest -q -n 2 --dist worksteal -m "not peers" tests/train tests/test_examples.py

# Models in this process and behind another project's server; more sharded training; the run loop with
# the oldest openai.
test-peers: $(TORCH)/.installed $(OPENAI_2)/.installed
	$(TORCH_BIN)/python -m pytest -q -m peers tests/peers tests/train
	PYTHONPATH=$(OPENAI_2) $(BIN)/python -m pytest -q tests/models
	$(MAKE) reliability
	$(BIN)/python -m tests.faults.fuzz 5
	$(MAKE) wheels

# Commands disturbed at 20 moments each; writes their rows of docs/reliability.md.
reliability: $(DEVELOPMENT) $(TORCH)/.installed
	$(BIN)/python -m tests.faults.reliability 20
	$(TORCH_BIN)/python -m tests.faults.reliability 20

# Changed files for every reader, so many minutes in all, and 5 minutes of texts led by atheris where
# that is installed; writes their rows of docs/reliability.md.
fuzz: $(DEVELOPMENT)
	$(BIN)/python -m tests.faults.fuzz $(MINUTES) --page anew
	$(BIN)/python -m tests.faults.guided 5 --page

# Licences of everything that is installed.
licences: $(PACKAGE)
	$(BIN)/python -m benchmarks.licences

# Known weaknesses of what is installed: fails if there are some (1), or if the index's database of
# them cannot be reached (2), as behind most mirrors.
audit: $(PACKAGE)
	$(BIN)/python -c "import pip_audit" 2> /dev/null || $(PIP) pip-audit
	@$(BIN)/python -m benchmarks.audit

# The wheel in empty environments of the interpreters PYTHONS, else of those on the path that are
# python3.11, python3.12 and python3.13; each extra alone, those with torch by LARGE=--large.
wheels: $(PACKAGE)
	$(BIN)/python -m benchmarks.wheels $(LARGE) $(PYTHONS)

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

$(TORCH)/.installed: pyproject.toml constraints.txt Makefile
	test -x $(TORCH_BIN)/python || $(PYTHON) -m venv $(TORCH)
	$(TORCH_BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt \
	    -e '.[hf,train,qlora,wandb]' 'transformers[serving]' pytest pytest-xdist hypothesis
	touch $@

$(OPENAI_2)/.installed: $(DEVELOPMENT) | $(TORCH)/.installed
	rm -rf $(OPENAI_2)
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --target $(OPENAI_2) \
	    openai==2.8.0 httpx==0.28.1 httpcore==1.0.9 certifi==2026.10.18 distro==1.9.0
	touch $@

clean:
	rm -rf $(VENV) $(TORCH) medvision-demo
