"""Options of all tasks with questions, and sizes at which tests are quick."""

from nstar.tasks import TASKS, QuestionTask

VARIANTS = {
    name: {"kind": kind, **options}
    for kind, task in TASKS.items()
    if issubclass(task, QuestionTask)
    for name, options in task.EXAMPLES.items()
}
"""Options of every task with questions, by a name of the variant."""

QUESTIONS = {kind: options for kind, options in VARIANTS.items() if kind == options["kind"]}
"""The variant of each kind that has its name."""
