"""Captions of the report: they render with Snakemake's settings and are clean reStructuredText."""

import io
from pathlib import Path
from types import SimpleNamespace

import docutils.core
import jinja2
import pytest

from nstar.config import AnswerMeasures, Data, Evaluation, Fit, GeometricRange
from nstar.tables import TABLES

REPORT = Path(__file__).parents[2] / "workflow" / "report"
CAPTIONS = sorted(path.name for path in REPORT.glob("*.rst"))
FULL = {
    "name": "small",
    "title": "Demand of *three* models_ for |data|",
    "models": {"transformer_": {}, "lstm": {}},
    "tasks": {"parity": {}, "addition_5": {}},
    "grid": [
        {"lengths": [4, 8], "budgets": {"smallest": 4, "largest": 64, "factor": 4}},
        {"models": ["lstm"], "tasks": ["parity"], "lengths": [16], "budgets": [8, 32]},
    ],
    "replicates": {"seeds": [10, 20], "learning_rates": [0.001]},
    "training": {
        "batch_size": 64,
        "max_steps": 1000,
        "evaluate_every": 50,
        "patience": 7,
        "success": {"measure": "sequence_accuracy", "threshold": 0.99},
    },
}
LINKS = """

.. _Workflow: javascript:show_panel('workflow')
.. _Statistics: javascript:show_panel('statistics')
.. _Figures: javascript:app.showCategory('Figures')
.. _results/figures/demand.svg: javascript:app.showResultInfo('x')
"""


def render(name, config):
    """Render a caption as snakemake.report does, but fail on a name that is not there."""
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    text = (REPORT / name).read_text(encoding="utf-8") + LINKS
    return environment.from_string(text).render(snakemake=SimpleNamespace(config=config))


def with_success(measure, threshold):
    training = FULL["training"] | {"success": {"measure": measure, "threshold": threshold}}
    return FULL | {"training": training}


def test_there_is_a_caption_for_everything():
    figures = ["demand", "exponents", "accuracy", "extrapolation", "outcomes", "sharing"]
    figures += ["growth", "tradeoff", "dynamics", "sensitivity", "degrees"]
    figures += ["width_accuracy", "widths", "operations", "locality"]
    tables = [f"{name}_table" for name in TABLES]
    pages = ["study", "findings"]
    pages += [f"{subject}_{page}" for subject in ("function", "width") for page in pages]
    assert CAPTIONS == sorted(f"{name}.rst" for name in [*figures, *tables, *pages])


@pytest.mark.parametrize("name", CAPTIONS)
@pytest.mark.parametrize(
    "config",
    [
        FULL,
        with_success("loss", "1e-4") | {"data": None, "fit": None, "evaluation": None},
        with_success("token_accuracy", 1) | {"data": {"validation_share": 0.1}},
    ],
    ids=["full", "loss", "token"],
)
def test_a_caption_is_clean_restructuredtext(name, config):
    complaints = io.StringIO()

    docutils.core.publish_doctree(
        render(name, config),
        settings_overrides={"report_level": 2, "warning_stream": complaints},
    )

    assert complaints.getvalue() == ""


@pytest.mark.parametrize("name", CAPTIONS)
def test_values_left_out_are_told_with_the_defaults_of_the_configuration(name):
    defaults = {
        "data": Data().model_dump(),
        "evaluation": Evaluation().model_dump(),
        "fit": Fit().model_dump(),
    }
    assert render(name, FULL) == render(name, FULL | defaults)


def test_thresholds_left_out_are_those_of_the_configuration():
    thresholds = ", ".join(map(str, AnswerMeasures().thresholds))
    assert f"reaches a threshold ({thresholds});" in " ".join(
        render("width_study.rst", FULL).split()
    )


def test_the_default_factor_is_that_of_the_configuration():
    factor = GeometricRange(smallest=4, largest=64).factor
    blocks = [{"lengths": [4], "budgets": {"smallest": 4, "largest": 64}}]

    assert f"each {factor} times" in render("study.rst", FULL | {"grid": blocks})


@pytest.mark.parametrize(
    ("measure", "threshold", "sentence"),
    [
        ("loss", 0.0001, "at most 0.0001 nats"),
        ("token_accuracy", 0.9, "at least 0.9"),
        ("sequence_accuracy", 0.99, "at least 0.99"),
    ],
)
@pytest.mark.parametrize("name", ["study.rst", "demand.rst", "outcomes.rst"])
def test_success_is_told_as_configured(name, measure, threshold, sentence):
    assert sentence in " ".join(render(name, with_success(measure, threshold)).split())


def test_the_study_is_described_by_its_sizes():
    text = " ".join(render("study.rst", FULL).split())

    assert "all models, all tasks: lengths 4, 8; budgets 4 to 64, each 4 times" in text
    assert "``lstm``, ``parity``: lengths 16; budgets 8, 32" in text
    assert "2 seeds (10, 20) and 1 learning rate (0.001)" in text
    assert "The paper fits no exponents" in text
    assert "reduced study" in text


def test_a_study_of_functions_is_told_as_what_it_is():
    blocks = [
        {"lengths": [4, 7], "budgets": "fresh"},
        {"models": ["lstm"], "lengths": [7], "budgets": [32]},
    ]
    text = " ".join(render("function_study.rst", FULL | {"grid": blocks}).split())

    assert "all models, all tasks: lengths 4, 7; every batch drawn anew" in text
    assert "``lstm``, all tasks: lengths 7; training sets of 32 sequences" in text
    assert "Weights are measured at the end." in text
    assert "N*" not in text


def test_a_study_of_widths_is_told_as_what_it_is():
    blocks = [{"lengths": [4, 7], "supervisions": ["outcome", "chain_of_thought"], "budgets": [32]}]
    answers = {"answers": {"measure": "answer", "thresholds": [0.2, 0.7]}}
    text = " ".join(
        render("width_study.rst", FULL | {"grid": blocks, "evaluation": answers}).split()
    )

    assert "sizes n = 4, 7; the answer alone, and steps and answer; training sets of 32 q" in text
    assert "Shown is the accuracy of the answer;" in text
    assert "reaches a threshold (0.2, 0.7);" in text
    assert "N*" not in text


@pytest.mark.parametrize("name", ["exponents.rst", "sharing.rst"])
def test_the_interval_is_told_with_its_confidence(name):
    text = render(name, FULL | {"fit": {"confidence": 0.9}})
    assert "90 % intervals" in " ".join(text.split())


def test_the_shortest_length_of_the_sum_is_told_as_configured():
    text = render("sharing.rst", FULL | {"data": {"shortest_length": 4}})
    assert "n from 4 to L" in " ".join(text.split())
