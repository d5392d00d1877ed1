"""Captions of the report: they render with Snakemake's settings and are clean reStructuredText."""

import dataclasses
import io
from pathlib import Path
from types import SimpleNamespace

import docutils.core
import docutils.nodes
import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.studies import FUNCTIONS, QUESTIONS, changed, tiny

import nstar
from nstar.options import EVERYTHING
from nstar.reading.check import load_study
from nstar.subjects.axis import BUDGET, DEPTH, STEPS, WIDTH
from nstar.subjects.registry import SUBJECTS
from nstar.tables import EVERY_STUDY

REPORT = Path(__file__).parents[2] / "workflow" / "report"
CAPTIONS = {f"{path.stem}": path for path in REPORT.glob("*.rst")} | {
    f"{subject.name}/{path.stem}": path
    for subject in SUBJECTS
    for path in (Path(nstar.__file__).parent / f"subjects/{subject.name}/captions").glob("*.rst")
}


def resolved(study, axis=BUDGET):
    """Return a configuration as captions see it: with all defaults, and what the study asks."""
    study = load_study(study)
    subject = study.subject
    asked = {
        "introduction": subject.introduction(study),
        "axis": dataclasses.asdict(axis),
        "judge": subject.judge and subject.judge(study),
        "pages": [step.page for one in subject.lineage for step in one.steps],
        "folder": "results/studies/tiny",
        "seal": "0123456789ab",
    }
    return study.model_dump(mode="json", context=EVERYTHING) | asked


TITLE = "</script> Demand of *three* models_ for |data|, `x`_, a\\\\b :sub:`2` .. [1]_ -- Ωж中 🎉"
FULL = tiny(title=TITLE, **{"training.max_steps": 1000, "training.patience": 7})
FIGURES = {
    "demand": (
        *(
            "demand",
            "exponents",
            "accuracy",
            "learning_curves",
            "extrapolation",
            "positions",
            "outcomes",
        ),
        "sharing",
    ),
    "functions": (
        *("growth", "tradeoff", "dynamics", "sensitivity", "degrees"),
        *("profiles", "insensitive"),
    ),
    "answers": ("width_accuracy", "widths", "operations", "locality"),
}
LINKS = """

.. _Workflow: javascript:show_panel('workflow')
.. _Statistics: javascript:show_panel('statistics')
.. _Figures: javascript:app.showCategory('Figures')
.. _Findings: javascript:app.showCategory('Findings')
.. _Methods: javascript:app.showCategory('Methods')
.. _demand.svg: javascript:app.showResultInfo('results/studies/tiny/figures/demand.svg')
.. _methods.html: javascript:app.showResultInfo('results/studies/tiny/methods.html')
.. _findings.html: javascript:app.showResultInfo('results/studies/tiny/findings.html')
"""


def render(name, study, axis=BUDGET):
    """Render a caption as snakemake.report does, but fail on a name that is not there."""
    config = resolved(study, axis)
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    text = CAPTIONS[name].read_text(encoding="utf-8") + LINKS
    return environment.from_string(text).render(snakemake=SimpleNamespace(config=config))


def published(name, study, axis=BUDGET, **settings):
    """Return the document of a rendered caption, and what docutils complains of."""
    complaints = io.StringIO()
    document = docutils.core.publish_doctree(
        render(name, study, axis),
        settings_overrides={"report_level": 2, "warning_stream": complaints, **settings},
    )
    return document, complaints.getvalue()


def with_success(measure, threshold, **others):
    success = {"measure": measure, "threshold": threshold, **others}
    return changed(FULL, **{"training.success": success})


def test_there_is_a_caption_for_everything():
    shared = ["study", "methods", *(f"{name}_table" for name in EVERY_STUDY)]
    own = [
        f"{subject.name}/{name}"
        for subject in SUBJECTS
        for name in (
            *(step.page for step in subject.steps if step.page),
            *FIGURES[subject.name],
            *(f"{name}_table" for name in subject.tables),
        )
    ]
    assert sorted(CAPTIONS) == sorted([*shared, *own])


@pytest.mark.parametrize("name", CAPTIONS)
@pytest.mark.parametrize(
    "study",
    [
        FULL,
        with_success("loss", 1e-4),
        changed(
            with_success("token_accuracy", 0.5, at="final"), **{"training.stop_on_success": False}
        ),
        FUNCTIONS,
        QUESTIONS,
    ],
    ids=["full", "loss", "token", "functions", "answers"],
)
def test_a_caption_is_clean_restructuredtext(name, study):
    assert published(name, study)[1] == ""


OF_DEMAND = [name for name in CAPTIONS if name.startswith("demand/")]
OF_DATA = {"demand/sharing"}
"""Captions of figures that a study of another demand does not have."""


@pytest.mark.parametrize("axis", [WIDTH, DEPTH, STEPS], ids=lambda axis: axis.name)
@pytest.mark.parametrize("stop", [True, False])
@pytest.mark.parametrize("name", sorted(set(OF_DEMAND) - OF_DATA))
def test_a_caption_speaks_of_the_axis(name, stop, axis):
    study = changed(FULL, **{"training.stop_on_success": stop})
    document, complaints = published(name, study, axis)
    assert complaints == ""
    text = " ".join(document.astext().split())
    for word in ("N*", "training sequences"):
        assert word not in text
    assert "budget" not in text.replace("The column budget holds the", "").lower()
    assert "N0" not in text


