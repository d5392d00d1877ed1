"""How replicates are trained, and when they count as learnt."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from nstar.options import (
    LATER,
    Float,
    NonNegativeFloat,
    NonNegativeInt,
    Options,
    PositiveFloat,
    PositiveInt,
)
from nstar.verdicts import Measure, Over, Rule


class Optimiser(Options):
    """Adam or AdamW."""

    MEANINGS: ClassVar = {
        "decoupled": {
            True: "AdamW: parameters decay beside the gradient",
            False: "Adam: the weight decay is part of the gradient",
        },
    }

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

    MEANINGS: ClassVar = {
        "decay": {
            "constant": "constant learning rate after the warm-up, if there is one",
            "linear": "linear decay of the learning rate after the warm-up, if there is one",
            "cosine": "cosine decay of the learning rate after the warm-up, if there is one",
        },
    }

    decay: Literal["constant", "linear", "cosine"] = Field(
        "constant", description="what follows the warm-up; no unit"
    )
    warmup_steps: NonNegativeInt = Field(
        0, description="steps W over which the rate grows linearly, from 1/W of it to all; steps"
    )
    final_factor: Annotated[Float, Field(ge=0, le=1)] = Field(
        0.0, description="what a decay leaves of the learning rate; fraction"
    )


class Fitted(Options):
    """When a replicate has fitted its training set: a measure there passes a threshold."""

    MEANINGS: ClassVar = {
        "measure": {
            "loss": "mean loss of a label",
            "token_accuracy": "share of right labels",
            "sequence_accuracy": "share of sequences with every label right",
        },
    }

    measure: Measure = Field(description="what is compared, without dropout; no unit")
    threshold: PositiveFloat = Field(
        description="highest loss (nats per label, or squared error) or lowest accuracy (fraction)"
    )

    @model_validator(mode="after")
    def _accuracy_is_a_fraction(self):
        if self.measure != "loss" and self.threshold > 1:
            raise ValueError(f"threshold {self.threshold} of an accuracy; it lies in (0, 1]")
        return self


class Success(Fitted):
    """When a replicate has learnt: a measure on the validation set passes a threshold."""

    MEANINGS: ClassVar = {
        **Fitted.MEANINGS,
        "over": {
            "mean": "over all sequences together",
            "every_length": "of the length that has the worst",
            "every_position": "of the position that has the worst",
        },
        "at": {"best": "some evaluation decides", "final": "the last evaluation decides"},
        "confirm": {
            True: "the confirmation set has to pass at the same evaluation",
            False: "the validation set alone decides",
        },
    }

    measure: Measure = Field(
        description="what is compared; `sequence_accuracy` wants every position right; no unit"
    )
    over: Over = Field(
        "mean",
        description="what passes: the mean over all sequences, the worst length, or the worst position "
        "(not with `sequence_accuracy`, which has none); no unit",
    )
    at: Literal["best", "final"] = Field(
        "best",
        description="whether the best evaluation of a run decides, or its last one; no unit",
    )
    confirm: bool = Field(
        True,
        strict=True,
        description="whether a pass on the validation set counts only if the confirmation set passes at "
        "the same evaluation; no unit",
    )

    @model_validator(mode="after")
    def _sequences_have_no_position(self):
        if self.measure == "sequence_accuracy" and self.over == "every_position":
            raise ValueError(
                "over every_position of sequence_accuracy: a sequence as a whole has no position; use "
                "over every_length, or measure token_accuracy"
            )
        return self


class Training(Options):
    """The loop, its optimiser, and when it stops."""

    MEANINGS: ClassVar = {
        "objective": {
            "cross_entropy": "cross-entropy of one output per state",
            "squared_error": "squared error of a single output against a label in [0, 1]",
        },
        "precision": {
            "float32": "matrix products in float32",
            "tf32": "matrix products in TF32, on a GPU",
            "bfloat16": "matrix products of transformers and DeltaNet in bfloat16, of others in float32",
        },
        "stop_on_success": {
            True: "a replicate ends at the evaluation at which it has learnt",
            False: "success does not end a replicate",
        },
    }

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
    fitted: Fitted | None = Field(
        None,
        description="when a replicate has fitted its training set, {measure, threshold} over what "
        "`success` says, null for those of `success`",
    )
    fitted_examples: PositiveInt = Field(
        2000,
        description="largest number of training sequences, evenly spaced among all, on which "
        "evaluations measure the fit; sequences",
    )
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

    @property
    def rule(self) -> Rule:
        """The rule by which runs are judged, and at which they end."""
        fitted = self.fitted or self.success
        return Rule(
            **self.success.model_dump(),
            fitted_measure=fitted.measure,
            fitted_threshold=fitted.threshold,
            max_steps=self.max_steps,
            patience=self.patience,
            stop_on_success=self.stop_on_success,
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
    def _fit_is_over_what_success_is(self):
        if self.fitted is not None and self.success.over == "every_position":
            if self.fitted.measure == "sequence_accuracy":
                raise ValueError(
                    "fitted.measure sequence_accuracy with success.over every_position, which it takes "
                    "over: a sequence as a whole has no position; use token_accuracy"
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
