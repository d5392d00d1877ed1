"""Sharing work with other runs over the same results: one makes a file, the others wait for it."""

import argparse
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nstar.cells.paths import lease_path
from nstar.files.seals import FOLDER, find_fitting, sealing, write_seal
from nstar.store.leases import Holder

logger = logging.getLogger(__name__)

LOOK_S = 2.0
"""Time between two looks at files that another process makes; seconds."""


def in_turns(results: Path, paths: Sequence[Path]) -> Iterator[Path]:
    """Yield each path once this process holds its lease, which it gives back before the next one.

    Paths that another process holds come last. Whoever asks has to look whether the file is there: the
    other process may have made it.

    Parameters
    ----------
    results : Path
    paths : sequence of Path
        Files below `results` that the job makes.

    Yields
    ------
    Path
        Each of `paths`.
    """
    told: set[str] = set()
    with Holder(results, paths) as holder:
        left = list(paths)
        while left:
            others = {}
            for path in left:
                lease = lease_path(results, path)
                if sight := holder.claim(lease):
                    others[path] = sight.lease
                    continue
                try:
                    yield path
                finally:
                    holder.release(lease)
            left = list(others)
            for path, lease in others.items():
                if lease.process not in told:
                    told.add(lease.process)
                    logger.info("%s is made by %s; waiting for it", path, lease)
            if left:
                time.sleep(LOOK_S)


def make_sealed(folder: Path, told: argparse.Namespace, make: Callable[[], None]) -> None:
    """Make and seal what a step of a study makes, while no other process is at the same step.

    Parameters
    ----------
    folder : Path
        The folder of the study, ``<results>/studies/<name>``.
    told : Namespace
        What the command line of the step says: ``job``, ``seal`` and ``unless_sealed``; see
        `nstar.jobs.command_line.parser`.
    make : callable
        Makes the files.
    """
    job = told.job.stem
    name, step = told.seal or job, job.rpartition("-")[0]
    # Of the step, not of its seal: a run that was planned beside a stale seal has another name for it.
    for _ in in_turns(folder.parent.parent, [folder / FOLDER / step]):
        if told.unless_sealed and (seal := find_fitting(folder, job)):
            logger.info("another run has just made what %s makes", step)
            if seal.name != name:
                write_seal(folder, seal, name)
            continue
        with sealing(folder, told.job, told.seal):
            make()