@pytest.mark.parametrize("axis", [BUDGET, WIDTH, DEPTH, STEPS], ids=lambda axis: axis.name)
def test_captions_name_what_is_sought(axis):
    texts = {
        name: " ".join(published(f"demand/{name}", FULL, axis)[0].astext().split())
        for name in ("demand", "exponents", "thresholds_table", "learning_curves", "outcomes")
    }
    assert texts["demand"].startswith(f"Demand for {axis.resource}. {axis.symbol} against")
    smallest = f"the smallest {axis.value} {axis.preposition} which any replicate learnt"
    assert smallest in texts["demand"]
    assert f"with {axis.symbol} inside the {axis.values} minus" in texts["exponents"]
    assert f"{axis.symbol} lies in (lower, upper]" in texts["thresholds_table"]
    assert f"{axis.values} run to the right" in texts["outcomes"]
    assert f"falls as {axis.letter}^-b." in texts["learning_curves"]
    assert ("says nothing about data" in texts["exponents"]) == (axis is BUDGET)
    assert ("2602.18333" in texts["thresholds_table"]) == (axis is BUDGET)


def assert_shown_as_written(text):
    document, complaints = published("study", changed(FULL, title=text))
    assert complaints == ""
    (title,) = document.findall(docutils.nodes.title)
    assert title.astext() == text.strip()
    assert all(isinstance(node, docutils.nodes.Text) for node in title.children)


@given(
    st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=200).filter(
        lambda text: not text.isspace()
    )
)
def test_a_title_is_shown_as_it_is_written(text):
    assert_shown_as_written(text)


@pytest.mark.parametrize(
    "text",
    [
        TITLE,
        "1. a list",
        "(a) another",
        "- a bullet",
        ":field: body",
        ".. include:: /etc/passwd",
        "::",
        "=====",
        ">>> doctest",
        "|substitution|",
        "https://example.org and someone@example.org",
        "{{ 7 * 7 }} {% raw %} {# note #}",
        "\\",
        "A " * 100,
        "W" * 200,
    ],
)
def test_no_markup_of_a_title_is_read(text):
    assert_shown_as_written(text)


@pytest.mark.parametrize(
    ("study", "words"),
    [
        (FULL, ("how many training sequences N*", "2602.18333")),
        (FUNCTIONS, ("as functions of bits", "2402.09963")),
        (QUESTIONS, ("what width D* networks need", "2402.13934")),
    ],
    ids=["demand", "functions", "answers"],
)
def test_the_first_page_has_two_sentences_and_links(study, words):
    text = " ".join(published("study", study)[0].astext().split())
    answers = ", read the answers" if study is QUESTIONS else ""
    for word in (*words, f"Read the findings{answers} or read the methods."):
        assert word in text
    sentences = text.partition(" This study ")[2].partition("Read the findings")[0]
    assert sentences.replace("et al.", "").count(". ") + sentences.count(".\n") <= 2
    assert ("N*" in text) == (study is FULL)


@pytest.mark.parametrize(
    ("measure", "threshold", "sentence"),
    [
        ("loss", 0.0001, "at most 0.0001 nats"),
        ("token_accuracy", 0.9, "at least 0.9"),
        ("sequence_accuracy", 0.99, "at least 0.99"),
    ],
)
@pytest.mark.parametrize("name", ["demand/demand", "demand/outcomes"])
def test_success_is_told_as_configured(name, measure, threshold, sentence):
    assert sentence in " ".join(render(name, with_success(measure, threshold)).split())


@pytest.mark.parametrize("name", ["demand/demand", "demand/outcomes"])
def test_success_of_answers_is_that_of_the_accuracy_that_judges_them(name):
    study = changed(QUESTIONS, **{"evaluation.answers": {"measure": "answer", "thresholds": [0.7]}})
    text = " ".join(render(name, study, WIDTH).split())
    assert "share of right answers" in text and "at least 0.7" in text
    assert "evaluation." not in text


@pytest.mark.parametrize(
    ("name", "at_best", "at_final"),
    [
        ("demand/demand", "at some evaluation,", "at its last evaluation,"),
        ("demand/outcomes", "at some evaluation,", "at the last evaluation,"),
        ("demand/extrapolation", "the first evaluation that passed", "success does not end it"),
    ],
)
def test_the_evaluation_that_decides_is_told_as_configured(name, at_best, at_final):
    final = changed(
        with_success("loss", 0.1, at="final"),
        **{"training.stop_on_success": False, "training.objective": "squared_error"},
    )
    best, last = (
        " ".join(render(name, study).split()) for study in (with_success("loss", 0.1), final)
    )
    assert at_best in best and at_final not in best
    assert at_final in last and at_best not in last and "nats" not in last


@pytest.mark.parametrize("name", ["demand/demand", "demand/outcomes"])
def test_confirmation_and_what_has_to_pass_are_told_as_configured(name):
    rule = {"training.success.over": "every_length", "training.success.confirm": False}
    strict, lax = (" ".join(render(name, study).split()) for study in (FULL, changed(FULL, **rule)))
    assert "the confirmation set as well." in strict and "confirmation" not in lax
    assert "at every length" in lax and "at every length" not in strict


@pytest.mark.parametrize("name", ["demand/exponents", "demand/sharing"])
def test_the_interval_is_told_with_its_confidence(name):
    text = render(name, changed(FULL, **{"fit.confidence": 0.9}))
    assert "90 % intervals" in " ".join(text.split())


def test_the_shortest_length_of_the_sum_is_told_as_configured():
    text = render("demand/sharing", changed(FULL, **{"data.shortest_length": 4}))
    assert "n from 4 to L" in " ".join(text.split())
