"""The tables of a study of demand that are made from its cells."""

from collections.abc import Mapping

import pandas as pd

from nstar.study import FRESH, Study
from nstar.subjects.axis import axis_job
from nstar.subjects.demand.along import cells_along, judge_cells
from nstar.subjects.demand.columns import LEARNING_CURVES
from nstar.subjects.demand.learning_curves import tabulate_curves
from nstar.subjects.demand.longer import longer_along, position_tables
from nstar.subjects.demand.thresholds import count_lengths, find_thresholds


def demand_tables(
    study: Study, cells: pd.DataFrame, block_tables: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Return thresholds, lengths, learning curves, horizons and positions.

    Tables of blocks may judge the cells; that of longer lengths has the accuracies by position.
    """
    axis = axis_job(study)
    judge = axis.get("judge")
    judged = judge_cells(judge, cells, block_tables[judge["table"]]) if judge else cells
    fresh = bool((cells["budget"] == FRESH).any())
    curves = pd.DataFrame(columns=list(LEARNING_CURVES))
    if not study.axis.one_run:  # the best of a run is that of no single number of steps
        curves = tabulate_curves(study, cells_along(axis, cells), fresh)
    longer = longer_along(axis, block_tables["longer"])
    return {
        "thresholds": find_thresholds(study, cells_along(axis, judged), fresh),
        "lengths": count_lengths(study, cells),
        "learning_curves": curves,
        **position_tables(study.tasks, study.evaluation.horizon, longer),
    }
