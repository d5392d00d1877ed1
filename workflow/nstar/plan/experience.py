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
    replicates end early is a part of what is learnt. Once the term of the device is known, models say
    nothing about each other: the sums take time in proportion to their number.
    """

    def __init__(self, models: Sequence[str], experience: Sequence[Experience]):
        names = dict.fromkeys([*models, *(e.model for e in experience)])
        self.names = {name: i for i, name in enumerate(names)}
        model, terms = self._terms(
            [e.model for e in experience],
            [e.length for e in experience],
            [e.budget for e in experience],
        )
        logs = np.array([np.log(max(e.seconds, 1e-3) / e.guessed_seconds) for e in experience])
        self.noise = NOISE_SD
        for _ in range(3):  # the scatter and the coefficients, in turn
            self._fit(model, terms, logs)
            residuals = logs - self.device - (terms * self.means[model]).sum(axis=1)
            squares = NOISE_COUNT * NOISE_SD**2 + residuals @ residuals
            self.noise = float(np.sqrt(squares / (NOISE_COUNT + len(logs))))

    def _fit(self, model: np.ndarray, terms: np.ndarray, logs: np.ndarray) -> None:
        """Find the distribution of the coefficients for this scatter from cell to cell."""
        n, weight = len(self.names), self.noise**-2
        sums, products, squares = np.zeros((n, 3)), np.zeros((n, 3)), np.zeros((n, 3, 3))
        np.add.at(sums, model, terms)
        np.add.at(products, model, terms * logs[:, None])
        np.add.at(squares, model, terms[:, :, None] * terms[:, None, :])
        prior = np.diag([MODEL_SD**-2, SLOPE_SD**-2, SLOPE_SD**-2])
        self.covariances = np.linalg.inv(prior + weight * squares)  # (n, 3, 3), the device known
        self.slopes = weight * (self.covariances @ sums[:, :, None])[:, :, 0]  # by the device
        means = weight * (self.covariances @ products[:, :, None])[:, :, 0]  # if that term were 0
        precision = GUESS_SD**-2 + weight * (len(logs) - (sums * self.slopes).sum())
        self.device = weight * (logs.sum() - (sums * means).sum()) / precision
        self.device_error = precision**-0.5
        self.means = means - self.slopes * self.device

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
        model, terms = self._terms(models, lengths, budgets)
        logs = self.noise * generator.standard_normal((len(models), N_DRAWS))
        device = self.device_error * generator.standard_normal(N_DRAWS)
        alone = np.linalg.cholesky(self.covariances) @ generator.standard_normal(
            (len(self.names), 3, N_DRAWS)
        )
        coefficients = self.means[:, :, None] + alone - self.slopes[:, :, None] * device
        logs += self.device + device
        for i in range(3):
            logs += terms[:, i, None] * coefficients[model, i]
        return np.exp(logs) * np.asarray(guessed_seconds, dtype=np.float64)[:, None]

    def _terms(
        self, models: Sequence[str], lengths: Sequence[int], budgets: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of the model of each block, and what its coefficients are multiplied by."""
        terms = np.ones((len(models), 3))
        terms[:, 1] = np.log(np.asarray(lengths, dtype=np.float64) / 16)
        terms[:, 2] = np.log(np.maximum(budgets, 1) / 64)
        return np.array([self.names[model] for model in models], dtype=int), terms
