"""Options of the measures of networks that answer questions."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from nstar.options import Few, OpenFraction, refuse_repeats
from nstar.subjects.subject import Measures


class AnswerMeasures(Measures):
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
