"""Options of the measures of networks as functions of bits."""

from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator

from nstar.options import LATER, AtMost, Few, PositiveFloat, PositiveInt, refuse_repeats
from nstar.subjects.subject import Measures

Sizes = Annotated[tuple[PositiveFloat, ...], Few]
Switch = Annotated[bool, Field(strict=True), LATER]


class FunctionMeasures(Measures):
    """What is measured of networks as functions of bits; see `nstar.measures`."""

    MEANINGS: ClassVar = {
        "untrained": {
            True: "networks are measured before their training too",
            False: "networks are measured after training only",
        },
        "profile": {
            True: "inputs are counted by how many flips change the value there",
            False: "inputs are not counted by their sensitivity",
        },
        "training_set": {
            True: "sharpness is measured on the training set too",
            False: "sharpness is measured on the inputs alone",
        },
    }

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

    untrained: Switch = Field(
        False,
        description="whether networks are measured before their training too, at step 0; no unit",
    )
    profile: Switch = Field(
        False,
        description="whether the inputs of each sensitivity are counted, of up to exact_bits; no unit",
    )
    training_set: Switch = Field(
        False,
        description="whether sharpness is measured on the training set too, for a learnt function with "
        "fresh batches on that of its source; no unit",
    )

    _no_repeats = field_validator("gaussian", "sphere", "relative")(refuse_repeats)

    @model_validator(mode="after")
    def _some_size(self):
        if not (self.gaussian or self.sphere or self.relative):
            raise ValueError("gaussian, sphere and relative are empty; at least one size is needed")
        return self

    def n_inputs(self, length: int) -> int:
        """Return how many more sequences go through a network of a length because of these measures."""
        n_steps = self.draws * len((*self.gaussian, *self.sphere, *self.relative))
        exact = length <= self.exact_bits
        n_once = (1 + n_steps) * 2**length if exact else (2 + length + 2 * n_steps) * self.inputs
        return n_once * (1 + self.untrained) * (1 + self.training_set)
