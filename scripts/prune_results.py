"""List the files of a results folder that no given study needs; with --remove, then remove them.

These are stores, checkpoints, files of jobs, and partial files and leases that a kill has left. What a
job at work needs is left alone, whatever its study. Reads configurations, names of files, files of jobs,
and leases; imports no torch.
"""

import argparse
import re
from pathlib import Path

from nstar.errors import ConfigError, InUseError
from nstar.jobs.command_line import parser, run
from nstar.plan.pruning import as_text, find_lock, find_surplus, remove, total
from nstar.reading.check import load_study
from nstar.reading.file import read_config
from nstar.store.leases import Watch, holders_at_work


def main(arguments=None):
    """Parse the command line, list, and remove."""
    flags = parser(__doc__)
    flags.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[Path("config.yaml")],
        metavar="FILE",
        help="the studies that use this folder, one per file: name all (default: config.yaml)",
    )
    flags.add_argument(
        "--older-than",
        type=read_age,
        default="2d",
        metavar="AGE",
        help="leave younger files alone; 0 for none, or a number of s, m, h or d (default: 2d)",
    )
    flags.add_argument("--remove", action="store_true", help="remove what is listed")
    options = flags.parse_args(arguments)
    studies, watch = [read_study(path) for path in options.configfile], Watch()
    holders = holders_at_work(options.results, watch)
    for sight in holders:
        print(f"at work, so that what it needs is left alone: {sight}")
    found = find_surplus(studies, options.results, [sight.lease for sight in holders])
    surplus = [part for part in found if part.age_s >= options.older_than]
    if young := [part for part in found if part.age_s < options.older_than]:
        print(f"too young to be listed, see --older-than: {total(young)}")
    if not surplus:
        print("nothing to remove")
        return
    print(as_text(surplus), flush=True)
    if not options.remove:
        print(f"would remove {total(surplus)}; to do it, add --remove")
        return
    refuse_beside_a_run(options.results, watch, holders)
    remove(surplus, options.results)
    print(f"removed {total(surplus)}")


def read_age(text):
    """Return an age in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not found or (found[2] == "" and float(found[1])):
        raise argparse.ArgumentTypeError(f"{text!r} is no age; write 0, or as 30m, 12h or 2d")
    return float(found[1]) * {"": 0, "s": 1, "m": 60, "h": 3600, "d": 86_400}[found[2]]


def read_study(path):
    """Return the study in a file; an error names the file, of which there are several."""
    raw = read_config(path)
    try:
        return load_study(raw)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def refuse_beside_a_run(results, watch, holders):
    """Refuse to remove anything while a run of this folder is under way, or if a job has just begun."""
    if lock := find_lock(results):
        raise InUseError(
            f"a run of Snakemake in {lock.parents[2].resolve()} is under way ({lock}); nothing was "
            "removed. Wait for its end; if it was killed: make unlock"
        )
    known = {sight.lease.process for sight in holders}
    for sight in holders_at_work(results, watch):
        if sight.lease.process not in known:
            raise InUseError(
                f"{sight.lease} has just begun to work; nothing was removed. Run it again"
            )


if __name__ == "__main__":
    run(main)
