"""A throw-away SLURM on this machine: three nodes with pretended GPUs, two partitions, no accounting."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct")
DAEMONS = ("munged", "slurmctld", "slurmd")
NODES = ("node1", "node2", "node3")
LIMIT_MINUTES = 15
ACTIVE = ("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "COMPLETING")
SEARCH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])

# The state is kept in one folder and nothing is asked of the system: daemons are children of this
# process, jobs are tracked without cgroups, and the nodes claim what the machine does not have.
# A controller for one user may schedule at once; one for thousands waits and collects.
CONFIGURATION = """\
ClusterName=throwaway
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdSpoolDir={folder}/spool.%n
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdParameters=config_overrides
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
KillWait={kill_wait_s}
MinJobAge=3600
ReturnToService=0
GresTypes=gpu
{nodes}
PartitionName=main Nodes=node1,node2 Default=YES LLN=YES MaxTime=INFINITE State=UP
PartitionName=limited Nodes=node3 MaxTime={limit_minutes} State=UP
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
    " CPUs=8 RealMemory=32000 Gres=gpu:fake:2 State=UNKNOWN"
)
# SLURM asks for a character device per GPU, and never opens it.
PRETENDED_GPUS = "Name=gpu Type=fake File=/dev/null\nName=gpu Type=fake File=/dev/zero\n"


def missing_programs() -> list[str]:
    """Return the programs of SLURM that are not installed."""
    return [name for name in (*CLIENTS, *DAEMONS) if not shutil.which(name, path=SEARCH)]


