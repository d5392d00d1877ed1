"""Read every file of a results folder in full; exit with 1 if any is not what its path or seal says.

Names what repairs each file that is damaged, edited, moved, left over, stale or foreign.

With --repair, files that are damaged, misplaced, left over or foreign are set aside: they move to the
folder damaged/ of the results folder, each with the reason beside it, and the next run makes anew what it
needs. Nothing is removed. What stays is named: tables, figures and pages that the next run makes anew in
their place, what the machine does not let be read, and what a job at work is making.
"""

import sys
from pathlib import Path

from nstar.jobs.command_line import parser, run
from nstar.jobs.repair import set_aside
from nstar.jobs.verification import results_of, verify_results
from nstar.store.leases import holders_at_work


def main(arguments=None):
    """Parse the command line, verify and repair."""
    flags = parser(__doc__)
    flags.add_argument(
        "files",
        type=Path,
        nargs="*",
        metavar="FILE",
        help="check these files alone, of whatever results folder",
    )
    flags.add_argument("--repair", action="store_true", help="set aside what is bad")
    options = flags.parse_args(arguments)
    by_folder = {} if options.files else {options.results: []}
    for path in options.files:
        by_folder.setdefault(results_of(path), []).append(path)
    found = {results: verify_results(results, files) for results, files in by_folder.items()}
    n_bad = 0
    for results, verification in found.items():
        makers = makers_of(results) if options.repair and verification.problems else {}
        for problem in verification.problems:
            if maker := makers.get(problem.path):
                print(f"{problem.text}\n  left alone, for it is being made by {maker}")
                n_bad += 1
            elif options.repair and problem.is_repairable(is_named=bool(options.files)):
                print(f"{problem.text}\n  set aside: {set_aside(results, problem)}")
            else:
                print(problem.text)
                n_bad += 1
    n_good, n_other, n_unfinished = (
        sum(getattr(one, name) for one in found.values())
        for name in ("n_good", "n_other", "n_unfinished")
    )
    n_problems = sum(len(one.problems) for one in found.values())
    print(f"{n_good} good stores, {n_problems} bad files", end="")
    print(f", {n_problems - n_bad} of them set aside" if options.repair else "", end="")
    print(f", {n_other} other good files" if n_other else "", end="")
    print(f", {n_unfinished} being written" if n_unfinished else "")
    sys.exit(1 if n_bad else 0)


def makers_of(results):
    """Return the jobs at work, by the paths of the stores that they make."""
    return {
        results / store: sight for sight in holders_at_work(results) for store in sight.lease.stores
    }


if __name__ == "__main__":
    run(main)
