"""Options of all tasks with questions, and what a model reads of their texts."""

import numpy as np

from nstar.tasks import TASKS

VARIANTS = {
    name: {"kind": kind, **options}
    for kind, task in TASKS.items()
    if task.is_text
    for name, options in task.EXAMPLES.items()
}
"""Options of every task with questions, by a name of the variant."""

QUESTIONS = {kind: options for kind, options in VARIANTS.items() if kind == options["kind"]}
"""The variant of each kind that has its name."""


def supervise_texts(supervision, task, texts, sizes):
    """Return tokens and labels of texts (n, P), whose questions have one of some sizes."""
    lengths = np.full(len(texts), sizes[-1])
    return task.supervise(supervision, texts, task.labels(texts), lengths, sizes)
