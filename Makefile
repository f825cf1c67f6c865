# Two front doors: `make run` sets up and runs the main job, `make test` sets up and passes the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test site

run: $(VENV)/.installed
	$(BIN)/python -m benchmark run --task recgaze

test: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

# torch comes first and pinned: left to a range, a resolver may pick a build that brings gigabytes of CUDA.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[vlm]'
	touch $@

# Pages are tested in Chromium, LaTeX output by compiling it, where these are; the tests say so and skip elsewhere.
$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[vlm,ray,deepspeed,ocr,dev]'
	command -v chromedriver >/dev/null || timeout 300 apt-get install --yes --no-install-recommends chromium chromium-driver >/dev/null 2>&1 || true
	command -v pdflatex >/dev/null || timeout 300 apt-get install --yes --no-install-recommends texlive-latex-recommended >/dev/null 2>&1 || true
	touch $@

site: $(VENV)/.installed
	$(BIN)/python -m benchmark leaderboard --board leaderboard/boards/public --html site --no-pictures
