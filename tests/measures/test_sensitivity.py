"""Exact values of the sensitivity of functions on the cube, and the inequality of lemma 21."""

import math
from itertools import combinations, product

import numpy as np
import pytest

from nstar.measures.sensitivity import (
    MOST_BITS,
    average_sensitivity,
    cube,
    degree_profile,
    estimate_average_sensitivity,
    fourier_coefficients,
    pointwise_sensitivity,
    random_profile,
    sensitivity_profile,
)

SIZES = (4, 5, 9, 10, 15, 16, 20)


def parity(x):
    return x.prod(axis=1, dtype=np.int8)


def majority(x):
    """A tie counts as -1."""
    return np.where(x.sum(axis=1) > 0, 1, -1)


def first(x):
    return x[:, 0]


def mean(x):
    return x.mean(axis=1)


FUNCTIONS = {"parity": parity, "majority": majority, "first": first, "mean": mean}


def exact(name, n):
    """Return the average sensitivity by its closed form."""
    m = (n + 1) // 2  # as_{2m} = as_{2m-1}
    odd = 2 * m - 1
    return {
        "parity": n,
        "first": 1,
        "mean": 1 / n,
        "majority": odd * math.comb(odd - 1, (odd - 1) // 2) / 2 ** (odd - 1),
    }[name]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_flips_and_the_walsh_hadamard_transform_agree_with_the_closed_form(name, n):
    """Hahn and Rofin (2024), section 3."""
    table = FUNCTIONS[name](cube(n))
    profile = degree_profile(table)
    assert average_sensitivity(table) == pytest.approx(exact(name, n), abs=1e-12)
    assert np.arange(n + 1) @ profile == pytest.approx(exact(name, n), abs=1e-12)
    assert profile.sum() == pytest.approx((table.astype(float) ** 2).mean(), abs=1e-12)


@pytest.mark.parametrize(
    ("n", "value"), [(4, 1.5), (5, 1.875), (10, 2.46094), (15, 3.14209), (20, 3.52394)]
)
def test_majority_has_the_values_that_the_literature_gives(n, value):
    assert average_sensitivity(majority(cube(n))) == pytest.approx(value, abs=5e-6)


def test_a_majority_of_many_bits_grows_with_their_root():
    assert exact("majority", 4001) == pytest.approx(math.sqrt(2 * 4001 / math.pi), rel=1e-3)


def test_random_functions_have_half_of_the_bits_on_average():
    """Mean n/2, standard deviation sqrt(n / 2^(n+1)) = 0.0699 at n = 10."""
    tables = np.random.default_rng(0).choice([-1, 1], (500, 1024))
    found = average_sensitivity(tables)
    assert np.abs(found - 5).max() < 5 * 0.0699
    assert found.mean() == pytest.approx(5, abs=3 * 0.0699 / math.sqrt(500))
    assert found.std() == pytest.approx(0.0699, rel=0.15)


@pytest.mark.parametrize("n_bits", [1, 3, 6])
def test_a_product_of_some_bits_has_as_many_as_its_sensitivity_and_degree(n_bits):
    x = cube(6)
    for bits in combinations(range(6), n_bits):
        table = x[:, bits].prod(axis=1)
        assert average_sensitivity(table) == n_bits
        assert degree_profile(table).tolist() == [float(i == n_bits) for i in range(7)]
        where = np.flatnonzero(fourier_coefficients(table))
        assert where.tolist() == [sum(2**bit for bit in bits)]


def test_coefficients_are_means_of_products():
    table = np.random.default_rng(0).normal(size=32)
    x, found = cube(5), fourier_coefficients(table)
    for p in range(32):
        bits = [bit for bit in range(5) if p >> bit & 1]
        assert found[p] == pytest.approx((table * x[:, bits].prod(axis=1)).mean(), abs=1e-12)


def test_leading_axes_are_functions_of_their_own():
    tables = np.random.default_rng(0).normal(size=(3, 2, 16))
    for measure in (pointwise_sensitivity, fourier_coefficients, degree_profile):
        together = measure(tables)
        np.testing.assert_array_equal(together[2, 1], measure(tables[2, 1]))
    assert average_sensitivity(tables).shape == (3, 2)


def test_majority_is_most_sensitive_where_it_is_balanced():
    sensitivity = pointwise_sensitivity(majority(cube(5)))
    assert sensitivity.max() == 3  # (n + 1) / 2
    ones = (cube(5) > 0).sum(axis=1)
    assert set(ones[sensitivity == 3]) == {2, 3}


def block_sensitivity(table, x, bits):
    """Return the most disjoint sets among some bits whose flip changes the value at input number x."""
    if not bits:
        return 0
    lowest, *rest = bits
    most = block_sensitivity(table, x, rest)
    for size in range(len(rest) + 1):
        for others in combinations(rest, size):
            block = (lowest, *others)
            if table[x ^ sum(2**bit for bit in block)] != table[x]:
                left = [bit for bit in rest if bit not in others]
                most = max(most, 1 + block_sensitivity(table, x, left))
    return most


@pytest.mark.parametrize("seed", range(3))
def test_sensitivity_is_at_most_block_sensitivity(seed):
    """Nisan (1991): the single bits whose flip changes the value are disjoint sets of bits."""
    table = np.random.default_rng(seed).choice([-1, 1], 32)
    blocks = [block_sensitivity(table, x, list(range(5))) for x in range(32)]
    sensitivity = pointwise_sensitivity(table)
    assert (sensitivity <= blocks).all() and (sensitivity < blocks).any()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_estimate_from_samples_is_near_the_exact_value(name):
    found = estimate_average_sensitivity(FUNCTIONS[name], 20, n_inputs=4000, seed=1)
    assert abs(found.value - exact(name, 20)) <= 4 * found.standard_error + 1e-12
    other = estimate_average_sensitivity(FUNCTIONS[name], 20, n_inputs=4000, seed=1)
    assert found == other


def test_one_input_has_no_standard_error():
    assert math.isnan(estimate_average_sensitivity(first, 5, n_inputs=1, seed=0).standard_error)


def distance(one, other):
    return np.sqrt(((one - other) ** 2).mean(axis=-1))


def root_mean_square(table):
    return np.sqrt((table**2).mean(axis=-1))


def least_distance(n, sensitivity, norm, other_sensitivity):
    """Return the lower bound of lemma 21 on the distance of two functions of n bits."""
    near = norm * np.sqrt(2 * other_sensitivity / sensitivity)
    return np.sqrt(sensitivity / (2 * n - sensitivity / norm**2)) - near


def adversarial_pairs(generator, n):
    """Yield pairs of tables: a function, and others of little sensitivity as near to it as may be."""
    x = cube(n).astype(float)
    for k in (1, n // 2, n):
        table = x[:, :k].prod(axis=1)
        yield table, np.full_like(table, table.mean())
        for share in np.linspace(0, 1, 11):
            yield table, share * table
            coefficients = fourier_coefficients(generator.choice([-1.0, 1.0], 2**n))
            degree = np.bitwise_count(np.arange(2**n))
            smooth = sum(
                c * x[:, [b for b in range(n) if p >> b & 1]].prod(axis=1)
                for p, c in enumerate(coefficients)
                if degree[p] <= 2
            )
            yield table + share * smooth, smooth


def test_lemma_21_holds_for_random_and_adversarial_pairs():
    """Hahn and Rofin (2024), lemma 21: a bound at every n, for every pair of functions."""
    generator, n = np.random.default_rng(0), 6
    scales = generator.uniform(0, 1, (20_000, 1))
    ones = generator.choice([-1.0, 1.0], (20_000, 2**n))
    kept = generator.random((20_000, 2**n)) < scales
    others = np.where(kept, ones, generator.choice([-1.0, 1.0], (20_000, 2**n)))
    others *= generator.uniform(0, 1.2, (20_000, 1))
    pairs = [(ones, others), *adversarial_pairs(generator, n)]
    for one, other in pairs:
        sensitivity = average_sensitivity(one)
        bound = least_distance(n, sensitivity, root_mean_square(one), average_sensitivity(other))
        assert (distance(one, other) >= bound - 1e-12).all()


def test_lemma_21_is_tight_for_parity_beside_a_constant():
    table = parity(cube(8)).astype(float)
    assert least_distance(8, 8.0, 1.0, 0.0) == 1.0
    assert distance(table, np.zeros(256)) == 1.0


@pytest.mark.parametrize("size", [0, 1, 3, 12])
def test_a_table_that_is_not_of_a_cube_is_refused(size):
    with pytest.raises(ValueError, match="values at all 2\\^n inputs"):
        average_sensitivity(np.zeros(size))


@pytest.mark.parametrize("n_bits", [0, -1, MOST_BITS + 1])
def test_a_cube_of_impossible_size_is_refused(n_bits):
    with pytest.raises(ValueError, match=f"n_bits is {n_bits}"):
        cube(n_bits)


def test_an_estimate_from_nothing_is_refused():
    with pytest.raises(ValueError, match="0 inputs of 5 bits"):
        estimate_average_sensitivity(first, 5, n_inputs=0, seed=0)


# Profiles


def profile_by_definition(table, n):
    """Return K_0 .. K_n by flipping each bit of each input, an input being a tuple."""
    value = {tuple(x): f for x, f in zip(cube(n).tolist(), table, strict=True)}
    counts = [0] * (n + 1)
    for x, f in value.items():
        flipped = [(*x[:i], -x[i], *x[i + 1 :]) for i in range(n)]
        counts[sum(value[y] != f for y in flipped)] += 1
    return counts


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_a_profile_counts_inputs_by_flips(n):
    tables = np.random.default_rng(n).choice([-1, 1], (3, 2, 2**n))
    found = sensitivity_profile(tables)
    assert found.shape == (3, 2, n + 1) and found.dtype == np.int64
    for place in np.ndindex(3, 2):
        assert found[place].tolist() == profile_by_definition(tables[place], n)
    np.testing.assert_array_equal(found.sum(axis=-1), 2**n)
    np.testing.assert_allclose(found @ np.arange(n + 1) / 2**n, average_sensitivity(tables))


def as_profile(n, **counts):
    return [counts.get(f"K{s}", 0) for s in range(n + 1)]


@pytest.mark.parametrize("n", [3, 6, 7, 10])
def test_profiles_of_known_functions(n):
    """PARITY, FIRST and sparse parities have no insensitive input, MAJORITY has nearly all of them."""
    x = cube(n)
    assert sensitivity_profile(parity(x)).tolist() == as_profile(n, **{f"K{n}": 2**n})
    assert sensitivity_profile(first(x)).tolist() == as_profile(n, K1=2**n)
    sparse = x[:, :3].prod(axis=1)
    assert sensitivity_profile(sparse).tolist() == as_profile(n, K3=2**n)
    constant = np.ones(2**n)
    assert sensitivity_profile(constant).tolist() == as_profile(n, K0=2**n)
    conjunction = np.where((x == 1).all(axis=1), 1, -1)
    counts = {"K0": 2**n - n - 1, "K1": n} | {f"K{n}": 1}
    assert sensitivity_profile(conjunction).tolist() == as_profile(n, **counts)
    m = n // 2  # a tie is -1: with m ones every further one counts, with m + 1 every one of these
    below, above = math.comb(n, m), math.comb(n, m + 1)
    if n % 2:
        counts = {"K0": 2**n - 2 * below, f"K{m + 1}": below + above}
    else:
        counts = {"K0": 2**n - below - above, f"K{m}": below, f"K{m + 1}": above}
    assert sensitivity_profile(majority(x)).tolist() == as_profile(n, **counts)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_expected_profile_is_the_mean_over_all_functions(n):
    tables = np.array(list(product([-1, 1], repeat=2**n)))
    np.testing.assert_array_equal(sensitivity_profile(tables).mean(axis=0), random_profile(n))


def test_random_functions_have_an_insensitive_input_with_probability_1_less_1_over_e():
    """Arxiv:2606.08768 has 0.63."""
    tables = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (600, 2**10))
    share = (sensitivity_profile(tables)[:, 0] >= 1).mean()
    assert share == pytest.approx(1 - math.exp(-1), abs=4 * (0.63 * 0.37 / 600) ** 0.5)


def test_only_boolean_functions_have_a_profile():
    with pytest.raises(ValueError, match="values are -1 or \\+1"):
        sensitivity_profile(mean(cube(3)))
    with pytest.raises(ValueError, match="values are -1 or \\+1"):
        sensitivity_profile(np.full(8, np.nan))
