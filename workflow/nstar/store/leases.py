"""Leases: which process makes which stores at this moment, told by files in the results folder.

A job has a file ``leases/<process>.json``, in which it counts up every `HEARTBEAT_S`. For each file that
it is about to make it has a symbolic link to this one, named after the file: a link can be made only
where there is none, in one step, by any machine that shares the folder.

Leases lock nothing, and no result rests on them: stores are the same whoever makes them. They keep two
runs from making the same store at the same time, and clearing up from taking away what a job needs.
Whether a holder is still at work is judged by the reader's own clock (`Watch`): no time stamp of
another machine is read.
"""

import contextlib
import errno
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from nstar.errors import DamageError, MachineError
from nstar.files import is_there, partial_path, read_at_most, remove, whole_in, written_whole
from nstar.files.faults import damage, machine_fault, patiently, wrong_type
from nstar.files.processes import is_name, is_running, number_of, this_process

logger = logging.getLogger(__name__)

FOLDER = "leases"
"""The folder of results in which leases lie."""

HEARTBEAT_S = 5.0
"""Time between two counts of a holder; seconds."""

STILL_S = 120.0
"""A holder whose counter has stood still for so long before a reader's eyes is gone; seconds.

A client of a network file system may see what others have renamed a minute late."""

_MOST_BYTES = 2**20
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True)
class Lease:
    """What a file of a lease says.

    Attributes
    ----------
    process : str
        The holder; see `nstar.files.processes.this_process`.
    host : str
        The name of its machine.
    scheduled_as : str or None
        What the scheduler calls the job, ``SLURM job 4711``.
    stores : tuple of str
        What the job makes: paths below the results folder.
    counter : int
        How often the holder has counted.
    """

    process: str
    host: str
    scheduled_as: str | None
    stores: tuple[str, ...]
    counter: int

    def __str__(self) -> str:
        job = f" ({self.scheduled_as})" if self.scheduled_as else ""
        return f"process {number_of(self.process)} on {self.host}{job}"


def read_lease(path: Path) -> Lease | None:
    """Return the lease in a file, or None if there is none, or none with the name of a process.

    What cannot be read of it is left out: its counter then stands still.
    """
    if not is_name(path.stem):
        return None
    try:
        is_there(path, "lease")
        fields = json.loads(patiently(lambda: read_at_most(path, _MOST_BYTES)))
        stores, counter = tuple(map(str, fields["stores"])), int(fields["counter"])
        return Lease(path.stem, str(fields["host"]), fields["scheduled_as"], stores, counter)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise machine_fault(error, path) from None
    except (DamageError, ValueError, TypeError, KeyError, RecursionError):
        return _unreadable(path)


def check_lease(path: Path) -> None:
    """Check that a file of the folder of leases is a lease, or a link to one.

    Raises
    ------
    DamageError
        If it is neither.
    """
    if path.is_symlink():
        return
    if is_there(path, "lease") and read_lease(path) in (None, _unreadable(path)):
        raise damage(path, "is damaged, and holds nothing", "lease", False)


def _unreadable(path: Path) -> Lease:
    return Lease(path.stem, "an unknown machine", None, (), 0)


@dataclass(frozen=True)
class Sight:
    """What a reader has seen of a holder.

    Attributes
    ----------
    lease : Lease
        As it was last.
    looked_at : float
        When that was, by the clock of the reader; seconds.
    still_s : float
        How long the reader has seen the counter stand still; seconds.
    advanced : bool
        Whether the reader has ever seen it advance.
    """

    lease: Lease
    looked_at: float
    still_s: float = 0.0
    advanced: bool = False

    @property
    def is_gone(self) -> bool:
        """Whether the holder works no longer: it has ended, or is stopped, cut off, or lost."""
        return is_running(self.lease.process) is False or self.still_s > STILL_S

    def __str__(self) -> str:
        runs = is_running(self.lease.process)
        if runs is False:
            return f"{self.lease}, which has ended"
        if self.advanced:
            return f"{self.lease}, seen to count {self.still_s:.0f} s ago"
        if runs and not self.still_s:
            return f"{self.lease}, which runs"
        return f"{self.lease}, not seen to count for {self.still_s:.0f} s"


