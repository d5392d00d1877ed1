"""Parts of a block joined, and cut by the rule of a study."""

import numpy as np
import pytest
import xarray as xr

from nstar.errors import ArtifactError
from nstar.specification import digest
from nstar.store.archive import write_store
from nstar.store.parts import outcomes_so_far, read_ends, read_evaluations, read_parts, view
from nstar.store.schemas import CELL, EVALUATION, OWN_SETS
from nstar.verdicts import LEARNT, QUANTITIES, SETS, Rule, verdicts

EVERY, N_PARAMETERS, N_POSITIONS = 10, 3, 2
SIZES = np.array([40, 50, 60, 70], dtype=np.uint32)
SPECIFICATION = {"stage": "training", "evaluate_every": EVERY}
PAIRS = [(0, 0.1), (0, 0.2), (1, 0.1)]
LENGTHS = [6, 4, 5]
"""Evaluations of each replicate of the whole trajectories."""


def evidence(n_evaluations, seed):
    """Return the evidence of a replicate that gets better by jumps."""
    rng = np.random.default_rng(seed)
    shape = (n_evaluations, len(SETS))
    right = rng.integers(0, SIZES[:3] + 1, size=shape).astype(np.uint32)
    labels = rng.integers(0, SIZES[:3, None] + 1, size=(*shape, N_POSITIONS)).astype(np.uint32)
    numbers = rng.random((*shape, len(QUANTITIES))).astype(np.float32)
    numbers[..., QUANTITIES.index(("sequence_accuracy", "mean"))] = right / SIZES[:3]
    return {
        "numbers": numbers,
        "whole_right": right,
        "position_right": labels,
        "position_loss": rng.random(labels.shape).astype(np.float32),
        **{
            f"batch_{name}": rng.random(n_evaluations)
            for name in ("loss", "token_accuracy", "sequence_accuracy")
        },
    }


WHOLE = {pair: evidence(n, seed) for seed, (pair, n) in enumerate(zip(PAIRS, LENGTHS, strict=True))}


def weights_of(pair, step):
    return np.float32([pair[0], pair[1], step])


