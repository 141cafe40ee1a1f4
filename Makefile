# Every target sets up .venv by itself; `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help setup demo chromium test test-numerics test-report test-web test-cluster web fuzz lint bench docs clean
help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

setup: $(READY)  ## create .venv with everything the other targets need
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade -c constraints.txt pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,prepare,dev]'
	@touch $@

demo: $(READY)   ## train a small codec on photographs for a few minutes and draw its RD curve
	$(BIN)/python train.py experiment=demo

test: $(READY)   ## all tests that need no root, browser, cluster or network
	$(BIN)/python -m pytest -n 2

NUMERICS := $(addprefix tests/,network coding entropy bitstream golden images models training test_codec.py test_pillow.py)
test-numerics: $(READY)  ## the numerical tests with other kernels, and with sums in another order
	ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2 $(BIN)/python -m pytest -n 2 $(NUMERICS)
	$(BIN)/python -m pytest -n 2 -p tests.reordered_sums $(NUMERICS)

test-cluster: $(READY)  ## sweeps on a Slurm that the tests start; installs it with apt-get as root
	$(BIN)/python -m pytest -rs tests_cluster

test-report: $(VENV)/.browser chromium  ## report.html in headless Chromium; as root it installs Debian's chromium
	$(BIN)/python -m pytest tests_report

test-web: $(VENV)/.browser $(VENV)/.web chromium  ## the page of web/ in headless Chromium, on all conformance files
	$(BIN)/python -m pytest tests_web

chromium:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; } \
		|| { echo "this needs Chromium: install it (Debian: apt-get install chromium) and repeat" >&2; exit 1; }
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null

$(VENV)/.browser: $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[browser]'
	@touch $@

web: $(VENV)/.web  ## the page that shows .rnc files, as one static folder: web/dist
	$(BIN)/python scripts/build_web.py

$(VENV)/.web: $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[web]'
	@touch $@

fuzz: $(READY)   ## 120,000 damaged and forged files; finds go to outputs/fuzz
	$(BIN)/python -m tests.bitstream.fuzz
	$(BIN)/python -m tests.codec_fuzz

lint: $(READY)   ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY)  ## speed, in ratios within one run; writes a table into docs/PERFORMANCE.md
	$(BIN)/python benchmarks/suite.py

docs: $(VENV)/.docs  ## the site of docs/ in build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

$(VENV)/.docs: $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	@touch $@

clean:           ## remove the environment and caches (never outputs/)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