class Watch:
    """A reader of leases, who has to look at a counter twice before it says anything.

    Parameters
    ----------
    clock : callable
        Returns seconds that only ever grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._seen: dict[str, Sight] = {}

    def look(self, path: Path) -> Sight | None:
        """Return what is seen of the holder of a lease, or None if nobody holds it.

        Between two looks at most two heartbeats count: a reader that was itself stopped or cut off for
        long has seen nothing in that time.
        """
        lease, now = read_lease(path), self._clock()
        if lease is None:
            return None
        last = self._seen.get(lease.process)
        if last is None:
            sight = Sight(lease, now)
        elif lease.counter != last.lease.counter:
            sight = Sight(lease, now, advanced=True)
        else:
            still_s = last.still_s + min(now - last.looked_at, 2 * HEARTBEAT_S)
            sight = Sight(lease, now, still_s, last.advanced)
        self._seen[lease.process] = sight
        return sight


def holders_at_work(
    results: Path, watch: Watch | None = None, sleep: Callable[[float], None] = time.sleep
) -> list[Sight]:
    """Return the holders of leases in a results folder that are not gone, sorted by their names.

    A holder of this machine is seen at once; others are watched until their counter advances, a few
    seconds, or `STILL_S` if it does not. One that is suspended on this machine counts as at work: it may
    go on at any time.
    """
    watch, told = watch or Watch(), False
    while True:
        files = whole_in(results / FOLDER, ".json")
        sights = [sight for path in files if (sight := watch.look(path))]
        running = [bool(is_running(sight.lease.process)) for sight in sights]
        pairs = list(zip(sights, running, strict=True))
        if all(runs or sight.advanced or sight.is_gone for sight, runs in pairs):
            return [sight for sight, runs in pairs if runs or not sight.is_gone]
        if not told:
            logger.info("watching %s leases for up to %.0f s", len(sights), STILL_S)
            told = True
        sleep(1.0)


class Holder:
    """The leases of this process: a context within which it counts.

    Parameters
    ----------
    results : Path
    stores : iterable of Path
        What the job makes, below `results`.
    """

    def __init__(self, results: Path, stores: Iterable[Path]):
        self.path = results / FOLDER / f"{this_process()}.json"
        self._stores = [str(store.relative_to(results)) for store in stores]
        self._watch = Watch()
        self._links: set[Path] = set()
        self._taken_over: set[str] = set()
        self._counter = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_counting, name="lease", daemon=True)

    def __enter__(self) -> "Holder":
        self._count()
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self._ended.set()
        self._thread.join()
        for link in list(self._links):
            self.release(link)
        remove(self.path)

    def claim(self, link: Path) -> Sight | None:
        """Take the lease of a store, unless another process holds it that is not known to be gone.

        Returns
        -------
        Sight or None
            Of the process that holds it; None if this one does.
        """
        while not self._link(link):
            try:
                holder = link.readlink().name
            except FileNotFoundError:  # it has just been given back
                continue
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise machine_fault(error, link) from None
                raise wrong_type(link, link.lstat().st_mode, "lease", "a link") from None
            if holder == self.path.name:
                break
            sight = self._watch.look(link.with_name(holder))
            if sight is not None and not sight.is_gone:
                return sight
            if sight is not None and holder not in self._taken_over:
                self._taken_over.add(holder)
                logger.warning("work is taken over from %s", sight)
            _unlink(link, holder)
        self._links.add(link)
        return None

    def _link(self, link: Path) -> bool:
        """Make the link unless there is one, and return whether it was made."""
        try:
            link.symlink_to(self.path.name)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise machine_fault(error, link, "made") from None
            logger.warning("%s: this file system has no links, so other runs do not wait", error)
        return True

    def release(self, link: Path) -> None:
        """Give the lease of a store back, unless it was taken over."""
        _unlink(link, self.path.name)
        self._links.discard(link)

    def _keep_counting(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            with contextlib.suppress(MachineError):  # of a full disk the next checkpoint tells
                self._count()

    def _count(self) -> None:
        self._counter += 1
        lease = Lease(
            process=this_process(),
            host=socket.gethostname(),
            scheduled_as=_scheduled_as(),
            stores=self._stores,
            counter=self._counter,
        )
        with written_whole(self.path) as temporary:
            temporary.write_text(json.dumps(vars(lease)), encoding="utf-8")


def _unlink(link: Path, holder: str) -> None:
    """Remove the link of a holder; one of another holder, who may just have taken it over, stays."""
    aside = partial_path(link)
    try:
        link.rename(aside)
        if aside.readlink().name != holder:
            with contextlib.suppress(FileExistsError):
                link.symlink_to(aside.readlink())
    except FileNotFoundError:
        return
    except OSError as error:
        raise machine_fault(error, link, "removed") from None
    remove(aside)


def _scheduled_as() -> str | None:
    number = os.environ.get("SLURM_JOB_ID")
    return f"SLURM job {number}" if number else None
