"""The workflow on a real SLURM: the numbers of one machine, whatever happens to its jobs."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import xarray as xr
import yaml
from cluster.slurm import LIMIT_MINUTES, Cluster, wait_until
from support.forked_python import interpreter
from support.studies import JOINED, changed, tiny
from support.workflow import LAST_OF_TABLES, ROOT, STABLE_TABLES, make_run

from nstar.jobs.training import train_cells
from nstar.plan.attempts import list_checkpoints
from nstar.plan.jobs import read_job
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store.archive import read_store
from nstar.store.schemas import CELL

IMPATIENT = Path(__file__).with_name("impatient.py")
SNAKEMAKE = (sys.executable, IMPATIENT, "--snakefile", ROOT / "Snakefile")
QUICK = ("--latency-wait", "15", "--local-cores", "2")

# In the profile cells of this size share one job.
APART = ("--config", "jobs={shortest_minutes: 0}")

STUDY = tiny(
    device="cpu",
    models={"dense": {"kind": "dense_ssm", "width": 8}},
    **{"grid.0.lengths": [4, 5, 6], "training.max_steps": 400},
)

# A partition with a time limit; the option replaces the default resources of the profile.
LIMITED = (
    *("--default-resources", "slurm_partition=limited", "mem_mb=2000", "runtime=5", "disk_mb=1000"),
    "--config",
    f"jobs={{longest_minutes: 5, most_minutes: {LIMIT_MINUTES}, checkpoint_seconds: 0.2}}",
)
LONG_STUDY = changed(
    STUDY,
    **{
        "grid.0.lengths": [6],
        "training.max_steps": 1000,
        "training.stop_on_success": False,
    },
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    """The study, run on this machine without SLURM."""
    return make_run(tmp_path_factory.mktemp("reference"), STUDY | {"jobs": JOINED}, LAST_OF_TABLES)


@contextlib.contextmanager
def started(slurm: Cluster, folder: Path, *arguments: str) -> Iterator[subprocess.Popen]:
    """Run the study of a folder on the cluster, in the background, until the context ends."""
    profile = ("--workflow-profile", ROOT / "workflow/profiles/slurm")
    with (folder / "snakemake.log").open("a") as log:
        main = subprocess.Popen(
            [*SNAKEMAKE, "--directory", folder, *profile, *QUICK, *arguments],
            env=slurm.environment | {"LOCAL_PYTHON": interpreter()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
        )
        try:
            yield main
        finally:
            main.kill()
            main.wait()


def prepared(folder: Path, reference: Path, study: dict) -> Path:
    """Return a folder with the configuration and the data of the study, and nothing trained."""
    (folder / "config.yaml").write_text(yaml.safe_dump(study))
    shutil.copytree(reference / "results/data", folder / "results/data")
    return folder


def cells_of(folder: Path) -> list[str]:
    """Return the stores of trained cells, as paths in the folder of a run."""
    stores = folder.glob("results/cells/**/*.zarr.zip")
    return sorted(str(store.relative_to(folder)) for store in stores)


def hold_training(slurm: Cluster, folder: Path, n_jobs: int) -> list[dict[str, str]]:
    """Hold every training job as soon as it trains; return them when so many do."""
    held: dict[int, dict[str, str]] = {}

    def hold() -> bool:
        for job in slurm.jobs("train_cells", folder):
            process = training_process(slurm, job)
            if process and process not in held:
                os.kill(process, signal.SIGSTOP)
                held[process] = job
        return len(held) == n_jobs

    wait_until(hold, 300, f"{n_jobs} jobs train")
    return list(held.values())


def training_process(slurm: Cluster, job: dict[str, str]) -> int | None:
    """Return the process of a job that trains, once it catches the signal that ends a job."""
    for process, command in slurm.processes(job["JobId"]).items():
        if command.startswith(sys.executable) and "scripts/train_cells.py" in command.split()[1]:
            status = Path(f"/proc/{process}/status").read_text()
            caught = int(status.partition("SigCgt:")[2].split()[0], base=16)
            return process if caught >> (signal.SIGTERM - 1) & 1 else None
    return None


def minutes(limit: str) -> int:
    """Return the minutes of ``days-hours:minutes:seconds``."""
    days, _, rest = limit.rpartition("-")
    hours, minutes, _ = map(int, rest.split(":"))
    return 60 * (24 * int(days or 0) + hours) + minutes


class EventfulRun:
    """A run up to the trained cells, whose three jobs each meet with an accident.

    Attributes
    ----------
    folder : Path
    cancelled, killed, lost : str
        Rule of the job that was cancelled, whose process was killed, and that lost its node.
    lost_node : str
    exit_code : int
    """

    def __init__(self, slurm: Cluster, folder: Path, cells: list[str]):
        self.slurm, self.folder = slurm, folder
        with started(slurm, folder, *cells, *APART) as main:
            jobs = hold_training(slurm, folder, 3)
            nodes = [job["NodeList"] for job in jobs]
            lost, cancelled, killed = sorted(jobs, key=lambda job: nodes.count(job["NodeList"]))
            self.cancelled, self.killed, self.lost = (
                job["Comment"].removeprefix("rule_") for job in (cancelled, killed, lost)
            )
            self.lost_node = lost["NodeList"]

            slurm.run("scancel", "--signal=KILL", cancelled["JobId"])
            os.kill(training_process(slurm, killed), signal.SIGKILL)
            self._wait_for(killed, "FAILED", 15)
            self._update(f"NodeName={self.lost_node}", "State=DOWN", "Reason=test")
            self._wait_for(lost, "PENDING", 15)
            # SLURM lets a job that it took back wait for two minutes.
            self._update(f"JobId={lost['JobId']}", "StartTime=now")
            self.exit_code = main.wait(timeout=600)
        self._update(f"NodeName={self.lost_node}", "State=RESUME")

    def jobs(self, rule: str) -> list[dict[str, str]]:
        """Return the jobs of a rule, oldest first."""
        return self.slurm.jobs(rule, self.folder)

    def _update(self, *what: str) -> None:
        self.slurm.run("scontrol", "update", *what)

    def _wait_for(self, job: dict[str, str], state: str, timeout_s: float) -> None:
        def states() -> list[str]:
            return [new["JobState"] for new in self.jobs("") if new["JobId"] == job["JobId"]]

        wait_until(lambda: states() == [state], timeout_s, f"{job['Comment']} is {state}")


class LimitedRun:
    """A run of one job in a partition with a time limit, whose first attempt is late.

    It is suspended at its first checkpoint and declared late. No attempt ends by the clock, since its
    start alone may take a minute on a busy machine.

    Attributes
    ----------
    folder : Path
    main : Popen
        Snakemake.
    rule : str
        Start of the name of the rule of the job.
    limit : int
        Time that the late attempt had asked for; minutes.
    """

    def __init__(self, slurm: Cluster, folder: Path):
        self.slurm, self.folder = slurm, folder
        self.rule = "train_cells-dense-parity-aligned-fixed-6"

    @contextlib.contextmanager
    def started(self) -> Iterator["LimitedRun"]:
        """Run in the background until the context ends."""
        self.over = threading.Event()
        holder = threading.Thread(target=self._hold_back)
        cells = make_plan(load_study(LONG_STUDY), "results").cell_stores
        with started(self.slurm, self.folder, *cells, *LIMITED) as self.main:
            holder.start()
            try:
                yield self
            finally:
                self.over.set()
                holder.join()

    def jobs(self) -> list[dict[str, str]]:
        """Return the attempts, oldest first."""
        return self.slurm.jobs(self.rule, self.folder)

    def _hold_back(self) -> None:
        """Suspend the first attempt at its first checkpoint, and declare it late."""
        while not self.over.wait(0.3):
            jobs = self.jobs() if list_checkpoints(self.folder / "results") else []
            process = training_process(self.slurm, jobs[0]) if jobs else None
            if process:
                os.kill(process, signal.SIGSTOP)
                self.limit = minutes(jobs[0]["TimeLimit"])
                self.slurm.declare_late(jobs[0])  # which changes its limit
                return


@pytest.fixture(scope="module")
def limited(slurm, reference, tmp_path_factory) -> Iterator[LimitedRun]:
    """The limited run; the tests that need no end of it run meanwhile."""
    folder = prepared(tmp_path_factory.mktemp("limited"), reference, LONG_STUDY)
    with LimitedRun(slurm, folder).started() as run:
        yield run


@pytest.fixture(scope="module")
def interrupted(slurm, limited, tmp_path_factory) -> tuple[Path, list[dict[str, str]]]:
    """A run from scratch that is interrupted while a job trains, and goes on in a job that all share.

    Returns the folder, and the jobs that were left after the interruption.
    """
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "config.yaml").write_text(yaml.safe_dump(STUDY))
    with started(slurm, folder, *APART, "--jobs", "1") as main:
        hold_training(slurm, folder, 1)
        main.send_signal(signal.SIGINT)
        main.wait(timeout=60)
    # What the signal has reached goes within KillWait.
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not slurm.active_jobs(folder), 20, "its jobs are gone")
    left = slurm.active_jobs(folder)
    with started(slurm, folder) as main:
        exit_code = main.wait(timeout=600)
    assert exit_code == 0, (folder / "snakemake.log").read_text()
    return folder, left


@pytest.fixture(scope="module")
def run(slurm, reference, limited, tmp_path_factory) -> EventfulRun:
    folder = prepared(tmp_path_factory.mktemp("run"), reference, STUDY)
    return EventfulRun(slurm, folder, cells_of(reference))


def test_short_cells_share_a_job_and_keep_their_numbers(slurm, interrupted, reference):
    folder, _ = interrupted
    for script, states in (
        ("generate_data", ["COMPLETED"]),
        ("train_cells", ["CANCELLED", "COMPLETED"]),
        ("evaluate_cells", ["COMPLETED"]),
    ):
        assert [job["JobState"] for job in slurm.jobs(script, folder)] == states
    assert len(slurm.jobs("", folder)) == 4, "tables and figures are made beside snakemake"
    for path in STABLE_TABLES:
        assert (folder / path).read_bytes() == (reference / path).read_bytes(), path
    assert not list(folder.glob("results/checkpoints/*.pt")), "what is evaluated needs none"


def test_interrupted_run_cancels_its_jobs(interrupted):
    _, left = interrupted
    assert not left


def test_training_asks_for_what_the_plan_says_and_for_one_gpu(slurm, reference, limited, tmp_path):
    """Its jobs wait in the queue, and go with the run when that is interrupted."""
    folder = prepared(tmp_path, reference, {**STUDY, "device": "cuda"})
    slurm.run("scontrol", "update", "PartitionName=main", "State=DOWN")  # jobs wait
    log = folder / "snakemake.log"
    try:
        with started(slurm, folder, *APART) as main:
            wait_until(lambda: log.read_text().count("with SLURM jobid") == 3, 300, "jobs wait")
            jobs = slurm.jobs("train_cells", folder)
            main.send_signal(signal.SIGINT)
            main.wait(timeout=60)
        assert [job["JobState"] for job in jobs] == ["PENDING"] * 3
        ended = slurm.jobs("train_cells", folder)
        assert [job["JobState"] for job in ended] == ["CANCELLED"] * 3
    finally:
        slurm.run("scontrol", "update", "PartitionName=main", "State=UP")
    for job in jobs:
        rule = job["Comment"].removeprefix("rule_")
        plan = json.loads((folder / f"results/jobs/{rule}.json").read_text())["job"]
        asked = dict(field.split("=") for field in job["TRES"].split(","))
        assert job["TresPerJob"].endswith("gpu:1")
        assert int(asked["mem"].removesuffix("M")) >= plan["memory_bytes"] / 2**20
        assert minutes(job["TimeLimit"]) >= plan["seconds"][1] / 60


def test_job_that_is_killed_is_submitted_again(run):
    for rule, end in ((run.cancelled, "CANCELLED"), (run.killed, "FAILED")):
        assert [job["JobState"] for job in run.jobs(rule)] == [end, "COMPLETED"]


def test_job_that_loses_its_node_ends_on_another(run):
    (job,) = run.jobs(run.lost)
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")
    assert job["NodeList"] != run.lost_node


def test_cells_are_those_of_one_machine(run, reference):
    assert run.exit_code == 0, (run.folder / "snakemake.log").read_text()
    assert cells_of(run.folder) == cells_of(reference)
    for cell in cells_of(reference):
        found, expected = (read_store(folder / cell, CELL) for folder in (run.folder, reference))
        xr.testing.assert_equal(found, expected)


def test_job_out_of_time_saves_its_work_and_gets_more_but_not_too_much(limited):
    assert limited.main.wait(timeout=600) == 0, (limited.folder / "snakemake.log").read_text()
    late, last = limited.jobs()
    assert [late["JobState"], last["JobState"]] == ["TIMEOUT", "COMPLETED"]
    words = (limited.folder / "snakemake.log").read_text()
    _, _, shown = words.partition(f"Logfile results/logs/train_cells/{limited.rule}")
    last_words, _, _ = shown.partition("Logfile")
    assert "was stopped by SIGTERM" in last_words
    assert "its checkpoints are saved" in last_words
    assert limited.limit < minutes(last["TimeLimit"]) == LIMIT_MINUTES < 2 * limited.limit
    assert late["MinMemoryNode"] == last["MinMemoryNode"]


def test_training_beyond_the_time_limit_has_the_numbers_of_one_job(limited, tmp_path):
    (path,) = limited.folder.glob(f"results/jobs/{limited.rule}*.json")
    shutil.copytree(limited.folder / "results/data", tmp_path / "data")
    train_cells(read_job(limited.folder / "results", path.stem).work, tmp_path, "cpu", 60)
    assert limited.main.wait(timeout=600) == 0
    uninterrupted = list(tmp_path.glob("cells/**/*.zarr.zip"))
    assert len(uninterrupted) == 2
    for store in uninterrupted:
        interrupted = limited.folder / "results" / store.relative_to(tmp_path)
        xr.testing.assert_equal(read_store(interrupted, CELL), read_store(store, CELL))
