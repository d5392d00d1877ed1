"""What a study is: models, tasks, grid, replicates, and the rules of training, evaluation and fits.

This is the one source of types, defaults and descriptions: the JSON schema in ``workflow/schemas/``
and the table in ``docs/reference/config.md`` are generated from it.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictInt, model_validator

from nstar.kinds import ModelOptions
from nstar.options import (
    LATER,
    AtLeast,
    AtMost,
    Few,
    Name,
    NonNegativeFloat,
    OpenFraction,
    Options,
    PositiveFloat,
    PositiveInt,
    Title,
    tagged_union,
)
from nstar.study.evaluation import Evaluation
from nstar.study.grid import Data, GridEntry, Replicates
from nstar.study.search import STRATEGIES
from nstar.study.training import Training
from nstar.subjects.axis import AXES, Axis
from nstar.subjects.registry import subject_of
from nstar.subjects.subject import Subject
from nstar.tasks import TASKS

TaskOptions = tagged_union(*TASKS.values())


class Jobs(Options):
    """How missing cells are gathered into jobs, and how these save; no number depends on it."""

    shortest_minutes: NonNegativeFloat = Field(
        0.0,
        description="jobs that are expected to be shorter are joined: a scheduler of a cluster is no "
        "place for short ones; minutes",
    )
    longest_minutes: PositiveFloat = Field(
        480.0,
        description="curves that are expected to take longer are shared out to several jobs, but a "
        "cell is never divided; minutes",
    )
    most_minutes: Annotated[
        PositiveInt, AtMost(525_600, "that is a year, and no scheduler grants more")
    ] = Field(
        1440,
        description="longest time that a job asks a scheduler for, at most that of the partition; "
        "training that takes longer is resubmitted and goes on from its checkpoints; minutes",
    )
    checkpoint_seconds: PositiveFloat = Field(
        60.0,
        description="training time that a kill can cost, up to the next evaluation; seconds",
    )

    @model_validator(mode="after")
    def _ordered(self):
        if self.longest_minutes < self.shortest_minutes:
            raise ValueError(
                f"longest_minutes {self.longest_minutes} is below shortest_minutes "
                f"{self.shortest_minutes}"
            )
        if self.most_minutes < self.longest_minutes:
            raise ValueError(
                f"longest_minutes {self.longest_minutes:g} is above most_minutes {self.most_minutes}: "
                "jobs would be made that are expected to exceed their time limit; set longest_minutes "
                f"to {self.most_minutes} or less (a third leaves room for a wrong estimate)"
            )
        return self


class Fit(Options):
    """The scaling fits."""

    MEANINGS: ClassVar = {
        "lapse": {
            "fitted": "some runs fail however large the budget; a weak penalty keeps their share small",
            0: "no run fails but for want of budget",
        },
    }

    confidence: OpenFraction = Field(0.95, description="coverage of all intervals; fraction")
    bootstrap_replicates: Annotated[
        StrictInt,
        Field(ge=100),
        AtMost(100_000, "each is a study to fit; more take hours per model"),
    ] = Field(500, description="studies drawn to check the intervals of each model; studies")
    lapse: Annotated[Literal["fitted", 0], LATER] = Field(
        "fitted",
        description="share of runs that fail however large the budget: fitted, with a weak penalty that "
        "keeps it small, or 0; fraction",
    )


_MOST_PIXELS = "matplotlib draws no figure of 65536 or more pixels in a direction"


class Figures(Options):
    """How figures look."""

    width_inches: Annotated[
        PositiveFloat, AtMost(50, _MOST_PIXELS), AtLeast(3, "panels have no room for their labels")
    ] = Field(7.0, description="width of a figure; inches")
    dots_per_inch: Annotated[
        PositiveInt, AtMost(1200, _MOST_PIXELS), AtLeast(20, "letters have no pixels")
    ] = Field(
        150,
        description="resolution of PNG files, or the largest with which a high figure can be drawn; "
        "1 / inch",
    )


class Study(Options):
    """One study: everything that decides its numbers and its report."""

    MEANINGS: ClassVar = {
        "search": {
            "all": "every cell of the grid is trained",
            "bracket": "cells are trained in rounds, until those next to the demand are",
            "binary_geometric": "cells are those of the binary-geometric search of arXiv:2602.18333",
        },
        "demand": {
            "budget": "demand is the least training set from which a task is learnt",
            "width": "demand is the least width with which a task is learnt",
            "depth": "demand is the least depth with which a task is learnt",
            "steps": "demand is the least number of training steps after which a task is learnt",
        },
    }

    name: Name = Field(description="short name; no unit")
    title: Title = Field(
        description="title of the report, one line of visible text of at most 200 characters; no unit"
    )
    models: Annotated[dict[Name, ModelOptions], Field(min_length=1), Few] = Field(
        description="the models by name"
    )
    tasks: Annotated[dict[Name, TaskOptions], Field(min_length=1), Few] = Field(
        description="the tasks by name"
    )
    grid: Annotated[tuple[GridEntry, ...], Field(min_length=1), Few] = Field(
        description="entries of the grid"
    )
    replicates: Replicates = Field(description="seeds and learning rates of every cell")
    search: Literal[STRATEGIES] = Field(
        "all",
        description="which budgets (or widths, or depths) of a curve are trained: `all` of them, those "
        "that `bracket` the demand, or those of the search of arXiv:2602.18333, `binary_geometric`; "
        "no unit",
    )
    demand: Annotated[Literal[tuple(AXES)] | None, LATER] = Field(
        None,
        description="what is sought the least sufficient amount of: training sequences (`budget`), "
        "`width`, `depth` or training `steps`; null: width with evaluation.answers, nothing with "
        "evaluation.function, otherwise budget; no unit",
    )
    data: Data = Field(default_factory=Data, description="how sequences are split")
    training: Training = Field(description="how replicates are trained")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="what is measured")
    fit: Fit = Field(default_factory=Fit, description="how exponents are fitted")
    figures: Figures = Field(default_factory=Figures, description="how figures look")
    jobs: Jobs = Field(default_factory=Jobs, description="how cells are gathered into jobs")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where models run; `auto` takes a GPU where there is one; no unit"
    )

    @property
    def subject(self) -> Subject:
        """What the study is about: its tables, figures and findings."""
        return subject_of(self.evaluation, self.demand)

    @property
    def axis(self) -> Axis | None:
        """What demand is sought of; None where none is."""
        if not self.subject.axes:
            return None
        return AXES[self.demand or self.subject.axes[0]]

    @model_validator(mode="after")
    def _precision_of_the_device(self):
        if self.device == "cpu" and self.training.precision == "tf32":
            raise ValueError(
                "training.precision 'tf32' with device 'cpu', which knows float32 and bfloat16"
            )
        return self
