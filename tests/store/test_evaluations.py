"""Evaluations of the ends of runs, found among the parts that hold them."""

import numpy as np
import pytest
import xarray as xr
from support.parts import PAIRS, SPECIFICATION, name_of, rule_that_ends, whole_of

from nstar.errors import ArtifactError
from nstar.store.archive import write_store
from nstar.store.evaluations import read_ends, read_evaluations
from nstar.store.schemas import EVALUATION
from nstar.store.view import view


def write_evaluation(path, rows, n_moments):
    """Write a part of an evaluation whose measures are the steps of its rows."""
    steps = np.array([step for _, step in rows])
    variables = {
        name: variable
        for name, variable in EVALUATION.variables.items()
        if name not in ("seed", "learning_rate", "step")
    }
    dataset = xr.Dataset(
        {
            **{
                name: (
                    variable.dimensions,
                    np.float64(steps if len(variable.dimensions) == 1 else steps[:, None]),
                )
                for name, variable in variables.items()
            },
            "step": ("replicate", steps),
            "measured_step": (
                ("replicate", "moment"),
                [[*range(n_moments - 1), step] for step in steps],
            ),
            "blowup": (("replicate", "moment"), np.float64(steps)[:, None] + np.arange(n_moments)),
        },
        coords={
            "seed": ("replicate", [pair[0] for pair, _ in rows]),
            "learning_rate": ("replicate", [pair[1] for pair, _ in rows]),
        },
    )
    summary = {"rows": [[*pair, step] for pair, step in rows]}
    write_store(path, dataset, EVALUATION, SPECIFICATION, {"device": "cpu"}, summary)
    return path


def test_the_evaluation_of_each_end_is_found_among_the_parts(tmp_path):
    cut = view(whole_of(tmp_path), rule_that_ends(40))
    assert cut["n_steps"].values.tolist() == [40, 40, 40]
    paths = [
        write_evaluation(name_of(tmp_path, 0), [(PAIRS[1], 40), (PAIRS[0], 20), (PAIRS[2], 30)], 3),
        write_evaluation(name_of(tmp_path, 1), [(PAIRS[2], 40), (PAIRS[0], 40)], 2),
    ]
    found = read_evaluations(paths, cut)
    assert found["validation_loss"].values.tolist() == [40, 40, 40]
    assert found["seed"].values.tolist() == cut["seed"].values.tolist()
    assert found["measured_step"].values.tolist() == [[0, -1, 40], [0, 1, 40], [0, -1, 40]]
    np.testing.assert_array_equal(
        found["blowup"], [[40, np.nan, 41], [40, 41, 42], [40, np.nan, 41]]
    )
    assert read_ends(paths)[:2] == [[0, 0.2, 40], [0, 0.1, 20]]
    with pytest.raises(ArtifactError, match=r"evaluates seed 0, learning rate 0\.1 at step 40"):
        read_evaluations(paths[:1], cut)
