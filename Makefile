# Everything a user runs. Each target sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROFILE ?= default
SNAKEMAKE := $(BIN)/snakemake --workflow-profile workflow/profiles/$(PROFILE)
CONFIG ?= config.yaml
PLAN := $(BIN)/python scripts/plan_study.py --configfile $(CONFIG)

# Only who runs on a cluster installs the plugin for SLURM, which every start of Snakemake pays for.
INSTALLED := $(VENV)/installed$(if $(filter-out default,$(PROFILE)),-slurm)

# Processes that share the tests, one more than cores, since tests of SLURM mostly wait. Those of a file stay
# together, since they share what takes long to make.
TEST_PROCESSES ?= 3

# Tests of a GPU, which the second run of pytest makes on a pretended one.
CUDA_TESTS := tests/support tests/training/test_cuda.py tests/training/test_operations.py

.PHONY: run plan unlock test check publish reference

run: $(INSTALLED)  ## Train what is missing, in rounds for a search; then tables, figures and the report.
	@$(PLAN)
	$(SNAKEMAKE) --configfile $(CONFIG) --quiet host reason
	@until $(PLAN) --finished; do \
		$(SNAKEMAKE) --configfile $(CONFIG) --quiet host reason || exit 1; \
	done
	$(SNAKEMAKE) --configfile $(CONFIG) --quiet all --report results/unsealed.html
	@$(BIN)/python scripts/seal_report.py --configfile $(CONFIG) results/unsealed.html

plan: $(INSTALLED)  ## List cached and missing cells with their cost, then the jobs a run would start.
	@$(PLAN)
	@echo
	@$(SNAKEMAKE) --configfile $(CONFIG) --dry-run --quiet rules host reason

unlock: $(INSTALLED)  ## Free the folder after a run was killed, so that make run goes on.
	$(SNAKEMAKE) --configfile $(CONFIG) --unlock

test: $(VENV)/installed-test check  ## Run the whole test suite.
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --pretended-cuda $(CUDA_TESTS)

check: $(VENV)/installed-test  ## Lint, formatting, generated files, published numbers.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/python scripts/write_reference.py --check
	$(BIN)/python scripts/publish_study.py --check

publish: run  ## Write the numbers of a finished study into the documentation.
	$(BIN)/python scripts/publish_study.py --configfile $(CONFIG)

reference: $(VENV)/installed  ## Write the generated pages of the documentation and the schema.
	$(BIN)/python scripts/write_reference.py

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-slurm: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[slurm]'
	touch $@

# Everything at once: pip builds the package and looks at all others each time.
$(VENV)/installed-test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,slurm]'
	touch $(VENV)/installed $(VENV)/installed-slurm $@
