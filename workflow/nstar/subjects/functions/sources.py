"""Outcomes of the networks that learnt functions come from."""

from collections.abc import Mapping

import pandas as pd

from nstar.cells import source_of
from nstar.seeds import streams_of
from nstar.study import Study
from nstar.tables.selection import REPLICATE


def with_source_outcomes(
    study: Study, cells: pd.DataFrame, block_tables: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Return the table of measures with the outcomes of sources, which are known when all cells are."""
    measures = block_tables["measures"]
    return {
        "measures": measures.assign(source_outcome=find_source_outcomes(study, measures, cells))
    }


def find_source_outcomes(study: Study, rows: pd.DataFrame, cells: pd.DataFrame) -> pd.Series:
    """Return how the network ended that each row's function comes from; empty where there is none."""
    replicates = study.replicates
    rate = replicates.learning_rates[0]
    outcomes = cells.set_index(REPLICATE)["outcome"]

    def outcome(row) -> str:
        task = study.tasks[row.task]
        if task.source is None:
            return ""
        source = replicates.source_of(streams_of(replicates.run_of(row.seed)).data)
        place = *vars(source_of(task)).values(), replicates.number_of(source), rate
        return outcomes[place]

    return pd.Series(map(outcome, rows.itertuples()), index=rows.index, dtype="str")