class Cluster:
    """SLURM while the context lasts; leaving it cancels its jobs and stops what was started.

    Parameters
    ----------
    kill_wait_s : int
        Time between SIGTERM and SIGKILL at the end of a job's time; SLURM's own default is 30 s.

    Attributes
    ----------
    environment : dict
        Variables that make a process a user of this cluster.
    """

    def __init__(self, kill_wait_s: int = 10):
        self.kill_wait_s = kill_wait_s

    def __enter__(self) -> "Cluster":
        with contextlib.ExitStack() as stack:
            # The path of a socket has to be shorter than 108 characters: not below pytest's folders.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp"))
            self.folder = Path(folder)
            self.environment = self._write_files()
            stack.callback(self._kill_strays)
            munged = (
                *("munged", "--foreground", "--force", "--num-threads=2"),
                *(f"--key-file={folder}/munge.key", f"--seed-file={folder}/munge.seed"),
                *(f"--socket={folder}/munge.socket", f"--pid-file={folder}/munge.pid"),
            )
            stack.enter_context(self._daemon("munged", *munged))
            wait_until((self.folder / "munge.socket").exists, 10, "munged has a socket")
            configured = ("-D", "-f", self.environment["SLURM_CONF"])
            stack.enter_context(self._daemon("slurmctld", "slurmctld", *configured))
            for name in NODES:
                stack.enter_context(self._daemon(name, "slurmd", *configured, "-N", name))
            stack.callback(self.cancel_all)
            try:
                wait_until(lambda: set(self.node_states()) == {"idle"}, 30, "all nodes are idle")
            except TimeoutError as error:
                raise TimeoutError(f"{error}\n{self.logs()}") from None
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception) -> None:
        self._stack.__exit__(*exception)

    def run(self, *command: str) -> str:
        """Return what a client command prints, for instance ``run("scontrol", "show", "job", "7")``."""
        finished = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60
        )
        if finished.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {finished.stderr}")
        return finished.stdout

    def jobs(self, rule: str = "", folder: Path | str = "") -> list[dict[str, str]]:
        """Return the jobs that SLURM knows, oldest first, by the names of ``scontrol show job``.

        Parameters
        ----------
        rule : str
            Of Snakemake; what its name starts with.
        folder : path
            Where Snakemake runs; by default anywhere.
        """
        lines = self.run("scontrol", "show", "jobs", "--oneliner").splitlines()
        jobs = [dict(field.partition("=")[::2] for field in line.split()) for line in lines]
        return [
            job
            for job in jobs
            if job.get("Comment", "").startswith(f"rule_{rule}")
            and job["WorkDir"] == (str(folder) or job["WorkDir"])
        ]

    def active_jobs(self, folder: Path | str = "") -> list[dict[str, str]]:
        """Return the jobs that wait, run or are about to end."""
        return [job for job in self.jobs(folder=folder) if job["JobState"] in ACTIVE]

    def declare_late(self, job: dict[str, str]) -> None:
        """End the time of a job; SLURM looks for such jobs every 30 s.

        It refuses a time that has passed when it reads it, so the end is a moment from now.
        """
        self.run("scontrol", "update", f"JobId={job['JobId']}", "EndTime=now+3")

    def node_states(self) -> list[str]:
        """Return the state of every node."""
        return self.run("sinfo", "--noheader", "--Node", "--format=%T").split()

    def processes(self, job: str) -> dict[int, str]:
        """Return the processes of a job, given by its number, with their commands."""
        return {
            process: command
            for process, command, environment in _processes()
            if {f"SLURM_JOB_ID={job}", self._marker} <= environment
        }

    def cancel_all(self) -> None:
        """Cancel every job and wait until it has gone."""
        self.run("scancel", f"--user={getpass.getuser()}")
        wait_until(lambda: not self.active_jobs(), 30, "no job is left")

    def logs(self, n_lines: int = 20) -> str:
        """Return the ends of the logs of all daemons."""
        return "\n".join(
            f"{path.name}:\n" + "\n".join(path.read_text().splitlines()[-n_lines:])
            for path in sorted(self.folder.glob("*.log"))
        )

    @property
    def _marker(self) -> str:
        """What stands in the environment of every process that descends from this cluster."""
        return f"NSTAR_TEST_CLUSTER={self.folder}"

    def _write_files(self) -> dict[str, str]:
        """Write key, configuration and clients; return the environment of a user."""
        folder, host = self.folder, socket.gethostname().partition(".")[0]
        controller_port, *node_ports = _free_ports(1 + len(NODES))
        nodes = [
            NODE.format(name=name, host=host, port=port)
            for name, port in zip(NODES, node_ports, strict=True)
        ]
        text = CONFIGURATION.format(
            host=host,
            controller_port=controller_port,
            user=getpass.getuser(),
            folder=folder,
            kill_wait_s=self.kill_wait_s,
            limit_minutes=LIMIT_MINUTES,
            nodes="\n".join(nodes),
        )
        configuration = folder / "slurm.conf"
        configuration.write_text(text)
        (folder / "gres.conf").write_text(PRETENDED_GPUS)
        (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        (folder / "state").mkdir()
        key = folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        # Snakemake's job step removes SLURM_CONF before it calls srun, which then looks in /etc.
        clients = folder / "bin"
        clients.mkdir()
        for name in CLIENTS:
            program = shutil.which(name, path=SEARCH)
            client = clients / name
            client.write_text(f'#!/bin/sh\nSLURM_CONF={configuration} exec {program} "$@"\n')
            client.chmod(0o755)
        python = Path(sys.executable).parent
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("SLURM_")},
            "PATH": os.pathsep.join([str(clients), str(python), SEARCH]),
            "SLURM_CONF": str(configuration),
            "NSTAR_TEST_CLUSTER": str(folder),
        }

    @contextlib.contextmanager
    def _daemon(self, name: str, program: str, *arguments: str) -> Iterator[None]:
        """Run a daemon as a child, with a log of its name; stop it at the end."""
        with (self.folder / f"{name}.log").open("w") as log:
            child = subprocess.Popen(
                [shutil.which(program, path=SEARCH), *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for the tests
            )
        try:
            yield
        finally:
            child.terminate()
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _kill_strays(self) -> None:
        """Kill what a daemon may have left, so that no test can leave a process behind."""
        for process, _, environment in _processes():
            if self._marker in environment:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)


def wait_until(condition: Callable[[], object], timeout_s: float, what: str) -> None:
    """Wait until a condition holds; raise TimeoutError with its description if it never does."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"after {timeout_s:g} s it is still not so that {what}")
        time.sleep(0.3)


def _processes() -> Iterator[tuple[int, str, set[str]]]:
    """Yield number, command and environment of every process that may be looked at."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile, or somebody else's
            command, environment = (
                (folder / name).read_text(errors="replace") for name in ("cmdline", "environ")
            )
            yield int(folder.name), command.replace("\0", " "), set(environment.split("\0"))


def _free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
