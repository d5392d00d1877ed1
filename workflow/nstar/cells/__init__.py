"""Which cells does a study have, and what are their stores made from?"""

from nstar.cells.cell import LONGEST_SEGMENT, Block, Cell, product_blocks
from nstar.cells.curves import curves_of, value_of
from nstar.cells.grid import budgets_of, cells_of, names_in, sorted_cells, strata_of, used
from nstar.cells.pools import batch_size, fitted_size, make_pool, pool_of, share_seen
from nstar.cells.slices import (
    FIRST_SHARD,
    Slice,
    held_slice,
    longer_slice,
    slice_of,
    slices_of,
    table_slice,
    tested_lengths,
    training_slices,
)
from nstar.cells.specifications import (
    curve_specification,
    data_specification,
    evaluation_specification,
    of_budget,
    source_of,
    task_options,
    training_specification,
)

__all__ = [
    "FIRST_SHARD",
    "LONGEST_SEGMENT",
    "Block",
    "Cell",
    "Slice",
    "batch_size",
    "budgets_of",
    "cells_of",
    "curve_specification",
    "curves_of",
    "data_specification",
    "evaluation_specification",
    "fitted_size",
    "held_slice",
    "longer_slice",
    "make_pool",
    "names_in",
    "of_budget",
    "pool_of",
    "product_blocks",
    "share_seen",
    "slice_of",
    "slices_of",
    "sorted_cells",
    "source_of",
    "strata_of",
    "table_slice",
    "task_options",
    "tested_lengths",
    "training_slices",
    "training_specification",
    "used",
    "value_of",
]
