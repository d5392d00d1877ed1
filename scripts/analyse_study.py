"""Make and seal one step of the analysis of a study from its tables (a rule of the same name for each).

--results names the folder of the study, results/studies/<name>.
"""

from nstar.jobs.command_line import parser, run
from nstar.jobs.turns import make_sealed
from nstar.plan.job_files import read_work
from nstar.subjects.registry import SUBJECTS
from nstar.subjects.subject import load

STEPS = {f"{subject.name}.{step.name}": step.run for subject in SUBJECTS for step in subject.steps}


def main(arguments=None):
    """Parse the command line and run."""
    flags = parser(__doc__, job=True, seal=True)
    flags.add_argument("step", choices=STEPS, metavar="STEP", help=f"one of {', '.join(STEPS)}")
    options = flags.parse_args(arguments)
    work = read_work(options.job, options.step.partition(".")[2])
    make_step = load(STEPS[options.step])
    make_sealed(options.results, options, lambda: make_step(work, options.results))


if __name__ == "__main__":
    run(main)
