"""The table of lengths says what the stored training data hold."""

import pandas as pd
from support.studies import tiny

from nstar.cells import cells_of, pool_of, training_slices
from nstar.jobs.generation import generate_data
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.plan.stores import data_store
from nstar.reading.check import load_study
from nstar.store.archive import read_store
from nstar.store.schemas import DATA
from nstar.subjects.demand.thresholds import count_lengths

STUDY = load_study(
    tiny(
        **{
            "grid.0.lengths": [5, 6],
            "grid.0.budgets": [2, 8, 20],
            "grid.0.length_distributions": ["fixed", "uniform", "short_to_long"],
        }
    )
)


def rows_of(cells):
    return pd.DataFrame(
        {**vars(cell), "seed": seed} for cell in cells for seed in STUDY.replicates.seeds
    )


def test_it_agrees_with_the_lengths_in_the_stores(tmp_path):
    for job in plan_jobs(make_plan(STUDY, tmp_path)).generation:
        generate_data(job.work, tmp_path)
    cells = cells_of(STUDY)
    table = count_lengths(STUDY, rows_of(cells))

    keys = ["task", "length_distribution", "length", "seed", "budget"]
    counted = {
        key: dict(zip(part["sequence_length"], part["n_sequences"], strict=True))
        for key, part in table.groupby(keys)
    }
    several = {cell for cell in cells if cell.length_distribution != "fixed"}
    assert len(counted) == len({(*cell.curve[1:], cell.budget) for cell in several}) * 2
    for cell in several:
        options = STUDY.tasks[cell.task].model_dump(mode="json")
        for seed in STUDY.replicates.seeds:
            slices = training_slices(pool_of(STUDY, cell), cell.task, seed, cell.budget)
            stores = [read_store(data_store(options, piece, tmp_path), DATA) for piece in slices]
            lengths = pd.concat([store["length"].to_series() for store in stores])[: cell.budget]
            key = (cell.task, cell.length_distribution, cell.length, seed, cell.budget)
            expected = lengths.value_counts().to_dict()
            assert {n: count for n, count in counted[key].items() if count} == expected


def test_lengths_without_a_sequence_are_counted_and_fixed_lengths_are_not():
    table = count_lengths(STUDY, rows_of(cells_of(STUDY)))

    first = table.query("length_distribution == 'short_to_long' and length == 5 and budget == 2")
    assert first.groupby("seed")["n_sequences"].apply(list).tolist() == [[2, 0, 0, 0]] * 2
    assert set(table["length_distribution"]) == {"uniform", "short_to_long"}
    assert count_lengths(STUDY, rows_of(cells_of(STUDY)).query("length == 0")).empty
