"""What a study is: models, tasks, grid, replicates, and the rules of training, evaluation and fits.

This is the one source of types, defaults and descriptions: the JSON schema in ``workflow/schemas/``
and the table in ``docs/reference/config.md`` are generated from it.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictInt, Tag, field_validator, model_validator

from nstar.model_options import ModelOptions
from nstar.options import (
    LATER,
    AtMost,
    Countable,
    Few,
    Float,
    Name,
    NonNegativeFloat,
    NonNegativeInt,
    OpenFraction,
    Options,
    PositiveFloat,
    PositiveInt,
    Title,
    refuse_repeats,
    tagged_union,
)
from nstar.search import STRATEGIES
from nstar.tasks import TASKS, LengthDistribution, Supervision

TaskOptions = tagged_union(*TASKS.values())


class GeometricRange(Options):
    """Budgets ``smallest * factor**k`` up to and including `largest`."""

    smallest: PositiveInt = Field(description="smallest budget; sequences")
    largest: PositiveInt = Field(description="bound of the largest budget; sequences")
    factor: Annotated[StrictInt, Field(ge=2), Countable] = Field(
        2, description="ratio of neighbours; no unit"
    )
    cut: bool = Field(
        False,
        strict=True,
        description="whether budgets beyond the sequences that exist give way to all of these, or are "
        "refused; no unit",
    )

    @model_validator(mode="after")
    def _ordered(self):
        if self.largest < self.smallest:
            raise ValueError(f"largest {self.largest} is below smallest {self.smallest}")
        return self

    @property
    def values(self) -> tuple[int, ...]:
        """The budgets in increasing order."""
        budgets = []
        budget = self.smallest
        while budget <= self.largest:
            budgets.append(budget)
            budget *= self.factor
        return tuple(budgets)


FRESH = 0
"""The budget of a cell that has no training set: every batch is drawn anew."""

BudgetList = Annotated[tuple[PositiveInt, ...], Field(min_length=1), Few]


def _kind_of_budgets(value: Any) -> str:
    if isinstance(value, dict | GeometricRange):
        return "range"
    return "word" if isinstance(value, str) else "list"


Budgets = Annotated[
    Annotated[GeometricRange, Tag("range")]
    | Annotated[BudgetList, Tag("list")]
    | Annotated[Literal["fresh"], Tag("word")],
    Discriminator(_kind_of_budgets),
]


Length = Annotated[
    PositiveInt, AtMost(2**14, "attention over twice that length takes 4 GiB per head and sequence")
]


class GridBlock(Options):
    """A product of models, tasks, lengths and budgets. The grid is the union of its blocks."""

    models: Annotated[tuple[Name, ...], Field(min_length=1), Few] | None = Field(
        None, description="names of models; all where left out; no unit"
    )
    tasks: Annotated[tuple[Name, ...], Field(min_length=1), Few] | None = Field(
        None, description="names of tasks; all where left out; no unit"
    )
    supervisions: Annotated[tuple[Supervision, ...], Field(min_length=1), Few] = Field(
        ("aligned",),
        description="what is asked for: the state at the end (`outcome`), after a separator all states "
        "in turn (`chain_of_thought`), or at every symbol the state so far (`aligned`); no unit",
    )
    length_distributions: Annotated[tuple[LengthDistribution, ...], Field(min_length=1), Few] = (
        Field(
            ("fixed",),
            description="which lengths a data set has: that of the cell (`fixed`), or all from "
            "data.shortest_length on, each as likely (`uniform`) or each used up before the next "
            "(`short_to_long`); no unit",
        )
    )
    lengths: Annotated[tuple[Length, ...], Field(min_length=1), Few] = Field(
        description="sequence lengths n, the longest where they vary; symbols"
    )
    budgets: Budgets = Field(
        description="training-set sizes N, a list or {smallest, largest, factor, cut}, or `fresh`: no "
        "training set, every batch is drawn anew and uniformly; sequences"
    )

    _no_repeats = field_validator(
        "models", "tasks", "supervisions", "length_distributions", "lengths", "budgets"
    )(refuse_repeats)

    @property
    def listed_budgets(self) -> tuple[int, ...]:
        """The budgets of a range, in increasing order, or as listed; `FRESH` alone for fresh batches."""
        if isinstance(self.budgets, str):
            return (FRESH,)
        return getattr(self.budgets, "values", self.budgets)


Seed = Annotated[StrictInt, Field(ge=0), AtMost(2**63 - 1, "tables hold numbers of 64 bits")]


class Replicates(Options):
    """Every cell is trained once per seed and learning rate."""

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), Few] = Field(
        description="each decides data, initialisation and order of the examples; no unit"
    )
    learning_rates: Annotated[tuple[PositiveFloat, ...], Field(min_length=1), Few] = Field(
        description="step sizes of the optimiser; no unit"
    )

    _no_repeats = field_validator("seeds", "learning_rates")(refuse_repeats)


class Data(Options):
    """How the stream of sequences is split."""

    validation_examples: PositiveInt = Field(
        2000, description="largest size of the validation set; sequences"
    )
    validation_share: OpenFraction = Field(
        0.2,
        description="largest share of the sequences of a length given to validation; fraction",
    )
    shortest_length: Length = Field(
        2, description="shortest length where lengths vary within a data set; symbols"
    )

    def n_validation(self, n_sequences: int) -> int:
        """Return the largest size of the validation set for a space of `n_sequences`."""
        if n_sequences >= self.validation_examples / self.validation_share:
            return self.validation_examples  # spaces beyond the range of floats end here
        return int(self.validation_share * n_sequences)


class Optimiser(Options):
    """Adam or AdamW."""

    betas: tuple[Annotated[Float, Field(ge=0, lt=1)], Annotated[Float, Field(ge=0, lt=1)]] = Field(
        (0.9, 0.999), description="decay rates of the two moments; no unit"
    )
    epsilon: PositiveFloat = Field(1e-8, description="added to the denominator; no unit")
    weight_decay: NonNegativeFloat = Field(0.0, description="weight decay; no unit")
    decoupled: bool = Field(
        True,
        strict=True,
        description="whether parameters decay beside the gradient (AdamW) or in it (Adam); no unit",
    )
    gradient_clip: PositiveFloat | None = Field(
        None, description="largest gradient norm of one replicate, null for no limit; no unit"
    )


class Schedule(Options):
    """How the learning rate changes over a run of `max_steps`."""

    decay: Literal["constant", "linear", "cosine"] = Field(
        "constant", description="what follows the warm-up; no unit"
    )
    warmup_steps: NonNegativeInt = Field(
        0, description="steps W over which the rate grows linearly, from 1/W of it to all; steps"
    )
    final_factor: Annotated[Float, Field(ge=0, le=1)] = Field(
        0.0, description="what a decay leaves of the learning rate; fraction"
    )


class Success(Options):
    """When a replicate has learnt: a measure on the validation set passes a threshold."""

    measure: Literal["loss", "token_accuracy", "sequence_accuracy"] = Field(
        description="what is compared; `sequence_accuracy` wants every position right; no unit"
    )
    threshold: PositiveFloat = Field(
        description="highest loss (nats per label, or squared error) or lowest accuracy (fraction)"
    )
    at: Literal["best", "final"] = Field(
        "best",
        description="whether the best evaluation of a run decides, or its last one; no unit",
    )

    @model_validator(mode="after")
    def _accuracy_is_a_fraction(self):
        if self.measure != "loss" and self.threshold > 1:
            raise ValueError(f"threshold {self.threshold} of an accuracy; it lies in (0, 1]")
        return self


class Training(Options):
    """The loop, its optimiser, and when it stops."""

    batch_size: PositiveInt = Field(
        description="largest batch; never more than the budget; sequences"
    )
    max_steps: PositiveInt = Field(description="steps after which a replicate ends; steps")
    evaluate_every: PositiveInt = Field(description="distance of two evaluations; steps")
    patience: PositiveInt | None = Field(
        None,
        description="evaluations without a new best, once the training set is fitted, after which a "
        "replicate ends, null for none; evaluations",
    )
    success: Success = Field(description="when a replicate has learnt")
    stop_on_success: bool = Field(
        True,
        strict=True,
        description="whether a replicate that has learnt ends there, which changes no outcome but the "
        "weights that are evaluated; no unit",
    )
    optimiser: Optimiser = Field(default_factory=Optimiser, description="Adam or AdamW")
    schedule: Schedule = Field(default_factory=Schedule, description="of the learning rate")
    objective: Annotated[Literal["cross_entropy", "squared_error"], LATER] = Field(
        "cross_entropy",
        description="what is minimised: the cross-entropy of one output per state, or the squared error "
        "of a single output against a label in [0, 1]; no unit",
    )
    snapshot_every: Annotated[PositiveInt | None, LATER] = Field(
        None,
        description="distance of the steps whose weights are kept beside the last ones, a multiple of "
        "evaluate_every, null for none; steps",
    )
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        "float32",
        description="of matrix products; `tf32` needs a GPU, `bfloat16` serves transformers and "
        "DeltaNet, recurrent models stay in float32; no unit",
    )

    @model_validator(mode="after")
    def _stop_changes_no_outcome(self):
        if self.stop_on_success and self.success.at == "final":
            raise ValueError(
                "stop_on_success true with success.at 'final': an end at the first success would change "
                "the outcome; set it to false"
            )
        return self

    @model_validator(mode="after")
    def _snapshots_are_evaluated(self):
        if self.snapshot_every is not None and self.snapshot_every % self.evaluate_every:
            raise ValueError(
                f"snapshot_every {self.snapshot_every} is no multiple of evaluate_every "
                f"{self.evaluate_every}"
            )
        return self

    @model_validator(mode="after")
    def _warmup_ends(self):
        if self.schedule.warmup_steps >= self.max_steps:
            raise ValueError(
                f"schedule.warmup_steps {self.schedule.warmup_steps} does not end before max_steps "
                f"{self.max_steps}"
            )
        return self


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
    most_minutes: PositiveInt = Field(
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


Sizes = Annotated[tuple[PositiveFloat, ...], Few]


class FunctionMeasures(Options):
    """What is measured of networks as functions of bits; see `nstar.measures`."""

    gaussian: Sizes = Field(
        (0.02,),
        description="steps in weight space with this standard deviation in every parameter; no unit",
    )
    sphere: Sizes = Field((), description="steps of this length; no unit")
    relative: Sizes = Field((), description="steps of this length over the parameter norm; no unit")
    draws: PositiveInt = Field(100, description="random steps per network, of each size; steps")
    inputs: PositiveInt = Field(
        2048,
        description="random inputs of each step, and of other measures, of functions of more than "
        "exact_bits; sequences",
    )
    exact_bits: Annotated[PositiveInt, AtMost(20, "all 2^n inputs go through every network")] = (
        Field(11, description="n up to which measures take all inputs; bits")
    )
    converged_loss: PositiveFloat = Field(
        1e-2, description="validation loss from which on a run counts as converged; squared error"
    )
    settled_steps: PositiveInt = Field(
        1000, description="distance from convergence at which runs are compared; steps"
    )

    _no_repeats = field_validator("gaussian", "sphere", "relative")(refuse_repeats)

    @model_validator(mode="after")
    def _some_size(self):
        if not (self.gaussian or self.sphere or self.relative):
            raise ValueError("gaussian, sphere and relative are empty; at least one size is needed")
        return self


class AnswerMeasures(Options):
    """What is measured of networks that answer questions; what is asked is which width they need."""

    measure: Literal["answer", "chain"] = Field(
        "chain",
        description="the accuracy that figures and findings show: of the `answer`, or of the whole "
        "`chain` of steps with it; no unit",
    )
    thresholds: Annotated[tuple[OpenFraction, ...], Field(min_length=1), Few] = Field(
        (0.5, 0.9, 0.99), description="accuracies that a width has to reach; fraction"
    )

    _no_repeats = field_validator("thresholds")(refuse_repeats)

    @property
    def main_threshold(self) -> float:
        """The threshold that figures and findings show: 0.9 where it is there, else the first."""
        return 0.9 if 0.9 in self.thresholds else self.thresholds[0]


class Evaluation(Options):
    """What is measured on trained replicates; a change here never retrains."""

    test_examples: PositiveInt = Field(
        1000, description="sequences of twice the length, per seed; sequences"
    )
    function: Annotated[FunctionMeasures | None, LATER] = Field(
        None,
        description="what is measured of networks as functions; a study that has it is about that, and "
        "not about demand",
    )
    answers: Annotated[AnswerMeasures | None, LATER] = Field(
        None,
        description="what is measured of networks that answer questions; a study that has it is about "
        "the width that these need, and not about data",
    )

    @model_validator(mode="after")
    def _one_subject(self):
        if self.function is not None and self.answers is not None:
            raise ValueError("function and answers are both given; a study is about one of them")
        return self

    @property
    def measured(self) -> dict[str, Any]:
        """The options that stores of evaluations depend on; answers are only read from these."""
        return self.model_dump(mode="json", exclude={"answers"})


class Fit(Options):
    """The scaling fits."""

    confidence: OpenFraction = Field(0.95, description="coverage of all intervals; fraction")
    bootstrap_replicates: Annotated[StrictInt, Field(ge=100), Countable] = Field(
        500, description="studies drawn to check the intervals of each model; studies"
    )


_MOST_PIXELS = "matplotlib draws no figure of 65536 or more pixels in a direction"


class Figures(Options):
    """How figures look."""

    width_inches: Annotated[PositiveFloat, AtMost(50, _MOST_PIXELS)] = Field(
        7.0, description="width of a figure; inches"
    )
    dots_per_inch: Annotated[PositiveInt, AtMost(1200, _MOST_PIXELS)] = Field(
        150, description="resolution of PNG files; 1 / inch"
    )


class Study(Options):
    """One study: everything that decides its numbers and its report."""

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
    grid: Annotated[tuple[GridBlock, ...], Field(min_length=1), Few] = Field(
        description="blocks of the grid"
    )
    replicates: Replicates = Field(description="seeds and learning rates of every cell")
    search: Literal[STRATEGIES] = Field(
        "all",
        description="which budgets of a curve are trained: `all` of them, those that `bracket` the "
        "demand, or those of the search of arXiv:2602.18333, `binary_geometric`; no unit",
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
    def subject(self) -> Literal["demand", "functions", "widths"]:
        """What the study is about: which tables, figures and findings it has."""
        if self.evaluation.function is not None:
            return "functions"
        return "demand" if self.evaluation.answers is None else "widths"

    @model_validator(mode="after")
    def _precision_of_the_device(self):
        if self.device == "cpu" and self.training.precision == "tf32":
            raise ValueError(
                "training.precision 'tf32' with device 'cpu', which knows float32 and bfloat16"
            )
        return self
