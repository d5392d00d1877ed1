"""Measures taken on trained replicates."""

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    create_model,
    field_validator,
    model_validator,
)

from nstar.options import LATER, AtMost, Few, OpenFraction, Options, PositiveInt, refuse_repeats
from nstar.subjects.registry import SUBJECTS
from nstar.subjects.subject import Measures

LONGEST_TEST = 2**14
"""Symbols of the sequences of a test, at most."""

_FACTOR = re.compile("([1-9][0-9]{0,3})x")


def _read_factor(value: str) -> str:
    if not _FACTOR.fullmatch(value) or value == "1x":
        raise ValueError(
            "must be a length in symbols, as 50, or a multiple of the length of training, as 2x"
        )
    return value


TestLength = Annotated[
    Annotated[
        PositiveInt,
        AtMost(LONGEST_TEST, "attention over that length takes 1 GiB per head and sequence"),
        Tag("length"),
    ]
    | Annotated[str, AfterValidator(_read_factor), Tag("factor")],
    Discriminator(lambda value: "factor" if isinstance(value, str) else "length"),
]


class _Evaluation(Options):
    """What is measured on trained replicates; a change here never retrains."""

    test_lengths: Annotated[tuple[TestLength, ...], Field(min_length=1), Few] = Field(
        ("2x",),
        description="lengths beyond that of training at which networks are tested, in symbols (50) or as "
        "a multiple of the length of training (2x); one that is not beyond it is left out; symbols or x",
    )
    test_examples: PositiveInt = Field(
        1000, description="sequences of each of these lengths, per seed; sequences"
    )
    horizon: OpenFraction = Field(
        0.9, description="accuracy by position below which the horizon of a network lies; fraction"
    )

    _no_repeats = field_validator("test_lengths")(refuse_repeats)

    @model_validator(mode="after")
    def _one_subject(self):
        given = list(self._given)
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both given; a study is about one of them")
        return self

    @property
    def _given(self) -> dict[str, Measures]:
        """The blocks of subjects that are given, by name."""
        blocks = {subject.option: getattr(self, subject.option) for subject in _OPTIONAL}
        return {name: options for name, options in blocks.items() if options is not None}

    @property
    def measured(self) -> dict[str, Any]:
        """The options that stores of evaluations depend on; others are only read from these."""
        only_read = {subject.option for subject in _OPTIONAL if not subject.measure}
        only_read |= {"test_lengths", "horizon"}  # an evaluation says itself at which lengths it is
        return self.model_dump(mode="json", exclude=only_read)

    def lengths_beyond(self, length: int) -> tuple[int, ...]:
        """Return the lengths at which networks that were trained at a length are tested, ascending."""
        found = {
            int(value[:-1]) * length if isinstance(value, str) else value
            for value in self.test_lengths
        }
        return tuple(sorted(tested for tested in found if tested > length))

    def n_measured(self, length: int) -> int:
        """Return how many more sequences go through a network of a length than the sets of data hold."""
        return sum(options.n_inputs(length) for options in self._given.values())


_OPTIONAL = [subject for subject in SUBJECTS if subject.option]

Evaluation = create_model(
    "Evaluation",
    __base__=_Evaluation,
    __doc__=_Evaluation.__doc__,
    __module__=__name__,
    **{
        subject.option: (
            Annotated[subject.options | None, LATER],
            Field(None, description=subject.option_meaning),
        )
        for subject in _OPTIONAL
    },
)
