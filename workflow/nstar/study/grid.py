"""The grid of a study, its replicates, and how sequences are split into data sets."""

import itertools
import math
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Discriminator,
    Field,
    StrictInt,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from nstar.options import (
    LATER,
    AtLeast,
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
from nstar.seeds import AnySeed, Seed, seed_of
from nstar.tasks import HELD_OUT, LengthDistribution, Supervision


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


Role = Literal["demand", "extrapolation"]
"""Why a cell is trained: for the demand of its curve, or to be tested beyond the length of training."""


class GridEntry(Options):
    """A product of models, tasks, lengths and budgets. The grid is the union of its entries."""

    MEANINGS: ClassVar = {
        "role": {
            "demand": "networks show the demand of their curve; success or patience may end training",
            "extrapolation": "networks are trained for all steps, and tested beyond the length of "
            "training; no demand is counted on them, and no search decides about them",
        },
    }

    role: Annotated[Role, LATER] = Field(
        "demand",
        description="why the cells are trained: for the `demand` of their curves, until the rules of "
        "training end a run; or for `extrapolation`, tests beyond the length of training alone, for all "
        "training.max_steps; no unit",
    )
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
    budgets: Budgets | None = Field(
        None,
        validate_default=True,
        description="training-set sizes N, a list or {smallest, largest, factor, cut}, or `fresh`: no "
        "training set, every batch is drawn anew and uniformly, of all sequences, those of the "
        "validation set among them (see `validation_seen` of `cells`); null with role `extrapolation` "
        "alone: the largest size of each curve; sequences",
    )

    _no_repeats = field_validator(
        "models", "tasks", "supervisions", "length_distributions", "lengths", "budgets"
    )(refuse_repeats)

    @field_validator("budgets")
    @classmethod
    def _given_for_demand(cls, budgets: Any, info: ValidationInfo):
        if budgets is None and info.data.get("role") == "demand":
            raise PydanticKnownError("missing")
        return budgets

    @property
    def listed_budgets(self) -> tuple[int, ...]:
        """The budgets of a range, in increasing order, or as listed; `FRESH` alone for fresh batches.

        There are none where the entry takes the largest of each curve.
        """
        if self.budgets is None:
            return ()
        if isinstance(self.budgets, str):
            return (FRESH,)
        return getattr(self.budgets, "values", self.budgets)


SeedList = Annotated[
    tuple[
        Annotated[StrictInt, Field(ge=0), AtMost(2**63 - 1, "tables hold numbers of 64 bits")], ...
    ],
    Field(min_length=1),
    Few,
]


class Streams(Options):
    """Seeds of each stream by itself; a cell is trained with every combination of them."""

    data: SeedList = Field(description="which sequences the sets hold; no unit")
    initialisation: SeedList = Field(description="initial weights; no unit")
    order: SeedList = Field(
        description="order in which a training set is gone through, and which units drop out; no unit"
    )

    _no_repeats = field_validator("data", "initialisation", "order")(refuse_repeats)


class Replicates(Options):
    """Every cell is trained once per seed, or combination of streams, and learning rate."""

    seeds: SeedList | None = Field(
        None,
        description="each decides data, initialisation and order of the examples; null with streams; "
        "no unit",
    )
    streams: Annotated[Streams | None, LATER] = Field(
        None,
        description="in place of seeds: a list for each of data, initialisation and order, of which "
        "every combination is trained; null with seeds",
    )
    learning_rates: Annotated[tuple[PositiveFloat, ...], Field(min_length=1), Few] = Field(
        description="step sizes of the optimiser; no unit"
    )

    _no_repeats = field_validator("seeds", "learning_rates")(refuse_repeats)

    @model_validator(mode="after")
    def _seeds_or_streams(self):
        if (self.seeds is None) == (self.streams is None):
            raise ValueError(
                "give either replicates.seeds, each of which feeds data, initialisation and order, or "
                "replicates.streams, with a list of seeds for each of the three"
            )
        return self

    @cached_property
    def runs(self) -> tuple[AnySeed, ...]:
        """The seed of every run of a cell at a learning rate."""
        if self.streams is None:
            return self.seeds
        levels = (getattr(self.streams, name) for name in Seed._fields)
        return tuple(itertools.starmap(seed_of, itertools.product(*levels)))

    @property
    def n_runs(self) -> int:
        """How many `runs` there are."""
        streams = self.streams
        if streams is None:
            return len(self.seeds)
        return len(streams.data) * len(streams.initialisation) * len(streams.order)

    def number_of(self, run: AnySeed) -> int:
        """Return what tables call a run: its seed, or the number of its combination of streams."""
        return run if self.streams is None else self.runs.index(run)

    def run_of(self, number: int) -> AnySeed:
        """Return the run that tables call by a number: the inverse of `number_of`."""
        return number if self.streams is None else self.runs[number]

    def source_of(self, data: int) -> AnySeed:
        """Return the run whose networks are the functions that the data of a seed are labelled by.

        It has the first of the other streams.
        """
        if self.streams is None:
            return data
        return seed_of(data, self.streams.initialisation[0], self.streams.order[0])


Share = Annotated[
    OpenFraction, AtLeast(1e-9, "of the spaces that nstar divides, a smaller share holds nothing")
]


class Data(Options):
    """How the stream of sequences is split."""

    validation_examples: PositiveInt = Field(
        2000, description="largest size of the validation set; sequences"
    )
    validation_share: Share = Field(
        0.1,
        description="largest share of the sequences of a length given to validation; fraction",
    )
    confirmation_examples: PositiveInt | None = Field(
        None,
        description="largest size of the confirmation set, which confirms what passes on the validation "
        "set, null for that of validation; sequences",
    )
    confirmation_share: Share | None = Field(
        None,
        description="largest share of the sequences of a length given to confirmation, null for that of "
        "validation; fraction",
    )
    test_examples: PositiveInt | None = Field(
        None,
        description="largest size of the test set, which no rule reads, null for that of validation; "
        "sequences",
    )
    test_share: Share | None = Field(
        None,
        description="largest share of the sequences of a length given to the test set, null for that of "
        "validation; fraction",
    )
    shortest_length: Length = Field(
        2, description="shortest length where lengths vary within a data set; symbols"
    )

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self):
        shares = {name: self.share(name) for name in HELD_OUT}
        if math.fsum(shares.values()) >= 1:
            listed = ", ".join(f"{name} {share:g}" for name, share in shares.items())
            raise ValueError(f"shares of {listed}: they must sum to less than 1; make one smaller")
        return self

    def share(self, name: str) -> float:
        """Return the largest share of the sequences of a length in a set of `HELD_OUT`."""
        given = getattr(self, f"{name}_share")
        return self.validation_share if given is None else given

    def examples(self, name: str) -> int:
        """Return the largest size of a set of `HELD_OUT`."""
        given = getattr(self, f"{name}_examples")
        return self.validation_examples if given is None else given

    def largest(self, name: str, n_sequences: int) -> int:
        """Return the largest size of a set of `HELD_OUT` in a space of `n_sequences`."""
        share, examples = self.share(name), self.examples(name)
        if n_sequences >= examples / share:
            return examples  # spaces beyond the range of floats end here
        return int(share * n_sequences)
