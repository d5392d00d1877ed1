"""From the store of a trained cell to its networks and what they compute."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from nstar.cells import tested_length
from nstar.errors import ArtifactError
from nstar.measures.truth_table import truth_table
from nstar.models import StackedModel, build_model
from nstar.store.archive import read_store, specification_of
from nstar.store.schemas import CELL
from nstar.tasks import build_task


def model_of(specification: Mapping[str, Any]) -> StackedModel:
    """Return the model of a cell, built to reach the length that extrapolation is measured at."""
    task, supervision = build_task(specification["task"]), specification["supervision"]
    return build_model(
        specification["model"],
        n_symbols=task.n_token_kinds(supervision),
        n_classes=task.n_outputs(specification["training"].get("objective")),
        n_positions=task.n_tokens(supervision, tested_length(task, specification["length"])),
    )


def rounded_outputs(store: str, seed: int, learning_rate: float, n_bits: int) -> np.ndarray:
    """Return the outputs of a trained network on all inputs of some bits, rounded to 0 or 1.

    Parameters
    ----------
    store : str
        Path of the trained cell.
    seed, learning_rate
        Which of its networks.
    n_bits : int
        n; inputs are in the order of `nstar.tasks.functions.boolean_function.all_inputs`.

    Returns
    -------
    ndarray of int8, shape (2^n,)
        A NaN, of a network that diverged, is 0.

    Raises
    ------
    ArtifactError
        If the store does not hold that network.
    """
    trained = read_store(store, CELL)
    chosen = (trained["seed"] == seed) & (trained["learning_rate"] == learning_rate)
    if chosen.sum() != 1:
        raise ArtifactError(
            f"store {store} holds no network of seed {seed} and learning rate {learning_rate}"
        )
    model = model_of(specification_of(trained))
    flat = torch.from_numpy(trained["parameters"].values[chosen.values])
    return (truth_table(model, model.views(flat), n_bits)[0] > 0).numpy().astype(np.int8)
