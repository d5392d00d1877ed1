"""Forms of the law: the one that made the data is found, and every parameter is counted."""

import numpy as np
import pytest
from statistics_coverage import scaling_data, simulate_runs

from nstar.stats import compare_forms

LENGTHS = tuple(range(4, 40, 3))


def forms_of(law, lengths=LENGTHS, seed=0, modulus=False, **changes):
    """Return the forms fitted to a study whose log demand is `law` of the length."""
    generator = np.random.default_rng(seed)
    effects = [law(n) + 0.05 * generator.normal() for n in lengths]
    runs = simulate_runs(seed, lengths=lengths, exponent=0.0, place_effects=effects)
    data = scaling_data(runs) | changes
    length = np.exp(data.pop("covariates")["length"])
    return {form.form: form for form in compare_forms(**data, length=length)}


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("power", lambda n: 1.5 * np.log(n)),
        ("exponential", lambda n: 0.12 * n),
        ("broken_power", lambda n: 2.5 * max(0, np.log(n / 12))),
    ],
)
def test_the_form_that_made_the_data_is_best(name, law):
    forms = forms_of(law)

    assert list(forms) == ["power", "exponential", "broken_power"]
    assert forms[name].delta_aic < 2
    if name != "broken_power":
        assert forms[name].delta_aic == 0 or forms["broken_power"].delta_aic == 0
        other = {"power": "exponential", "exponential": "power"}[name]
        assert forms[other].delta_aic > 4
    else:
        assert 9 < forms["broken_power"].knot < 16
        assert min(forms["power"].delta_aic, forms["exponential"].delta_aic) > 2


def test_every_parameter_is_counted():
    forms = forms_of(lambda n: 1.5 * np.log(n))

    assert {name: form.n_parameters for name, form in forms.items()} == {
        "power": 5,  # intercept, exponent, s, tau, lapse
        "exponential": 5,
        "broken_power": 7,  # and the change of the exponent, and the knot
    }
    broken = forms["broken_power"]
    assert broken.aic == pytest.approx(2 * 7 - 2 * broken.fit.log_likelihood)
    assert broken.bic == pytest.approx(7 * np.log(len(LENGTHS)) - 2 * broken.fit.log_likelihood)


def test_a_bend_needs_two_lengths_on_either_side():
    forms = forms_of(lambda n: 1.5 * np.log(n), lengths=(4, 8, 16))

    assert forms["power"].identified
    assert not forms["broken_power"].identified
    assert forms["broken_power"].reason.startswith("A bend needs at least 2 lengths on either side")
    assert np.isnan([forms["broken_power"].aic, forms["broken_power"].knot]).all()


def test_one_length_has_no_form():
    forms = forms_of(lambda n: 1.0, lengths=(8,))

    assert not any(form.identified for form in forms.values())
    assert "length has one value" in forms["power"].reason
    assert np.isnan([form.delta_aic for form in forms.values()]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": [4]}, r"budget has shape \(2,\) and length has shape \(1,\)"),
        ({"covariates": {"bend": [1, 2]}}, "a covariate is called 'bend': the forms use that name"),
    ],
)
def test_wrong_input_is_named(changes, message):
    rows = {"budget": [1, 2], "n_learnt": [0, 1], "n_runs": [1, 1], "curve": ["a", "b"]}
    with pytest.raises(ValueError, match=message):
        compare_forms(**rows | {"length": [4, 8]} | changes)


def test_lengths_have_to_be_positive():
    with pytest.raises(ValueError, match="row 1: the length is 0: it must be positive"):
        compare_forms([1, 2], [0, 1], [1, 1], ["a", "b"], [4, 0])
