"""Measures taken on trained replicates."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from nstar.options import (
    LATER,
    AtMost,
    Few,
    OpenFraction,
    Options,
    PositiveFloat,
    PositiveInt,
    refuse_repeats,
)

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

    MEANINGS: ClassVar = {
        "measure": {
            "answer": "share of right answers",
            "chain": "share of texts with all steps and the answer right",
        },
    }

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
