"""Axes of demand: what a study asks a model how much of it needs, and the words for it."""

from dataclasses import dataclass
from typing import Any

from nstar.kinds.families import family_along


@dataclass(frozen=True)
class Axis:
    """What demand is sought of.

    Attributes
    ----------
    name : str
        The legal value of the option ``demand``, and the coordinate where it is one.
    symbol, letter : str
        The least value that is enough, and any value.
    unit : str
        What is counted, in the plural.
    value, values : str
        One value that was tried, and several.
    resource : str
        What a model may lack, without a number.
    preposition : str
        What stands before a value: a model learns from a budget, and at a width.
    least : str
        The least legal value, in words.
    family : bool
        Whether it is an option of models, and a curve a family of them.
    one_run : bool
        Whether all values of a curve are looked at in the same runs, whose outcomes depend on each other.
    """

    name: str
    symbol: str
    letter: str
    unit: str
    value: str
    values: str
    resource: str
    preposition: str
    least: str
    family: bool = False
    one_run: bool = False

    @property
    def label(self) -> str:
        """The label of an axis of a figure, with the unit where the value does not name it.

        Examples
        --------
        >>> BUDGET.label, WIDTH.label
        ('budget N, training sequences', 'width D')
        """
        words = f"{self.value} {self.letter}"
        return words if self.value.split()[-1] in self.unit else f"{words}, {self.unit}"

    @property
    def short_unit(self) -> str:
        """The unit where training is understood: sequences, units of width or layers."""
        return self.unit.removeprefix("training ")


BUDGET = Axis("budget", "N*", "N", "training sequences", "budget", "budgets", "data", "from", "one")
WIDTH = Axis("width", "D*", "D", "units of width", "width", "widths", "width", "at", "two", True)
DEPTH = Axis("depth", "K*", "K", "layers", "depth", "depths", "depth", "at", "one", True)
STEPS = Axis(
    *("steps", "S*", "S", "training steps", "number of steps", "numbers of steps"),
    *("training steps", "after", "one"),
    one_run=True,
)

AXES: dict[str, Axis] = {axis.name: axis for axis in (BUDGET, WIDTH, DEPTH, STEPS)}
"""All axes by name."""


def axis_job(study: Any) -> dict[str, Any]:
    """Return what the analysis has to know of the axis of a study, as a part of a job.

    Parameters
    ----------
    study : Study
        One that seeks demand.

    Returns
    -------
    dict
        ``name`` of the axis; ``texts``, names of tasks with questions; of an option of models also
        ``models``: for each its family and its value; of steps ``evaluate_every`` and ``max_steps``;
        and ``judge``, what decides whether a replicate has learnt, where the subject has one.
    """
    axis, name = study.axis, study.axis.name
    asked = {task for entry in study.grid for task in entry.tasks or study.tasks}
    texts = [task for task, kind in study.tasks.items() if kind.is_text and task in asked]
    job = {"name": name, "texts": texts}
    if axis is STEPS:
        job["evaluate_every"] = study.training.evaluate_every
        job["max_steps"] = study.training.max_steps
    if axis.family:
        job["models"] = {
            model: [family_along(name, model, study.models), getattr(options, name, None)]
            for model, options in study.models.items()
        }
    if study.subject.judge:
        job["judge"] = study.subject.judge(study)
    return job
