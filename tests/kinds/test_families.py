"""Families as a field of models: who is in one, and what does not depend on it."""

import json

import pytest
from support.studies import QUESTIONS, TINY, changed

from nstar.cells import cells_of, training_specification
from nstar.kinds import KINDS, read_options
from nstar.kinds.families import differences, family_along
from nstar.options import EVERYTHING
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.study import Study

LSTM = {"kind": "lstm", "width": 8}
TRANSFORMER = {"kind": "transformer", "width": 8, "depth": 2, "heads": 2}


def models_of(**options):
    return {name: read_options(own) for name, own in options.items()}


def study_of(**models):
    return load_study(changed(TINY, models=models, **{"grid.0.models": list(models)}))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_model_may_have_a_family_and_has_none_unless_it_is_given(kind):
    (name, options), *_ = kind.EXAMPLES.items()
    options = {"kind": kind.model_fields["kind"].annotation.__args__[0], **options}
    assert read_options(options).family is None
    member = read_options(options | {"family": name})
    assert member.family == name
    assert member.specification() == read_options(options).specification()


def test_a_name_that_ends_with_the_width_makes_no_family():
    models = models_of(lstm_8=LSTM, lstm_16=LSTM | {"width": 16})
    assert {family_along("width", name, models) for name in models} == {"lstm_8", "lstm_16"}


def test_a_model_has_its_family_along_the_axis_in_which_the_members_differ():
    wide = {f"w_{width}": TRANSFORMER | {"width": width, "family": "w"} for width in (4, 8)}
    deep = {f"d_{depth}": TRANSFORMER | {"depth": depth, "family": "d"} for depth in (1, 4)}
    models = models_of(**wide, **deep, alone=LSTM)
    along_width = {name: family_along("width", name, models) for name in models}
    assert along_width == {"w_4": "w", "w_8": "w", "d_1": "d_1", "d_4": "d_4", "alone": "alone"}
    along_depth = {name: family_along("depth", name, models) for name in models}
    assert along_depth == {"w_4": "w_4", "w_8": "w_8", "d_1": "d", "d_4": "d", "alone": "alone"}


def test_a_family_of_one_model_is_a_family_along_any_axis():
    models = models_of(lstm_8=LSTM | {"family": "lstm"}, lone=LSTM)
    assert family_along("width", "lstm_8", models) == "lstm"


def test_differences_are_options_with_the_value_of_each_model_whatever_its_kind():
    models = models_of(a=LSTM | {"family": "g"}, b=TRANSFORMER, c=LSTM | {"width": 4})
    found = differences(models.values())
    assert found["width"] == [8, 8, 4]
    assert found["kind"] == ["lstm", "transformer", "lstm"]
    assert found["depth"] == [None, 2, None]
    assert "family" not in found and "weight_decay" not in found
    assert not differences(models_of(a=LSTM | {"family": "g"}, b=LSTM).values())


def test_a_renamed_family_has_the_stores_it_had(tmp_path):
    def made(family):
        models = {f"lstm_{width}": LSTM | {"width": width} | family for width in (4, 8)}
        study = study_of(**models)
        plan = make_plan(study, tmp_path)
        specifications = [training_specification(study, cell) for cell in cells_of(study)]
        return specifications, {plan.stores.cell(block) for block in plan.blocks}

    assert made({"family": "one"}) == made({"family": "two"}) == made({})


def test_networks_do_not_know_their_family():
    assert read_options(LSTM | {"family": "lstm"}).specification() == LSTM


@pytest.mark.parametrize("context", [None, EVERYTHING])
def test_a_study_keeps_its_families_when_it_is_dumped_and_read_again(context):
    study = load_study(QUESTIONS)
    families = {name: model.family for name, model in study.models.items()}
    assert families == {"standard_4": "standard", "standard_8": "standard", "lstm": None}
    dumped = json.loads(json.dumps(study.model_dump(mode="json", context=context)))
    assert Study.model_validate(dumped) == study
    assert load_study(dumped) == study


def test_a_model_without_a_family_is_dumped_as_it_always_was():
    assert read_options(LSTM).model_dump() == LSTM
    assert read_options(LSTM).model_dump(context=EVERYTHING)["family"] is None
