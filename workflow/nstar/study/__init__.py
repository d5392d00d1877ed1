"""What does a study consist of? The options of a configuration, one file per section."""

from nstar.study.grid import FRESH, Data, GeometricRange, GridEntry, Replicates, Role
from nstar.study.study import Study
from nstar.study.training import Success

__all__ = [
    "FRESH",
    "Data",
    "GeometricRange",
    "GridEntry",
    "Replicates",
    "Role",
    "Study",
    "Success",
]
