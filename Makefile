# Each of these alone is enough on a fresh machine with Python 3.11 or later and the package registries.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
ARTIFACTS ?= hub-artifacts

PROOF ?= train-proof
# By number, for newer ones come with gigabytes of CUDA. Where even this one does, and there is no
# GPU: make test TORCH='torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu'
TORCH ?= torch==2.13.0

.PHONY: demo test test-slow torture fuzz train-proof bench bench-scale pictures hub-artifacts check clean

# Simulated demos of reach_target, questions about them, a check, and a page to look at.
demo: $(VENV)/installed
	$(BIN)/robotmcqa extract --source sim --task reach_target --out $(DEMO)/dataset --overwrite
	$(BIN)/robotmcqa validate $(DEMO)/dataset
	$(BIN)/robotmcqa show $(DEMO)/dataset
	@echo
	@echo "Open $(DEMO)/dataset.html in a browser. The data set is $(DEMO)/dataset."

# The last hundred tests are the dearest: whoever has run out of work takes some of them.
SHARED := --numprocesses auto --dist worksteal

test: check $(VENV)/ready-train
	$(BIN)/python -m pytest $(SHARED)

# What takes minutes.
test-slow: $(VENV)/ready-train
	$(BIN)/python -m pytest $(SHARED) -m slow

# Kills, full disks, read-only folders, mutating sources: docs/reliability.md. TORTURE_ROUNDS=10 for ten
# times as many rounds, TORTURE_SEED=N for those of a failure.
torture: $(VENV)/ready
	$(BIN)/python -m pytest $(SHARED) -m slow tests/torture

# Ten minutes of search for bytes that break a reader: make fuzz TARGET=pickle SECONDS=600
TARGET ?= pickle
SECONDS ?= 600
fuzz: .venv-fuzz/ready
	.venv-fuzz/bin/python -m tests.fuzz $(TARGET) --seconds $(SECONDS)

# That a model learns to look: about 25 minutes on two free cores. docs/training.md has the table.
train-proof: $(VENV)/ready-train
	$(BIN)/python -m robotmcqa.train_recipes.proof --out $(PROOF)

# A table of ratios; on real demos if ROBOTMCQA_RLBENCH_DATA names their folder.
bench: $(VENV)/ready
	$(BIN)/python -m tests.benchmarks

# How extraction grows, and every verb on a million questions: about a quarter of an hour.
bench-scale: $(VENV)/ready
	$(BIN)/python -m tests.benchmarks.scale
	$(BIN)/python -m tests.benchmarks.simulated
	$(BIN)/python -m tests.benchmarks.million

# docs/tasks: three moments of every simulated task.
pictures: $(VENV)/ready
	$(BIN)/python -m tests.task_pictures

# What is pushed to the Hub, rebuilt byte for byte: docs/artifacts.md has the digests. The packages
# whose versions decide the bytes are held where they were, in an environment of their own.
PAPER := --source sim --episodes 50 --variation 0 --camera front --image-size 224 --stride 10 --test-fraction 0.2 \
	$(addprefix --task ,pick_up_cup push_button put_rubbish_in_bin phone_on_base take_lid_off_saucepan)
PINNED := .venv-artifacts
hub-artifacts: $(PINNED)/ready
	$(PINNED)/bin/robotmcqa extract $(PAPER) --preset paper --out $(ARTIFACTS)/robot-r1-mcqa --config paper --overwrite
	$(PINNED)/bin/robotmcqa extract $(PAPER) --preset grounded --out $(ARTIFACTS)/robot-r1-mcqa --config grounded --overwrite
	$(PINNED)/bin/robotmcqa validate $(ARTIFACTS)/robot-r1-mcqa
	$(PINNED)/bin/robotmcqa bench build --out $(ARTIFACTS)/robot-r1-bench --overwrite
	$(PINNED)/bin/robotmcqa bench validate $(ARTIFACTS)/robot-r1-bench

check: $(VENV)/ready
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy

$(VENV)/installed: pyproject.toml
	@echo "Installing into $(VENV); this takes about a minute."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/ready: $(VENV)/installed
	@echo "Installing what tests need; this takes half a minute more."
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

$(VENV)/ready-train: $(VENV)/ready
	@echo "Installing what trains models; this takes another minute or two."
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[train]'
	touch $@

.venv-fuzz/ready: pyproject.toml
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet 'atheris>=3.0,<4' --editable '.[lerobot]'
	touch $@

$(PINNED)/ready: pyproject.toml docs/artifacts.txt
	$(PYTHON) -m venv $(PINNED)
	$(PINNED)/bin/python -m pip install --quiet --constraint docs/artifacts.txt --editable .
	touch $@

clean:
	rm -rf $(VENV) $(PINNED) .venv-fuzz .fuzz $(DEMO) $(ARTIFACTS) $(PROOF) build dist *.egg-info
