"""Evaluations of the ends of runs, found among the parts that hold them."""

import numpy as np
import pytest
import xarray as xr
from support.parts import PAIRS, SPECIFICATION, name_of, rule_that_ends, whole_of

from nstar.errors import ArtifactError
from nstar.store.archive import write_store
from nstar.store.evaluations import read_ends, read_evaluations
from nstar.store.schemas import EVALUATION, OWN_SETS
from nstar.store.view import view


def write_longer(path, rows, lengths):
    """Write a part of an evaluation at some lengths whose accuracies tell length and step of its rows."""
    steps = np.array([step for _, step in rows], dtype=float)
    accuracy = np.add.outer(steps, 100.0 * np.array(lengths)) / 1000
    by_state = np.repeat(accuracy[:, :, None], max(lengths), axis=2)
    dataset = xr.Dataset(
        {
            "step": ("replicate", steps.astype(int)),
            "tested_length": ("tested", lengths),
            "n_longer": ("tested", [5] * len(lengths)),
            "longer_token_accuracy": (("replicate", "tested"), accuracy),
            "longer_state_accuracy": (("replicate", "tested", "state"), by_state),
        },
        coords={
            "seed": ("replicate", [pair[0] for pair, _ in rows]),
            "learning_rate": ("replicate", [pair[1] for pair, _ in rows]),
        },
    )
    summary = {"rows": [[*pair, step] for pair, step in rows], "tests": list(lengths)}
    write_store(path, dataset, EVALUATION, SPECIFICATION, {"device": "cpu"}, summary)
    return path


def write_evaluation(path, rows, n_moments):
    """Write a part of an evaluation whose measures are the steps of its rows."""
    steps = np.array([step for _, step in rows])
    dataset = xr.Dataset(
        {
            "validation_loss": ("replicate", np.float64(steps)),
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
    summary = {"rows": [[*pair, step] for pair, step in rows], "tests": [OWN_SETS]}
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
    assert read_ends(paths)[:2] == [[0, 0.2, 40, OWN_SETS], [0, 0.1, 20, OWN_SETS]]
    with pytest.raises(ArtifactError, match=r"evaluates seed 0, learning rate 0\.1 at step 40"):
        read_evaluations(paths[:1], cut)


def test_the_tests_of_each_length_are_found_among_the_parts(tmp_path):
    """A part may lack lengths, runs, or what is measured on the own sets."""
    cut = view(whole_of(tmp_path), rule_that_ends(40))
    ends = [(pair, 40) for pair in PAIRS]
    paths = [
        write_longer(name_of(tmp_path, 0), ends[:2], [8, 4]),
        write_evaluation(name_of(tmp_path, 1), ends, 2),
        write_longer(name_of(tmp_path, 2), ends, [6]),
        write_longer(name_of(tmp_path, 3), [ends[2], (PAIRS[0], 30)], [4, 8]),
    ]
    found = read_evaluations(paths, cut, [4, 6, 8])
    assert found["validation_loss"].values.tolist() == [40, 40, 40]
    assert found["tested_length"].values.tolist() == [4, 6, 8]
    assert found["longer_token_accuracy"].values.tolist() == [[0.440, 0.640, 0.840]] * 3
    by_state = found["longer_state_accuracy"].values
    assert by_state.shape == (3, 3, 8)
    assert (~np.isnan(by_state)).sum(-1).tolist() == [[4, 6, 8]] * 3
    assert "tested_length" not in read_evaluations(paths, cut)
    with pytest.raises(ArtifactError, match=r"seed 0, learning rate 0\.1 at step 40 at length 12"):
        read_evaluations(paths, cut, [4, 12])
