"""Sharpness of linear networks, where it is known exactly, and what its noise depends on."""

import dataclasses

import numpy as np
import pytest
import torch
from support.networks import Linear, Positions, network

from nstar.measures.blowup import blowup
from nstar.measures.sensitivity import cube
from nstar.measures.sharpness import Perturbation, parameter_norm, sharpness
from nstar.measures.truth_table import outputs, truth_table
from nstar.models import build_model

LENGTH = 4
D = LENGTH + 1
CUBE = torch.from_numpy((cube(LENGTH) + 1) // 2).long()[None]  # (1, 2^n, n)
END = torch.zeros(1, 2**LENGTH, 1)
MEAN_SQUARES = np.cumsum(np.arange(1, D + 1) ** 2)[1:]  # of |phi_t|, by position t
GAUSSIAN, SPHERE = Perturbation("gaussian", 0.3), Perturbation("sphere", 0.3)
RELATIVE = Perturbation("relative", 0.3)
ALL = (GAUSSIAN, SPHERE, RELATIVE)


pytestmark = pytest.mark.usefixtures("one_thread")


def parts(found):
    return [getattr(found, field.name) for field in dataclasses.fields(found)]


def same(one, other):
    return all(map(torch.equal, parts(one), parts(other)))


def assert_mean(values, wanted):
    """Independent values agree with their expectation within four standard errors."""
    values = np.asarray(values)
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert error < 0.05 * abs(wanted)
    assert abs(values.mean() - wanted) < 4 * error


def test_linear_network_has_the_exact_sharpness():
    """4 sigma^2 E|phi|^2, 4 rho^2 / D E|phi|^2, the same with rho = size |theta|."""
    model, n_replicates = Linear(LENGTH), 300
    flat = model.initialise([0]).expand(n_replicates, -1)
    found = sharpness(model, flat, CUBE, END, ALL, range(n_replicates), n_draws=10)
    norm = model.views(flat)["theta"][0].norm().item()
    assert parameter_norm(model, flat)[0].item() == pytest.approx(norm)
    power = 4 * 0.3**2 * MEAN_SQUARES[-1]
    assert_mean(found.value[:, 0], power)
    assert_mean(found.value[:, 1], power / D)
    assert_mean(found.value[:, 2], power / D * norm**2)
    np.testing.assert_allclose(found.radius[:, 1], 0.3)
    np.testing.assert_allclose(found.radius[:, 2], 0.3 * norm, rtol=1e-6)
    # The mean length of D normal numbers, D = 5: sqrt(2) Gamma(3) / Gamma(5/2).
    assert_mean(found.radius[:, 0], 0.3 * 2.12769)


def test_all_labels_that_are_asked_for_count_alike():
    """Of positions 1 to 3, three quarters of the inputs are asked at the first, one at the last."""
    model, n_replicates = Linear(LENGTH), 300
    flat = model.initialise([0]).expand(n_replicates, -1)
    targets = torch.full((1, 16, 3), torch.nan)
    targets[0, :12, 0] = 0.5
    targets[0, 12:, 2] = 0.5
    found = sharpness(model, flat, CUBE, targets, [GAUSSIAN], range(n_replicates), n_draws=40)
    wanted = 4 * 0.3**2 * (12 * MEAN_SQUARES[1] + 4 * MEAN_SQUARES[3]) / 16
    assert_mean(found.value[:, 0], wanted)
    # In a linear network noise adds on average nothing but its own square to the squared error.
    assert_mean(found.loss_increase[:, 0], wanted)


def test_parameters_of_positions_do_not_move():
    model = Positions(3)
    flat = model.initialise([0, 1])
    tokens = torch.zeros(1, 2, 3, dtype=torch.int64)
    found = sharpness(model, flat, tokens, torch.zeros(1, 2, 2), ALL, [0, 1], n_draws=3)
    assert not found.value.any()
    assert not found.loss_increase.any()
    assert (found.radius > 0).all()
    idle = model.views(flat)["idle"].double().norm(dim=1)
    torch.testing.assert_close(parameter_norm(model, flat), idle)


def test_norm_of_a_network_is_that_of_all_but_its_positions():
    model = network("transformer_sensitivity")
    flat = model.initialise([0, 1])
    others = [v.flatten(1) for k, v in model.views(flat).items() if k != "position_embedding"]
    wanted = torch.cat(others, dim=1).double().norm(dim=1)
    flat[:, model.n_parameters :] = 7.0  # padding
    torch.testing.assert_close(parameter_norm(model, flat), wanted)


def test_noise_is_that_of_the_seed_alone():
    model = Linear(LENGTH)
    flat = model.initialise([0, 0, 0])
    kept = flat.clone()
    found = sharpness(model, flat, CUBE, END, ALL, [3, 4, 3], n_draws=5)
    assert torch.equal(flat, kept)
    assert same(found, sharpness(model, flat, CUBE, END, ALL, [3, 4, 3], n_draws=5))
    for part in parts(found):
        assert torch.equal(part[0], part[2])
    assert (found.value[0] != found.value[1]).all()
    assert (found.loss_increase[0] != found.loss_increase[1]).all()

    alone = sharpness(model, flat, CUBE, END, [RELATIVE], [3, 4, 3], n_draws=5)
    assert torch.equal(alone.value[:, 0], found.value[:, 2])
    both = sharpness(model, flat, CUBE, END, [RELATIVE, GAUSSIAN], [3, 4, 3], n_draws=5)
    assert torch.equal(both.value, found.value[:, [2, 0]])


def test_draws_differ_and_more_of_them_go_on_with_the_first():
    model = Linear(LENGTH)
    flat = model.initialise([0])
    one = sharpness(model, flat, CUBE, END, ALL, [3], n_draws=1)
    two = sharpness(model, flat, CUBE, END, ALL, [3], n_draws=2)
    assert one.standard_error.isnan().all()
    assert one.loss_increase_error.isnan().all()
    second = 2 * two.value - one.value
    assert ((second - one.value).abs() > 1e-3 * one.value).all()
    # The standard error of a mean of two is half of their distance.
    torch.testing.assert_close(two.standard_error, (second - one.value).abs() / 2)


@pytest.mark.parametrize("name", ["transformer_sensitivity", "lstm"])
@pytest.mark.parametrize("n_replicates", [2, 5, 40])
def test_replicate_is_bitwise_independent_of_the_pack(name, n_replicates):
    """Alone or in any slot, beside a replicate that is NaN; of everything that is measured."""
    model = network(name)
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(2, (2, 21, 7), generator=generator)
    targets = torch.rand(2, 21, 3, generator=generator)

    def measured(flat, seeds):
        parameters = model.views(flat)
        return [
            *parts(sharpness(model, flat, tokens, targets, ALL, seeds, n_draws=4)),
            *parts(blowup(model, parameters, tokens[0])),
            parameter_norm(model, flat),
            truth_table(model, parameters, 5),
        ]

    alone = measured(model.initialise([0]), [0])
    assert alone[0].isfinite().all()
    for slot in {0, n_replicates // 2, n_replicates - 1}:
        seeds = [0 if r == slot else r + 1 for r in range(n_replicates)]
        flat = model.initialise(seeds)
        flat[(slot + 1) % n_replicates] = float("nan")
        for part, wanted in zip(measured(flat, seeds), alone, strict=True):
            assert torch.equal(part[slot].nan_to_num(-1), wanted[0].nan_to_num(-1))


@pytest.mark.parametrize("fresh", [False, True], ids=["one set", "a set for each draw"])
def test_standard_error_is_the_spread_of_repetitions(fresh):
    """Over seeds, and over inputs where every draw has its own: few of them, so that they matter."""
    model, n_draws, n_repetitions = Linear(LENGTH), 20, 300
    flat = model.initialise([0])
    generator = torch.Generator().manual_seed(2)
    values, errors = [], []
    for i in range(n_repetitions):
        tokens, targets = CUBE, END
        if fresh:
            tokens = torch.randint(2, (n_draws, 2, LENGTH), generator=generator)
            targets = torch.zeros(n_draws, 2, 1)
        found = sharpness(model, flat, tokens, targets, [GAUSSIAN], [i], n_draws)
        values.append([found.value.item(), found.loss_increase.item()])
        errors.append([found.standard_error.item(), found.loss_increase_error.item()])
    spread = np.std(values, axis=0, ddof=1)
    # Squares are unbiased; that of the spread is known to about 9 %, so 0.25 is nearly three errors.
    np.testing.assert_allclose(np.mean(np.square(errors), axis=0), spread**2, rtol=0.25)
    assert_mean(np.array(values)[:, 0], 4 * 0.3**2 * MEAN_SQUARES[-1])


def test_a_draw_uses_the_set_of_its_number():
    """And after the last set the first again."""
    model = network("lstm")
    flat = model.initialise([0, 1])
    sets = torch.randint(2, (3, 8, 5), generator=torch.Generator().manual_seed(4))

    def total(tokens, n_draws):
        targets = torch.zeros(len(tokens), 8, 1)
        found = sharpness(model, flat, tokens, targets, [GAUSSIAN], [0, 1], max(n_draws, 1))
        return n_draws * found.value

    def added(tokens, draw):
        return total(tokens, draw + 1) - total(tokens, draw)

    for draw in range(5):
        of_sets = [added(tokens[None], draw) for tokens in sets]
        torch.testing.assert_close(added(sets, draw), of_sets[draw % 3])
        assert not torch.allclose(of_sets[draw % 3], of_sets[(draw + 1) % 3], rtol=1e-3)


@pytest.mark.parametrize("name", ["transformer_sensitivity", "lstm"])
def test_loss_increase_is_the_value_where_the_network_equals_its_targets(name):
    model = network(name)
    flat = model.initialise([0])
    tokens = torch.randint(2, (1, 30, 7), generator=torch.Generator().manual_seed(1))
    equal = outputs(model, model.views(flat), tokens[0], 4)
    found = sharpness(model, flat, tokens, equal, ALL, [0], n_draws=4)
    assert torch.equal(found.loss_increase, found.value)
    other = sharpness(model, flat, tokens, equal + 0.5, ALL, [0], n_draws=4)
    assert torch.equal(other.value, found.value)
    assert (other.loss_increase != other.value).all()


def test_loss_increase_is_that_of_the_mean_squared_error():
    """Of one draw, whose loss is found from the moved parameters of a network without positions."""
    model = build_model({"kind": "lstm", "width": 10}, n_symbols=2, n_classes=1, n_positions=7)
    flat = model.initialise([0])
    tokens = torch.randint(2, (1, 30, 7), generator=torch.Generator().manual_seed(1))
    targets = torch.rand(1, 30, 2, generator=torch.Generator().manual_seed(2))
    moved = []
    plain = model.forward

    def watched(parameters, tokens, read_from=0, dropout=None):
        logits = plain(parameters, tokens, read_from, dropout)
        moved.append(logits[0, ..., 0].double())
        return logits

    model.forward = watched
    found = sharpness(model, flat, tokens, targets, [SPHERE], [0], n_draws=1)
    before, after = moved
    losses = [(part - targets[0]).square().mean().item() for part in (before, after)]
    assert found.loss_increase.item() == pytest.approx(4 * (losses[1] - losses[0]))
    assert found.value.item() == pytest.approx(4 * (after - before).square().mean().item())


def test_what_cannot_be_measured_is_refused():
    model = Linear(LENGTH)
    flat = model.initialise([0, 1])
    with pytest.raises(ValueError, match="n_draws is 0"):
        sharpness(model, flat, CUBE, END, ALL, [0, 1], n_draws=0)
    with pytest.raises(ValueError, match="1 seeds for 2 replicates"):
        sharpness(model, flat, CUBE, END, ALL, [0], n_draws=1)
    several = build_model({"kind": "lstm", "width": 10}, n_symbols=2, n_classes=2, n_positions=4)
    with pytest.raises(ValueError, match="the model has 2 outputs"):
        sharpness(several, several.initialise([0]), CUBE, END, ALL, [0], n_draws=1)
    for size in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="a perturbation of size"):
            Perturbation("sphere", size)
    with pytest.raises(ValueError, match="of kind 'ball'; there are gaussian, sphere, relative"):
        Perturbation("ball", 1.0)
