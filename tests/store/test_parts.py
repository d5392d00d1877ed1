"""Parts of a block joined."""

import numpy as np
import pytest
import xarray as xr
from support.parts import PAIRS, name_of, rule_that_ends, weights_of, whole_of, write_part

from nstar.errors import ArtifactError
from nstar.store.parts import read_parts
from nstar.store.view import view


@pytest.fixture
def whole(tmp_path):
    return whole_of(tmp_path)


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
    with pytest.raises(ArtifactError, match="is not a part of the block"):
        read_parts(paths)
