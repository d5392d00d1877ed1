"""The stores: what is in them, how they are written whole, and how a reader is sure of them."""

from nstar.artifacts.provenance import provenance
from nstar.artifacts.store import (
    CELL,
    DATA,
    EVALUATION,
    PERTURBATIONS,
    Schema,
    Variable,
    check_replicates,
    read_store,
    specification_of,
    write_store,
)

__all__ = [
    "CELL",
    "DATA",
    "EVALUATION",
    "PERTURBATIONS",
    "Schema",
    "Variable",
    "check_replicates",
    "provenance",
    "read_store",
    "specification_of",
    "write_store",
]
