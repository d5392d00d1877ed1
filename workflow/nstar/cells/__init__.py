"""Which cells does a study have, and what are their stores made from?"""

from nstar.cells.cell import Block, Cell, product_blocks
from nstar.cells.curves import curves_of, value_of
from nstar.cells.grid import budgets_of, cells_of, names_in, strata_of, used
from nstar.cells.pools import batch_size, make_pool, pool_of
from nstar.cells.slices import (
    FIRST_SHARD,
    TEST_LENGTH_FACTOR,
    Slice,
    slices_of,
    table_slice,
    test_slice,
    tested_length,
    training_slices,
    validation_slice,
)
from nstar.cells.specifications import (
    data_specification,
    evaluation_specification,
    source_of,
    task_options,
    training_specification,
)

__all__ = [
    "FIRST_SHARD",
    "TEST_LENGTH_FACTOR",
    "Block",
    "Cell",
    "Slice",
    "batch_size",
    "budgets_of",
    "cells_of",
    "curves_of",
    "data_specification",
    "evaluation_specification",
    "make_pool",
    "names_in",
    "pool_of",
    "product_blocks",
    "slices_of",
    "source_of",
    "strata_of",
    "table_slice",
    "task_options",
    "test_slice",
    "tested_length",
    "training_slices",
    "training_specification",
    "used",
    "validation_slice",
    "value_of",
]
