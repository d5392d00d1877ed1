"""What has to hold of a configuration whose tasks ask questions; see `nstar.reading.check`."""

from collections.abc import Iterator, Mapping
from typing import Any

from nstar.cells import used
from nstar.study import FRESH, GridEntry
from nstar.tasks.questions.question import QuestionTask


def question_mistakes(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what entries of the grid ask of tasks with questions that these do not have.

    Parameters
    ----------
    parts : mapping
        The valid top-level fields of a configuration; grid and tasks are among them.
    """
    asking = []
    for i, entry, name, task in used(parts, "tasks"):
        if task.is_text:
            yield from _impossible_questions(f"grid.{i}", entry, name, task)
            asking.append(i)
    for i, _, name, model in used(parts, "models") if "models" in parts else ():
        if i in asking and (model.kind == "encoder_decoder" or not getattr(model, "causal", True)):
            yield (
                f"grid.{i}.models: {name} sees what follows a position, and cannot answer token by "
                "token; use a causal model"
            )


def _impossible_questions(
    where: str, entry: GridEntry, name: str, task: QuestionTask
) -> Iterator[str]:
    """Yield what an entry asks of a task that it does not have."""
    for length in entry.lengths:
        if reason := task.why_not(length):
            yield f"{where}.lengths: {length} with task {name}: {reason}"
    if "aligned" in entry.supervisions:
        yield (
            f"{where}.supervisions: aligned with task {name}, whose answers follow its questions; use "
            "outcome or chain_of_thought"
        )
    for lengths in entry.length_distributions:
        if lengths != "fixed":
            yield (
                f"{where}.length_distributions: {lengths} with task {name}, whose sizes do not mix; use "
                "fixed"
            )
    if entry.listed_budgets == (FRESH,):
        yield f"{where}.budgets: fresh with task {name}; give training-set sizes"
