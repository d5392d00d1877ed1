"""The studies that come with the project are what they say they are."""

import itertools
from pathlib import Path

import pytest

import nstar
from nstar.cells import cells_of, pool_of
from nstar.reading.check import load_study
from nstar.reading.file import read_config
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
    assert vars(training.success) == {
        **{"measure": "loss", "threshold": 1e-4, "over": "mean", "at": "best", "confirm": False}
    }
    assert training.schedule.decay == "constant"
    assert training.patience is None
    assert max(cell.budget for cell in cells_of(full)) <= 16_000_000


def test_budgets_of_full_study_end_where_the_sequences_do(full):
    for _, cells in itertools.groupby(cells_of(full), key=lambda cell: cell.curve):
        *_, last = cells
        n_training = pool_of(full, last).n_training
        assert last.budget == n_training or 2 * last.budget > 16_000_000


def runs_of(study):
    replicates = study.replicates
    return len(cells_of(study)) * len(replicates.seeds) * len(replicates.learning_rates)


@pytest.mark.parametrize(
    ("name", "n_runs"),
    [
        ("sensitivity", 1080),
        ("sensitivity_long", 600),
        ("sensitivity_tradeoff", 2000),
        ("sensitivity_dynamics", 160),
        ("sensitivity_generalisation", 700),
    ],
)
def test_sensitivity_studies_train_as_the_paper_says(name, n_runs):
    """Section 7.1 and table 1 of arXiv:2402.09963, and its released configuration of sweeps."""
    (path,) = [path for path in STUDIES if path.stem == name]
    study = load_study(read_config(path))
    assert runs_of(study) == n_runs
    for model in study.models.values():
        width = 4 if name == "sensitivity_long" else 128
        assert (model.width, model.depth, model.heads, model.perceptron_width) == (
            width,
            2,
            2,
            width,
        )
        assert (model.norm, model.activation, model.causal) == ("post", "relu", False)
        assert (model.embedding, model.initialisation, model.dropout) == (
            "concatenated",
            "torch",
            0,
        )
    training = study.training
    assert training.batch_size == (128 if name == "sensitivity_long" else 1024)
    assert training.max_steps == (20_000 if name == "sensitivity_dynamics" else 10_000)
    assert training.objective == "squared_error" and training.optimiser.weight_decay == 0.1
    assert vars(training.success) == {
        **{"measure": "loss", "threshold": 1e-3, "over": "mean", "at": "final", "confirm": False}
    }
    assert 3e-4 in study.replicates.learning_rates
    assert 0.02 in study.evaluation.function.gaussian


def test_sensitivity_study_has_the_lengths_and_functions_of_the_paper():
    (path,) = [path for path in STUDIES if path.stem == "sensitivity"]
    cells = cells_of(load_study(read_config(path)))
    expected = set(itertools.product(("parity", "majority", "first", "mean"), range(4, 31)))
    assert {(cell.task, cell.length) for cell in cells} == expected


def test_study_of_efficient_transformers_has_the_204_cells_of_the_paper():
    """Figure 1 of arXiv:2402.13934: three families, three tasks, four sizes, widths to 512 or 1024."""
    (path,) = [path for path in STUDIES if path.stem == "efficient_transformers"]
    study = load_study(read_config(path))
    cells = cells_of(study)
    assert len(cells) == 204
    widths = {name: model.width for name, model in study.models.items()}
    grid = {(cell.task, cell.length, widths[cell.model]) for cell in cells}
    sizes = {
        "arithmetic": (6, 10, 13, 16),
        "edit_distance": (6, 12, 16, 20),
        "lis": (40, 110, 175, 250),
    }
    assert grid == {
        (task, size, width)
        for task, lengths in sizes.items()
        for size in lengths
        for width in (32, 64, 128, 256, 512, 1024)
        if task != "arithmetic" or width < 1024
    }
    longest = {(task, n): study.tasks[task].most_tokens(n) for task in sizes for n in sizes[task]}
    assert [longest["edit_distance", n] for n in sizes["edit_distance"]] == [72, 210, 342, 506]
    assert [longest["lis", n] for n in (40, 110)] == [83, 223]


def test_study_of_efficient_transformers_trains_as_the_code_of_its_predecessor():
    """The public code of arXiv:2305.15408; what of it the paper kept is not published."""
    (path,) = [path for path in STUDIES if path.stem == "efficient_transformers"]
    study = load_study(read_config(path))
    for model in study.models.values():
        assert (model.depth, model.heads, model.dropout) == (3, 4, 0.1)
        assert (model.positions, model.norm, model.activation) == ("sinusoidal", "pre", "gelu_tanh")
        assert model.embedding_norm
    training = study.training
    assert study.replicates.learning_rates == (1e-4,) and training.optimiser.weight_decay == 0.01
    assert training.max_steps // (10**6 // training.batch_size) == 100
    assert training.schedule.warmup_steps == training.max_steps // 20
