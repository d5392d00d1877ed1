"""The grid of a study, its replicates, and how sequences are split into data sets."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictInt, Tag, field_validator, model_validator

from nstar.options import (
    AtMost,
    Countable,
    Few,
    Name,
    OpenFraction,
    Options,
    PositiveFloat,
    PositiveInt,
    refuse_repeats,
)
from nstar.tasks import LengthDistribution, Supervision


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


class GridEntry(Options):
    """A product of models, tasks, lengths and budgets. The grid is the union of its entries."""

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
