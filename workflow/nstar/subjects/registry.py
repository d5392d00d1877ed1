"""All subjects; the first is that of a study whose ``evaluation`` names no other."""

from typing import Any

from nstar.subjects.answers.subject import ANSWERS
from nstar.subjects.demand.subject import DEMAND
from nstar.subjects.functions.subject import FUNCTIONS
from nstar.subjects.subject import Subject

SUBJECTS: tuple[Subject, ...] = (
    DEMAND,
    FUNCTIONS,
    ANSWERS,
)


def subject_of(evaluation: Any, demand: str | None) -> Subject:
    """Return the subject of a study.

    Parameters
    ----------
    evaluation : Evaluation
        Its block of the configuration, which has at most one of the blocks of subjects.
    demand : str or None
        The axis whose demand is sought, where the configuration names one.

    Returns
    -------
    Subject
        That whose block is given, unless it seeks the demand along other axes only.
    """
    for subject in SUBJECTS:
        if subject.option and getattr(evaluation, subject.option) is not None:
            sought = demand is None or not subject.axes or demand in subject.axes
            return subject if sought else SUBJECTS[0]
    return SUBJECTS[0]
