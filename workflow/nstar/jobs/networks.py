"""From the store of a trained cell to its networks and what they compute."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from nstar.errors import ArtifactError
from nstar.measures.truth_table import truth_table
from nstar.models import StackedModel, build_model
from nstar.seeds import read_seed, seed_text
from nstar.store.archive import specification_of
from nstar.store.parts import read_parts
from nstar.store.view import view
from nstar.tasks import build_task
from nstar.verdicts import Rule


def model_of(specification: Mapping[str, Any]) -> StackedModel:
    """Return the model of a cell, built for its trained length."""
    task, supervision = build_task(specification["task"]), specification["supervision"]
    return build_model(
        specification["model"],
        n_symbols=task.n_token_kinds(supervision),
        n_classes=task.n_outputs(specification["objective"]),
        n_positions=task.n_tokens(supervision, specification["length"]),
    )


def rounded_outputs(source: Mapping[str, Any], n_bits: int) -> np.ndarray:
    """Return the outputs of a trained network on all inputs of some bits, rounded to 0 or 1.

    Parameters
    ----------
    source : mapping
        ``stores`` (paths of the parts of its block), ``seed`` and ``learning_rate`` of the network, and
        ``rule``, the rule whose end it is taken at.
    n_bits : int
        n; inputs are in the order of `nstar.tasks.functions.boolean_function.all_inputs`.

    Returns
    -------
    ndarray of int8, shape (2^n,)
        A NaN, of a network that diverged, is 0.

    Raises
    ------
    ArtifactError
        If the stores do not hold that network.
    """
    pair = read_seed(source["seed"]), source["learning_rate"]
    joined = read_parts(source["stores"], [pair])
    if joined.sizes["replicate"] != 1:
        raise ArtifactError(
            f"store {source['stores'][0]} holds no network of seed {seed_text(pair[0])} and learning "
            f"rate {pair[1]}"
        )
    trained = view(joined, Rule(**source["rule"]))
    model = model_of(specification_of(trained))
    flat = torch.from_numpy(trained["parameters"].values)
    return (truth_table(model, model.views(flat), n_bits)[0] > 0).numpy().astype(np.int8)
