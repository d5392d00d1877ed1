"""All subjects; the first is that of a study whose ``evaluation`` names no other."""

from nstar.subjects.demand.subject import DEMAND
from nstar.subjects.functions.subject import FUNCTIONS
from nstar.subjects.subject import Subject
from nstar.subjects.widths.subject import WIDTHS

SUBJECTS: tuple[Subject, ...] = (
    DEMAND,
    FUNCTIONS,
    WIDTHS,
)
