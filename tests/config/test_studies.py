"""The studies that come with the project are what they say they are."""

import itertools
from pathlib import Path

import pytest

import nstar
from nstar.config_check import load_study
from nstar.config_file import read_config
from nstar.grid import cells_of, pool_of
from nstar.tasks import LENGTH_DISTRIBUTIONS, SUPERVISIONS

STUDIES = sorted((Path(nstar.__file__).parents[1] / "studies").glob("*.yaml"))


@pytest.fixture(scope="module")
def full():
    (path,) = [path for path in STUDIES if path.stem == "induction_bias"]
    return load_study(read_config(path))


@pytest.mark.parametrize("path", STUDIES, ids=[path.stem for path in STUDIES])
def test_every_study_loads_and_is_named_after_its_file(path):
    study = load_study(read_config(path))
    assert study.name == path.stem
    assert cells_of(study)


def test_full_study_has_the_972_curves_of_the_paper(full):
    """Sections 2 and A.1 of arXiv:2602.18333: 3 models, 9 moduli, 4 lengths, 3 x 3 ways to train."""
    moduli = {task.modulus for task in full.tasks.values()}
    assert moduli == {2, 3, 5, 10, 15, 20, 50, 75, 100}
    curves = {cell.curve for cell in cells_of(full)}
    assert curves == set(
        itertools.product(
            full.models, full.tasks, SUPERVISIONS, LENGTH_DISTRIBUTIONS, (5, 10, 20, 30)
        )
    )
    assert len(curves) == 972


def test_full_study_trains_as_the_paper_says(full):
    training, replicates = full.training, full.replicates
    assert len(replicates.seeds) * len(replicates.learning_rates) == 15
    assert training.max_steps * training.batch_size == 16_000_000
    assert vars(training.success) == {"measure": "loss", "threshold": 1e-4, "at": "best"}
    assert training.schedule.decay == "constant"
    assert training.patience is None
    assert max(cell.budget for cell in cells_of(full)) <= 16_000_000


def test_budgets_of_full_study_end_where_the_sequences_do(full):
    for _, cells in itertools.groupby(cells_of(full), key=lambda cell: cell.curve):
        *_, last = cells
        n_training = pool_of(full, last).n_training
        assert last.budget == n_training or 2 * last.budget > 16_000_000
