"""Whatever is done to a results tree, in whatever order: its tables are those of a fresh run."""

import contextlib
import os
import random
import shutil
import tempfile
import traceback
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from support import damages
from support.failing import CHANGES, ENDED, Failing
from support.stores import run_job
from support.studies import tiny
from support.walk import walk

from nstar.cells.paths import study_folder
from nstar.errors import NstarError
from nstar.files import written_whole
from nstar.files.seals import checksum
from nstar.jobs.repair import set_aside
from nstar.jobs.verification import verify_results
from nstar.plan.pruning import find_surplus, remove
from nstar.reading.check import load_study
from nstar.specification import digest

RESULTS = Path("results")
UNSTABLE = {"provenance.csv", "provenance.parquet"}
"""Tables that say in how many parts, when and where stores were made."""

CHANGED = (
    *({"grid.0.lengths": lengths} for lengths in ([4], [5], [4, 5])),
    *({"training.success.threshold": threshold} for threshold in (0.9, 0.6, 0.3)),
    *({"fit.confidence": 0.95, "title": "A"}, {"fit.confidence": 0.5, "title": "B"}),
    *({"name": "one"}, {"name": "two"}),
)
"""What users change in a configuration."""


def study_of(options):
    return load_study(
        tiny(
            models={"lstm": {"kind": "lstm", "width": 8}},
            **{
                "grid": [{"lengths": [4], "budgets": [2]}],
                "training.max_steps": 40,
                "replicates": {"seeds": [0], "learning_rates": [0.01]},
                **options,
            },
        )
    )


class Memory:
    """Runs jobs; one that has read and made the same before gives the files that it gave."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, stage, job, results):
        outputs = [Path(path) for path in job.outputs]
        read = {path: checksum(Path(path)) for path in job.inputs}
        kept = self.folder / digest({"job": job.rule, "inputs": read})
        if not kept.is_dir():
            run_job(stage, job, results)
            beside = Path(tempfile.mkdtemp(dir=self.folder))
            for path in outputs:
                shutil.copy(path, beside)
            with contextlib.suppress(OSError):  # another process has kept the same
                beside.rename(kept)
            return
        for path in outputs:
            with written_whole(path) as temporary:
                shutil.copy(kept / path.name, temporary)


def tables_in(study):
    """Return the digest of each table that is equal for the same study."""
    tables = study_folder(RESULTS, study.name) / "tables"
    return {path.name: checksum(path) for path in tables.iterdir() if path.name not in UNSTABLE}


class Tree(RuleBasedStateMachine):
    """A results tree that one or two studies use, and what users, machines and disks do to it."""

    base: Path
    fresh: dict[str, dict[str, str]]

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.base))
        self.options = {"name": "one"}
        self.used = {}
        self.memory = Memory(self.base / "memory")

    @initialize()
    def finish(self):
        with contextlib.chdir(self.folder):
            self._walk(self.options)

    @rule(change=st.sampled_from(CHANGED))
    def change(self, change):
        self.options |= change

    @rule()
    def run(self):
        with contextlib.chdir(self.folder), contextlib.suppress(NstarError):  # named; see `repair`
            self._walk(self.options)

    @rule(change=st.sampled_from(CHANGED), most=st.integers(1, 3))
    def change_and_stop(self, change, most):
        """Run a changed study, and stop it after some steps."""
        self.options |= change
        with contextlib.chdir(self.folder), contextlib.suppress(NstarError):
            self._walk(self.options, most)

    @rule(at=st.integers(1, 300))
    def kill(self, at):
        self._wait(self._start(self.options, at))

    @rule(name=st.sampled_from(["one", "two"]), at=st.integers(0, 300))
    def two_runs(self, name, at):
        """Run the study beside itself, or beside one of another name; one of them may be killed."""
        runs = [self._start(self.options), self._start(self.options | {"name": name}, at)]
        for process in runs:
            self._wait(process)

    @rule(seed=st.integers(0, 10**6))
    def damage(self, seed):
        rng = random.Random(seed)
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        if files := [path for path in files if path.stat().st_size and not path.is_symlink()]:
            rng.choice(damages.OF_DERIVED_FILES)(rng.choice(files), rng)

    @rule()
    def move(self):
        folder = Path(tempfile.mkdtemp(dir=self.base)) / "elsewhere"
        shutil.move(self.folder, folder)
        self.folder = folder

    @rule()
    def prune(self):
        with contextlib.chdir(self.folder), contextlib.suppress(NstarError):
            remove(find_surplus([study_of(self.options)], RESULTS), RESULTS)

    @rule()
    def repair(self):
        with contextlib.chdir(self.folder), contextlib.suppress(NstarError):
            for problem in verify_results(RESULTS).problems:
                if problem.is_repairable(is_named=False):
                    set_aside(RESULTS, problem)

    def teardown(self):
        """Do what messages say: repair, and run each study again. Nothing is wrong then."""
        self.used[self.options["name"]] = self.options
        self.repair()
        with contextlib.chdir(self.folder):
            for options in self.used.values():
                self._walk(options)
                study = study_of(options)
                assert tables_in(study) == self._tables_of_a_fresh_run(options)
            assert [problem.text for problem in verify_results(RESULTS).problems] == []
        shutil.rmtree(self.folder)

    def _walk(self, options, most=None):
        self.used[options["name"]] = dict(options)
        walk(study_of(options), RESULTS, self.memory, most=most)

    def _start(self, options, at=0):
        """Start a run in a process of its own, which ends when it changes files for the n-th time."""
        self.used[options["name"]] = dict(options)
        process = os.fork()
        if process:
            return process
        status = 1
        try:
            os.chdir(self.folder)
            with pytest.MonkeyPatch.context() as patch, contextlib.suppress(NstarError):
                Failing(patch, RESULTS, at, among=CHANGES)
                walk(study_of(options), RESULTS, self.memory)
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)

    def _wait(self, process):
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        assert status in (0, ENDED), "a run ended with a traceback"

    def _tables_of_a_fresh_run(self, options):
        key = digest(options)
        if key not in self.fresh:
            with tempfile.TemporaryDirectory(dir=self.base) as folder, contextlib.chdir(folder):
                walk(study_of(options), RESULTS, self.memory)
                self.fresh[key] = tables_in(study_of(options))
        return self.fresh[key]


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "memory").mkdir()
    return type("TreeHere", (Tree,), {"base": tmp_path, "fresh": {}})


def run_machine(machine, n_examples, n_steps):
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    bounds = settings(
        max_examples=n_examples, stateful_step_count=n_steps, suppress_health_check=quiet
    )
    run_state_machine_as_test(machine, settings=bounds)


def test_tables_are_those_of_a_fresh_run(machine):
    run_machine(machine, n_examples=4, n_steps=7)


@pytest.mark.long
def test_tables_are_those_of_a_fresh_run_after_many_things(machine):
    run_machine(machine, n_examples=300, n_steps=12)
