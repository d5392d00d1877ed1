"""Read every file of a results folder in full; exit with 1 if any is not what its path or seal says.

Names what repairs each file that is damaged, edited, moved, left over, stale or foreign.
"""

import sys

from nstar.jobs.command_line import parser, run
from nstar.jobs.derived_files import check_derived
from nstar.jobs.verification import verify_results


def main(arguments=None):
    """Parse the command line and verify."""
    results = parser(__doc__).parse_args(arguments).results
    found = verify_results(results)
    derived = list(check_derived(results))
    problems = [*found.problems, *(problem for _, problem in derived if problem)]
    for problem in problems:
        print(problem)
    n_good = sum(problem is None for _, problem in derived)
    print(f"{found.n_good} good stores, {len(problems)} bad files", end="")
    print(f", {n_good} other good files" if n_good else "", end="")
    print(f", {found.n_unfinished} being written" if found.n_unfinished else "")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    run(main)
