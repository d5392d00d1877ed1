"""Insensitive inputs of the untrained networks of a study, without training any: K_0 by model and length.

For each cut of the outputs, a table in Markdown has the medians over the seeds of K_0 / 2^n and
K_1 / 2^n; in brackets, how many networks have K_0 >= 1, of how many, and how many are constant. These are
the networks at step 0 of the study's tables. For the study of profiles it takes two minutes of processor
time:

    python benchmarks/untrained_profiles.py
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from nstar.measures.sensitivity import sensitivity_profile
from nstar.measures.truth_table import truth_table
from nstar.models import build_model
from nstar.reading.check import load_study
from nstar.reading.file import read_config
from nstar.seeds import streams_of
from nstar.subjects.functions.columns import CUTS
from nstar.subjects.functions.measurement import cut_tables


def main():
    """Print a table for each cut."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument(
        "--configfile", type=Path, default=Path("workflow/studies/sensitivity_profile.yaml")
    )
    flags.add_argument("--longest", type=int, default=14, help="longest n; bits (default: 14)")
    arguments = flags.parse_args()
    torch.set_num_threads(1)
    study = load_study(read_config(arguments.configfile))
    lengths = sorted({n for entry in study.grid for n in entry.lengths if n <= arguments.longest})
    seeds = sorted({streams_of(run).initialisation for run in study.replicates.runs})
    found = {}
    for n in lengths:
        for name, options in study.models.items():
            model = build_model(options, n_symbols=2, n_classes=1, n_positions=n)
            flat = model.initialise(seeds)
            tables = cut_tables(truth_table(model, model.views(flat), n).numpy())
            for cut, table in zip(CUTS, tables, strict=True):
                shares = sensitivity_profile(table) / 2**n
                medians = ", ".join(f"{value:.2g}" for value in np.median(shares[:, :2], axis=0))
                counts = f"{(shares[:, 0] > 0).sum()}/{len(shares)}, {(shares[:, 0] == 1).sum()}"
                found[cut, name, n] = f"{medians} ({counts})"
    for cut in CUTS:
        print(f"\n| cut: {cut} | {' | '.join(f'n = {n}' for n in lengths)} |")
        print(f"|---|{'---|' * len(lengths)}")
        for name in study.models:
            print(f"| {name} | {' | '.join(found[cut, name, n] for n in lengths)} |")


if __name__ == "__main__":
    main()
