"""Measures taken on trained replicates."""

from typing import Annotated, Any

from pydantic import Field, create_model, model_validator

from nstar.options import LATER, Options, PositiveInt
from nstar.subjects.registry import SUBJECTS
from nstar.subjects.subject import Measures


class _Evaluation(Options):
    """What is measured on trained replicates; a change here never retrains."""

    test_examples: PositiveInt = Field(
        1000, description="sequences of twice the length, per seed; sequences"
    )

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
        return self.model_dump(mode="json", exclude=only_read)

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
