PYTHON ?= python3
VENV ?= .venv
# Further arguments for pytest: make test PYTEST='-k cancel -x'
PYTEST ?=

bin := $(VENV)/bin
sources := setup.py pyproject.toml $(wildcard csrc/*.[ch] csrc/*/*.[ch] csrc/*/*/*.[ch] ohwait/include/*.h ohwait/*.pyx)
# A copy for builds with other flags: an extension built in place would otherwise take the place of the usual one.
copy_to = mkdir -p $(1) && tar -cf - --exclude=./.git --exclude='./.venv*' --exclude=./build --exclude='*.so' . | tar -xf - -C $(1)

.PHONY: help demo test debug-test bench lint sdist clean
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "PYTHON=$(PYTHON) is used; each command makes what it needs in $(VENV)."

demo: $(VENV)/.installed ## several plain functions waiting at once, under each event loop that is installed
	$(bin)/python -m ohwait

test: $(VENV)/.installed-test ## the whole test suite
	$(bin)/python -m pytest $(PYTEST)

debug-test: ## the test suite on a build that asserts the invariants at each step (OHWAIT_DEBUG=1)
	$(call copy_to,build/debug)
	OHWAIT_DEBUG=1 $(MAKE) -C build/debug test

bench: ## measure against native await and greenlet; writes README.md's table (makes environments of its own)
	$(PYTHON) -m benchmarks

lint: $(VENV)/.installed-lint ## ruff, mypy --strict, README's table against the results, the C compiler's warnings as errors
	$(bin)/ruff check .
	$(bin)/mypy --strict ohwait
	$(bin)/python -m benchmarks --check
	OHWAIT_DEV=1 $(bin)/pip wheel -q --no-deps -w build/lint .
	OHWAIT_DEV=1 OHWAIT_DEBUG=1 $(bin)/pip wheel -q --no-deps -w build/lint .
	OHWAIT_DEV=1 CFLAGS=-DOHWAIT_WITHOUT_STACK $(bin)/pip wheel -q --no-deps -w build/lint .

sdist: $(VENV)/.installed-test ## dist/ohwait-VERSION.tar.gz
	$(bin)/python -m build --sdist

clean: ## remove what was made here
	rm -rf .venv* build dist *.egg-info ohwait/*.so .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(bin)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ohwait needs CPython 3.11 or newer: make PYTHON=python3.12 ... names another one" >&2; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || \
	  { echo "$(PYTHON) has no C headers (Python.h): install python3-dev, or what your system calls it" >&2; exit 1; }
	@{ command -v $(firstword $(CC)) || command -v gcc || command -v clang; } >/dev/null || \
	  { echo "no C compiler: install gcc or clang" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "$(PYTHON) cannot make virtual environments: install python3-venv, or what your system calls it" >&2; exit 1; }

$(VENV)/.installed: $(bin)/python $(sources)
	$(bin)/pip install -q -e '.[trio,curio]'
	@touch $@

$(VENV)/.installed-%: $(bin)/python $(sources)
	$(bin)/pip install -q -e '.[$*]'
	@touch $@
