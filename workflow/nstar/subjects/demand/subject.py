"""The demand for data: N* of every curve, how it grows, and how models compare."""

from nstar.subjects.axis import AXES, BUDGET, axis_job
from nstar.subjects.demand.columns import TABLES
from nstar.subjects.subject import Step, Subject


def _introduction(study):
    """Return what a study asks: the paper's question for the budget, an extension for other axes."""
    axis = study.axis
    if axis is BUDGET:
        asks, follow = "how many training sequences N*", "follow"
    else:
        asks, follow = f"what {axis.value} {axis.symbol}", f"extend to the {axis.value} those of"
    return (
        f"This study asks {asks} a sequence model needs before it has learnt a task, and how "
        f"{axis.symbol} grows with the sequence length n. The definitions {follow} Ebrahimi et al. "
        "(2026), `arXiv 2602.18333 <https://arxiv.org/abs/2602.18333>`__."
    )


def _other_rule(study):
    """Return the form of the rule of success that robustness judges by."""
    rule = study.training.rule
    return "strict" if rule.other() == rule.strict() else "published"


def _figures(study):
    """Return the figures of each stratum.

    One run shows all numbers of steps, and is at its best at one of them. Tasks with questions are not
    tested at longer lengths. A subject with an accuracy of its own draws that one.
    """
    one_run, judged = study.axis.one_run, bool(study.subject.judge)
    longer = any(task.extrapolates for task in study.tasks.values())
    shown = {
        "demand": True,
        "exponents": True,
        "accuracy": not one_run and not judged,
        "learning_curves": not one_run,
        "extrapolation": longer,
        "positions": longer,
        "outcomes": True,
    }
    return tuple(name for name, is_shown in shown.items() if is_shown)


def _positions(study):
    """Return the names of models by how they encode positions, of those that have a choice."""
    named = {}
    for name, model in study.models.items():
        if kind := getattr(model, "positions", None):
            named.setdefault(kind, []).append(name)
    return named


def _sharing_figure(study):
    """Return the figure of what lengths share: models of one length stand beside models of several."""
    distributions = {name for entry in study.grid for name in entry.length_distributions}
    return ("sharing",) if study.axis is BUDGET and {"fixed"} < distributions else ()


def _has_streams(study):
    """Return whether data, initialisation and order have seeds of their own."""
    return study.replicates.streams is not None


DEMAND = Subject(
    name="demand",
    introduction=_introduction,
    mistakes="nstar.subjects.demand.mistakes:demand_mistakes",
    axes=tuple(AXES),
    searched=True,
    tables=TABLES,
    recipes={"fit": 6, "components": 1, "comparison": 4, "figures": 7, "findings": 8},
    collected=("thresholds", "lengths", "learning_curves", "horizons", "positions"),
    study_tables="nstar.subjects.demand.collection:demand_tables",
    steps=(
        Step(
            name="fit_exponents",
            message="Fit the exponents of the data demand.",
            run="nstar.subjects.demand.exponents:fit_exponents",
            recipe="fit",
            job=lambda study: {
                "axis": axis_job(study),
                "other_rule": _other_rule(study),
                "fit": study.fit.model_dump(mode="json"),
            },
            reads=("cells", "thresholds", "learning_curves"),
            makes=("exponents", "robustness", "checks", "forms", "demand", "learning_exponents"),
            files=("tables/fits.json",),
        ),
        Step(
            name="divide_variance",
            message="Divide the variance of the demand between the streams.",
            run="nstar.subjects.demand.components:divide_demand",
            recipe="components",
            job=lambda study: {"confidence": study.fit.confidence},
            reads=("cells", "thresholds"),
            makes=("variance_components",),
            applies=_has_streams,
        ),
        Step(
            name="compare_curves",
            message="Compare the curves.",
            run="nstar.subjects.demand.comparison:compare_curves",
            recipe="comparison",
            job=lambda study: {
                "axis": axis_job(study),
                "shortest_length": study.data.shortest_length,
                "other_rule": "" if study.subject.judge else _other_rule(study),
                "over": {
                    "study": study.training.rule.over,
                    _other_rule(study): study.training.rule.other().over,
                },
                "confidence": study.fit.confidence,
                "lapse": study.fit.lapse,
                "training": {
                    "max_steps": study.training.max_steps,
                    "evaluate_every": study.training.evaluate_every,
                    "decay": study.training.schedule.decay,
                    "at": "final" if study.subject.judge else study.training.success.at,
                },
            },
            reads=("cells", "thresholds", "demand", "lengths", "longer"),
            makes=("sharing", "ratios", "steps", "extrapolation", "composition"),
        ),
        Step(
            name="draw_figures",
            message="Draw the figures.",
            run="nstar.subjects.demand.figures.all:draw_figures",
            recipe="figures",
            job=lambda study: {
                "axis": axis_job(study),
                "figures": study.figures.model_dump(mode="json"),
                "drawn": _figures(study),
                "tests": study.evaluation.test_lengths,
                "horizon": study.evaluation.horizon,
                "sharing": bool(_sharing_figure(study)),
            },
            reads=(
                *("cells", "thresholds", "exponents", "checks", "demand"),
                *("learning_curves", "learning_exponents", "sharing", "extrapolation"),
                *("longer", "positions"),
            ),
            figures=_figures,
            figures_of_all=_sharing_figure,
        ),
        Step(
            name="write_findings",
            message="Write what the numbers say.",
            run="nstar.subjects.demand.findings.page:write_findings",
            recipe="findings",
            job=lambda study: (
                {
                    "axis": axis_job(study),
                    "title": study.title,
                    "tests": study.evaluation.test_lengths,
                    "horizon": study.evaluation.horizon,
                    "positions": _positions(study),
                }
                | ({"components": True} if _has_streams(study) else {})
            ),
            reads=(
                *("cells", "thresholds", "exponents", "robustness", "checks", "forms"),
                *("demand", "learning_exponents", "sharing", "ratios", "longer", "horizons"),
                "variance_components",
            ),
            page="findings",
        ),
    ),
)