def write_part(path, stretches, kept=None):
    """Write a part: of each replicate (pair) the first evaluation and the one after the last."""
    most = max(stop - start for start, stop in stretches.values())
    pairs = list(stretches)
    rows = {}
    for name, whole in WHOLE[PAIRS[0]].items():
        array = np.zeros((len(pairs), most, *whole.shape[1:]), whole.dtype)
        for i, (pair, (start, stop)) in enumerate(stretches.items()):
            array[i, : stop - start] = WHOLE[pair][name][start:stop]
        rows[name] = array
    kept = kept or [
        (pair, EVERY * (e + 1))
        for pair, (start, stop) in stretches.items()
        for e in range(start, stop)
    ]
    steps = np.array([step for _, step in kept])
    arrays = {
        **rows,
        "evaluate_every": np.array(EVERY),
        "first_evaluation": np.array([start for start, _ in stretches.values()]),
        "n_evaluations": np.array([stop - start for start, stop in stretches.values()]),
        "n_sequences": np.tile(SIZES, (len(pairs), 1)),
        "position_of": np.tile(SIZES[:, None], (len(pairs), 1, N_POSITIONS)),
        "diverged": np.zeros(len(pairs), bool),
        "kept_replicate": np.array([pairs.index(pair) for pair, _ in kept], dtype=np.int32),
        "kept_step": steps,
        "weights": np.stack([weights_of(*key) for key in kept]),
        "test_numbers": np.tile(np.float32(steps)[:, None], (1, len(QUANTITIES))),
        "test_whole_right": (steps // EVERY).astype(np.uint32),
        "test_position_right": np.zeros((len(kept), N_POSITIONS), np.uint32),
        "test_position_loss": np.zeros((len(kept), N_POSITIONS), np.float32),
        "state_replicate": np.arange(len(pairs), dtype=np.int32),
        "first_moment": np.stack([weights_of(pair, 1) for pair in pairs]),
        "second_moment": np.stack([weights_of(pair, 2) for pair in pairs]),
    }
    dataset = xr.Dataset(
        {name: (CELL.variables[name].dimensions, array) for name, array in arrays.items()},
        coords={
            "seed": ("replicate", [seed for seed, _ in pairs]),
            "learning_rate": ("replicate", [rate for _, rate in pairs]),
        },
    )
    write_store(path, dataset, CELL, SPECIFICATION, {"device": "cpu"})
    return path


def name_of(folder, part):
    suffix = f"-{part}" if part else ""
    return folder / f"{digest(SPECIFICATION)}{suffix}.zarr.zip"


def rule_that_ends(step, **options):
    fields = {"measure": "sequence_accuracy", "threshold": 0.999, "max_steps": step} | options
    fields |= {"fitted_measure": fields["measure"], "fitted_threshold": fields["threshold"]}
    return Rule(**fields)


@pytest.fixture
def whole(tmp_path):
    stretches = {pair: (0, n) for pair, n in zip(PAIRS, LENGTHS, strict=True)}
    return read_parts([write_part(name_of(tmp_path / "whole", 0), stretches)])


def same(one, other):
    """Assert that the joined parts agree in all but where they come from, and how weights are sorted."""
    order = [
        dataset.isel(kept=np.lexsort((dataset["kept_step"], dataset["kept_replicate"])))
        for dataset in (one, other)
    ]
    xr.testing.assert_equal(*(dataset.drop_dims("state") for dataset in order))


def test_parts_of_runs_that_went_on_are_the_whole(tmp_path, whole):
    paths = [
        write_part(name_of(tmp_path, 0), {PAIRS[0]: (0, 2), PAIRS[1]: (0, 4), PAIRS[2]: (0, 1)}),
        write_part(name_of(tmp_path, 1), {PAIRS[2]: (1, 5), PAIRS[0]: (2, 3)}),
        write_part(name_of(tmp_path, 2), {PAIRS[0]: (3, 6)}),
    ]
    joined = read_parts(paths)
    same(joined, whole)
    assert joined.attrs["n_replicates"] == [3, 2, 1]
    states = set(
        zip(
            joined["state_replicate"].values.tolist(),
            joined["state_step"].values.tolist(),
            strict=True,
        )
    )
    assert states == {(0, 20), (0, 30), (0, 60), (1, 40), (2, 10), (2, 50)}


def test_of_what_two_parts_hold_the_first_is_taken(tmp_path, whole):
    paths = [
        write_part(name_of(tmp_path, 0), {PAIRS[0]: (0, 2), PAIRS[1]: (0, 4), PAIRS[2]: (0, 5)}),
        write_part(name_of(tmp_path, 1), {PAIRS[0]: (0, 6)}),
    ]
    same(read_parts(paths), whole)


def test_a_prefix_ends_before_a_gap(tmp_path):
    paths = [
        write_part(name_of(tmp_path, 0), {PAIRS[0]: (0, 2), PAIRS[1]: (0, 4), PAIRS[2]: (0, 5)}),
        write_part(name_of(tmp_path, 2), {PAIRS[0]: (3, 6)}),
    ]
    joined = read_parts(paths)
    assert joined["n_evaluations"].values.tolist() == [2, 4, 5]
    assert 60 not in joined["state_step"].values
    with pytest.raises(ArtifactError, match="not ended"):
        view(joined, rule_that_ends(50))


def test_a_gap_that_a_later_part_fills_is_none(tmp_path, whole):
    """Two runs that write parts of one block at once may leave them in any order."""
    paths = [
        write_part(name_of(tmp_path, 0), {PAIRS[0]: (0, 2), PAIRS[1]: (0, 4), PAIRS[2]: (0, 5)}),
        write_part(name_of(tmp_path, 1), {PAIRS[0]: (4, 6)}),
        write_part(name_of(tmp_path, 2), {PAIRS[0]: (2, 4)}),
    ]
    same(read_parts(paths), whole)


def test_some_replicates_are_chosen_with_what_belongs_to_them(tmp_path, whole):
    chosen = read_parts(whole.attrs["paths"], [PAIRS[2], PAIRS[0]])
    assert chosen["seed"].values.tolist() == [0, 1]
    cut = view(chosen, rule_that_ends(20))
    np.testing.assert_array_equal(
        cut["parameters"], [weights_of(PAIRS[0], 20), weights_of(PAIRS[2], 20)]
    )


def test_a_part_of_another_block_is_refused(tmp_path):
    paths = [
        write_part(name_of(tmp_path, 0), {PAIRS[0]: (0, 2)}),
        write_part(name_of(tmp_path, 1), {PAIRS[1]: (0, 2)}),
    ]
    with pytest.raises(ArtifactError, match="is no part of the block"):
        read_parts(paths)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_view_is_what_a_shorter_run_would_have_left(tmp_path, whole, n):
    """What lies behind the end of a run by the rule of the study changes nothing."""
    rule = rule_that_ends(EVERY * n)
    shorter = read_parts([write_part(name_of(tmp_path, 0), {pair: (0, n) for pair in PAIRS})])
    xr.testing.assert_equal(view(whole, rule), view(shorter, rule))
    assert (view(whole, rule)["n_steps"] == EVERY * n).all()


def test_a_view_says_what_the_evidence_says(whole):
    rule = rule_that_ends(40, threshold=0.5, confirm=False)
    cut = view(whole, rule)
    for row, pair in enumerate(PAIRS):
        shares = WHOLE[pair]["whole_right"][:4] / SIZES[:3]
        passed = np.flatnonzero(shares[:, 1] >= 0.5)
        end = passed[0] if len(passed) else 3
        assert cut["n_steps"][row] == EVERY * (end + 1)
        assert cut["learnt_at"][row] == (EVERY * (end + 1) if len(passed) else -1)
        assert (cut["outcome"][row] == LEARNT) == bool(len(passed))
        assert cut["published_outcome"][row] == cut["outcome"][row]
        np.testing.assert_array_equal(cut["parameters"][row], weights_of(pair, EVERY * (end + 1)))
        for i, name in enumerate(SETS):
            curve = cut[f"{name}_sequence_accuracy"].values[row]
            np.testing.assert_array_equal(curve[: end + 1], shares[: end + 1, i])
            assert np.isnan(curve[end + 1 :]).all()
            assert cut[f"{name}_right"][row] == WHOLE[pair]["whole_right"][end, i]
            assert cut[f"{name}_of"][row] == SIZES[i]
        assert (cut["test_right"][row], cut["test_of"][row]) == (end + 1, SIZES[3])
        assert cut["test_sequence_accuracy"][row] == (end + 1) / SIZES[3]


def test_a_run_that_another_form_of_the_rule_would_go_on_with_is_undecided(tmp_path):
    whole = read_parts([write_part(name_of(tmp_path, 0), {PAIRS[0]: (0, 6)})])
    accuracy = QUANTITIES.index(("sequence_accuracy", "mean"))
    numbers = whole["numbers"].values
    numbers[:] = 0.0
    numbers[0, 2, SETS.index("validation"), accuracy] = 1.0  # passes once, and is not confirmed
    cut = view(whole, rule_that_ends(60, threshold=0.9, confirm=False))
    assert (cut["n_steps"], cut["outcome"], cut["strict_outcome"]) == (30, LEARNT, -2)
    cut = view(whole, rule_that_ends(60, threshold=0.9, confirm=True))
    assert (cut["n_steps"], cut["outcome"]) == (60, 2)
    assert (cut["published_outcome"], cut["n_confirmations"]) == (LEARNT, 1)


@pytest.mark.parametrize(("at", "code"), [("best", LEARNT), ("final", -1)])
def test_a_pass_is_final_where_the_best_evaluation_decides(at, code):
    """A run of 60 steps goes on after its pass at 20; another one has fitted, the third has not."""
    numbers = np.zeros((3, 2, len(SETS), len(QUANTITIES)), dtype=np.float32)
    column = QUANTITIES.index(("sequence_accuracy", "mean"))
    numbers[0, :, :, column] = 1
    numbers[1, 0, 0, column] = 1
    names = ("measure", "fitted_measure")
    rule = Rule(
        **dict.fromkeys(names, "sequence_accuracy"),
        **dict.fromkeys(("threshold", "fitted_threshold"), 0.9),
        **{"max_steps": 60, "at": at, "stop_on_success": False},
    )
    judged = verdicts(numbers, np.array([2, 2, 2]), 20, rule)
    assert not judged.ended.any()
    assert outcomes_so_far(judged, rule).tolist() == [code, -1, -2]


def test_snapshots_are_kept_weights_before_the_end(whole):
    cut = view(whole, rule_that_ends(40), keep_every=10)
    assert cut["snapshot_step"].values.tolist() == [10, 20, 30]
    np.testing.assert_array_equal(cut["snapshot_parameters"][0, 1], weights_of(PAIRS[0], 20))


def test_weights_that_are_wanted_and_not_kept_are_named(tmp_path):
    path = write_part(name_of(tmp_path, 0), {PAIRS[0]: (0, 3)}, kept=[(PAIRS[0], 30)])
    view(read_parts([path]), rule_that_ends(30))
    with pytest.raises(ArtifactError, match="no weights of replicate 0 at step 20"):
        view(read_parts([path]), rule_that_ends(20))
    with pytest.raises(ArtifactError, match="no weights of replicate 0 at step 10"):
        view(read_parts([path]), rule_that_ends(30), keep_every=10)


def write_longer(path, rows, lengths):
    """Write a part of an evaluation at some lengths whose accuracies are length and step of its rows."""
    steps = np.array([step for _, step in rows], dtype=float)
    accuracy = np.add.outer(steps, 100.0 * np.array(lengths))
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


def test_the_evaluation_of_each_end_is_found_among_the_parts(tmp_path, whole):
    cut = view(whole, rule_that_ends(40))
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


def test_the_tests_of_each_length_are_found_among_the_parts(tmp_path, whole):
    """A part may lack lengths, runs, or what is measured on the own sets."""
    cut = view(whole, rule_that_ends(40))
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
    assert found["longer_token_accuracy"].values.tolist() == [[440, 640, 840]] * 3
    by_state = found["longer_state_accuracy"].values
    assert by_state.shape == (3, 3, 8)
    assert (~np.isnan(by_state)).sum(-1).tolist() == [[4, 6, 8]] * 3
    assert "tested_length" not in read_evaluations(paths, cut)
    with pytest.raises(ArtifactError, match=r"seed 0, learning rate 0\.1 at step 40 at length 12"):
        read_evaluations(paths, cut, [4, 12])
