"""Training time learnt from the wall times of finished stores."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nstar.cells.paths import STORE_SUFFIX, decode, encode, segment
from nstar.errors import ArtifactError, PathError
from nstar.kinds import read_options
from nstar.plan.costs import guess_seconds, model_size, training_flops
from nstar.seeds import numpy_generator
from nstar.store.header import of_header, read_header
from nstar.study import Study
from nstar.tasks import build_task

GUESS_SD, MODEL_SD, SLOPE_SD, NOISE_SD = 1.3, 0.7, 0.4, 0.5
"""Standard deviations of the logarithm of true over guessed seconds, before any cell was seen: of all
cells of a device; between models; of its slopes in log length and log budget; from cell to cell."""

NOISE_COUNT = 4
"""Cells that the guess of the scatter from cell to cell is worth."""

N_DRAWS = 200

LARGEST_SAMPLE = 150
"""Stores of a model whose wall times are read."""


@dataclass(frozen=True)
class Experience:
    """How long a replicate of a finished block took, and the guess if it had not ended early."""

    model: str
    length: int
    budget: int
    guessed_seconds: float
    seconds: float


def read_experience(study: Study, results: Path, device: str) -> list[Experience]:
    """Return what the first parts of stores of the models of a study say of their wall time.

    Of each model a sample is read, the same for the same files. Stores of another device, and
    damaged ones, are passed over. A store counts whatever its options of training were.
    """
    found = []
    for name in {segment(model.specification()): None for model in study.models.values()}:
        for path in _sample(results / "cells" / encode({"model": name})):
            with suppress(ArtifactError, PathError):  # whoever needs this store says so
                header = read_header(path)
                made_on = header["provenance"].get("device")
                if made_on == device or (device == "gpu" and made_on != "cpu"):
                    coordinates = decode(path.relative_to(results))
                    n = len(coordinates["seeds"]) * len(coordinates["learning_rates"])
                    with of_header(path):
                        found.append(_experience(header, n, device))
    return found


def _sample(folder: Path) -> list[Path]:
    """Return some stores of a model, spread evenly over its curves and their budgets."""
    curves = sorted(folder.glob("task~*/supervision~*/length_distribution~*/length~*"))
    chosen = []
    for curve in _spread(curves, LARGEST_SAMPLE):
        cells = [path for path in curve.glob("budget~*") if path.name.split("~")[1].isdecimal()]
        cells.sort(key=lambda path: int(path.name.split("~")[1]))
        share = max(1, LARGEST_SAMPLE // max(1, len(curves)))
        for cell in _spread(cells, share):
            stores = cell.glob(f"seeds~*/learning_rates~*/*{STORE_SUFFIX}")
            chosen += sorted(path for path in stores if "-" not in path.name)[:2]  # first parts
    return chosen


def _spread(entries: Sequence[Any], most: int) -> Sequence[Any]:
    """Return at most so many entries, evenly spread over all."""
    if len(entries) <= most:
        return entries
    return [entries[i] for i in np.linspace(0, len(entries) - 1, most).round().astype(int)]


def _experience(header: Mapping[str, Any], n_replicates: int, device: str) -> Experience:
    specification = header["specification"]
    length, batch = specification["length"], specification["batch_size"]
    task = build_task(specification["task"])
    size = model_size(
        read_options(specification["model"]),
        task,
        task.n_outputs(specification["objective"]),
        specification["supervision"],
        length,
        batch,
    )
    looked_at = specification["fitted_examples"]
    looked_at += sum(n_validation + n for n_validation, n, _ in specification["sets"])
    n_steps = header["summary"]["rule"]["max_steps"]
    flops = training_flops(size, batch, looked_at, n_steps, specification["evaluate_every"])
    return Experience(
        model=segment(specification["model"]),
        length=length,
        budget=specification["budget"],
        guessed_seconds=guess_seconds(n_steps, flops, device),
        seconds=header["provenance"]["wall_time_s"] / n_replicates,
    )


class TrainingTime:
    """How long training takes, learnt from experience.

    Parameters
    ----------
    models : sequence of str
        What stands in paths for the models asked about, see `nstar.cells.paths.segment`.
    experience : sequence of Experience
        Of these models or others, on one device.

    Notes
    -----
    The logarithm of true over guessed seconds is a sum: a term for the device, one per model, its slopes
    in log length and log budget, and a scatter from cell to cell, all normal. Given the cells seen, the
    sum is normal again, and `draw` draws from it (Bayesian linear regression with the priors above). That
    replicates end early is a part of what is learnt.
    """

    def __init__(self, models: Sequence[str], experience: Sequence[Experience]):
        names = dict.fromkeys([*models, *(e.model for e in experience)])
        self.names = {name: i for i, name in enumerate(names)}
        n = len(self.names)
        spread = np.concatenate([[GUESS_SD], np.full(n, MODEL_SD), np.full(2 * n, SLOPE_SD)])
        prior = np.diag(spread**-2)
        rows = self._features(
            [e.model for e in experience],
            [e.length for e in experience],
            [e.budget for e in experience],
        )
        logs = np.array([np.log(max(e.seconds, 1e-3) / e.guessed_seconds) for e in experience])
        self.noise = NOISE_SD
        for _ in range(3):  # the scatter and the coefficients, in turn
            precision = prior + rows.T @ rows / self.noise**2
            self.mean = np.linalg.solve(precision, rows.T @ logs / self.noise**2)
            residuals = logs - rows @ self.mean
            squares = NOISE_COUNT * NOISE_SD**2 + residuals @ residuals
            self.noise = float(np.sqrt(squares / (NOISE_COUNT + len(logs))))
        self.factor = np.linalg.cholesky(np.linalg.inv(precision))

    def draw(
        self,
        models: Sequence[str],
        lengths: Sequence[int],
        budgets: Sequence[int],
        guessed_seconds: Sequence[float],
    ) -> np.ndarray:
        """Return seconds of some blocks, `N_DRAWS` likely values of each; shape (n, N_DRAWS).

        A row of draws is one possible truth about the device, so that sums over blocks are draws too.
        """
        generator = numpy_generator("costs")
        noise = self.noise * generator.standard_normal((len(models), N_DRAWS))
        deviations = self.factor @ generator.standard_normal((len(self.mean), N_DRAWS))
        factors = self._features(models, lengths, budgets) @ (self.mean[:, None] + deviations)
        return np.exp(factors + noise) * np.asarray(guessed_seconds, dtype=np.float64)[:, None]

    def _features(
        self, models: Sequence[str], lengths: Sequence[int], budgets: Sequence[int]
    ) -> np.ndarray:
        """Return the terms of the sum, one row per block."""
        n, rows = len(self.names), np.arange(len(models))
        column = np.array([self.names[model] for model in models], dtype=int)
        features = np.zeros((len(rows), 1 + 3 * n))
        features[:, 0] = 1
        features[rows, 1 + column] = 1
        features[rows, 1 + n + column] = np.log(np.asarray(lengths, dtype=np.float64) / 16)
        features[rows, 1 + 2 * n + column] = np.log(np.maximum(budgets, 1) / 64)
        return features
