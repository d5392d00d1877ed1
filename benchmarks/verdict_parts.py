"""Say which part of the verdicts moved each exponent of a study: labels, or confirmation.

    python benchmarks/verdict_parts.py RESULTS [BEFORE]

RESULTS is the folder results/studies/<name> of a finished study of demand with confirmation, and BEFORE a
table ``exponents.csv`` of an earlier run. The evidence is judged three times, by the same statistics:

- *batches*: without confirmation, and fitted is what the mean over the batches of an interval says, with
  dropout on;
- *labels*: without confirmation, fitted is what the training set itself says;
- *confirmed*: as the study has it.

A run that one of the three would have trained on counts by what it had shown at its end. The tables are
printed in Markdown.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from nstar.reading.check import load_study
from nstar.reading.file import read_config
from nstar.report.text import pair_name, show_interval
from nstar.store.parts import read_parts
from nstar.store.replicates import pairs_of
from nstar.subjects.axis import axis_job
from nstar.subjects.demand.along import cells_along
from nstar.subjects.demand.exponents import analyse
from nstar.subjects.demand.selection import runs_by_seed
from nstar.subjects.demand.thresholds import find_thresholds
from nstar.tables import read_table
from nstar.tables.selection import STRATUM, stratum_of
from nstar.verdicts import OUTCOMES, QUANTITIES, SETS, verdicts

FORMS = ("batches", "labels", "confirmed")


def judge(folder: Path, cells: pd.DataFrame, rule) -> dict[str, pd.DataFrame]:
    """Return the table of cells by the three forms."""
    outcomes = {form: pd.Series(index=cells.index, dtype=object) for form in FORMS}
    for store, rows in cells.groupby("store", sort=False):
        first = folder.parents[1] / "cells" / store.partition("cells/")[2]
        later = sorted(first.parent.glob(first.name.replace(".zarr.zip", "-*.zarr.zip")))
        joined = read_parts([first, *later])
        every, numbers = int(joined["evaluate_every"]), joined["numbers"].values
        place = {pair: i for i, pair in enumerate(pairs_of(joined))}
        chosen = [place[row.seed, row.learning_rate] for row in rows.itertuples()]
        known = rows["n_steps"].to_numpy() // every
        by_batches, column = numbers.copy(), QUANTITIES.index((rule.fitted_measure, "mean"))
        by_batches[:, :, SETS.index("train"), column] = joined[f"batch_{rule.fitted_measure}"]
        for form, evidence in zip(FORMS, (by_batches, numbers, numbers), strict=True):
            asked = rule if form == "confirmed" else rule.published()
            found = verdicts(evidence[chosen], known, every, asked)
            outcomes[form][rows.index] = np.array(OUTCOMES)[found.outcome]
    return {form: cells.assign(outcome=outcomes[form]) for form in FORMS}


def exponents_of(study, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the table of exponents."""
    axis = axis_job(study)
    along = cells_along(axis, cells)
    thresholds = find_thresholds(study, along)
    runs = runs_by_seed(along)
    job = {
        "axis": axis,
        "fit": study.fit.model_dump(mode="json") | {"bootstrap_replicates": 20},  # of a check alone
    }
    rows = []
    for stratum, part in runs.groupby(STRATUM, sort=False):
        of_seeds = stratum_of(thresholds[thresholds["rule"] == "seed"], stratum)
        tables, _ = analyse(part, of_seeds, job)
        rows += [dict(zip(STRATUM, stratum, strict=True)) | row for row in tables["exponents"]]
    return pd.DataFrame(rows)


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1])
    study = load_study(read_config(folder / "config.json"))
    cells = read_table(folder / "tables/cells.parquet", "cells")
    judged = judge(folder, cells, study.training.rule)
    found = {form: exponents_of(study, table) for form, table in judged.items()}
    if len(sys.argv) > 2:
        texts = ("minus_model", "reason")
        before = pd.read_csv(sys.argv[2], dtype=dict.fromkeys(texts, "str"))
        found = {"before": before.fillna(dict.fromkeys(texts, "")), **found}
    lines: dict[tuple, dict[str, str]] = {}
    for form, table in found.items():
        for row in table[table["quantity"] != "intercept"].itertuples():
            key = (*(getattr(row, name) for name in STRATUM), pair_name(row), row.quantity)
            lines.setdefault(key, {})[form] = show_interval(row)
    print(f"| exponent | {' | '.join(found)} |")
    print(f"|---|{'---|' * len(found)}")
    for key, values in lines.items():
        print(f"| {' '.join(key)} | {' | '.join(values.get(form, '') for form in found)} |")
    print()
    print(f"| runs | {' | '.join(OUTCOMES)} |")
    print(f"|---|{'---|' * len(OUTCOMES)}")
    for form, table in judged.items():
        counts = table["outcome"].value_counts()
        print(f"| {form} | {' | '.join(str(counts.get(name, 0)) for name in OUTCOMES)} |")


if __name__ == "__main__":
    main()
