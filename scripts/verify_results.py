"""Read every store of a results folder in full and compare it with its path; exit with 1 if any is bad.

Names a command for each file that is damaged, moved, left over or foreign.
"""

import sys

from nstar.jobs.command_line import parser, run
from nstar.jobs.verification import verify_results


def main(arguments=None):
    """Parse the command line and verify."""
    found = verify_results(parser(__doc__).parse_args(arguments).results)
    for problem in found.problems:
        print(problem)
    print(f"{found.n_good} good stores, {len(found.problems)} bad files", end="")
    print(f", {found.n_unfinished} being written" if found.n_unfinished else "")
    sys.exit(1 if found.problems else 0)


if __name__ == "__main__":
    run(main)
