"""Answers to questions: a measure that decides which width is enough, and what it adds to the demand."""

from nstar.kinds.families import family_along
from nstar.subjects.answers.columns import TABLES
from nstar.subjects.answers.options import AnswerMeasures
from nstar.subjects.demand.subject import DEMAND
from nstar.subjects.subject import Step, Subject


def _figures(study):
    names = ("width_accuracy", "widths", "operations")
    localities = {getattr(task, "locality", None) for task in study.tasks.values()} - {None}
    return (*names, "locality") if len(localities) > 1 else names


def _attention_of(model):
    """Return the kind of attention of a model, or nothing."""
    if model.kind != "transformer":
        return ""
    return model.attention.kind if model.attention else "softmax"


def _shown(study):
    """Return the accuracy and the threshold that figures and findings show."""
    answers = study.evaluation.answers
    return {"measure": answers.measure, "threshold": answers.main_threshold}


def _judge(study):
    """Return the accuracy that decides whether a replicate has learnt, that which figures show."""
    answers = study.evaluation.answers
    return {
        "table": "answers",
        "column": f"{answers.measure}_accuracy",
        "threshold": answers.main_threshold,
        "meaning": answers.meaning("measure", answers.measure),
    }


ANSWERS = Subject(
    name="answers",
    introduction=lambda study: (
        "This study asks what width D* networks need to answer questions, and how it grows "
        "with the size n of the problem. The definitions follow Yang et al. (2024), `arXiv "
        "2402.13934 <https://arxiv.org/abs/2402.13934>`__."
    ),
    mistakes="nstar.subjects.answers.mistakes:answer_mistakes",
    base=DEMAND,
    judge=_judge,
    axes=("width",),
    option="answers",
    options=AnswerMeasures,
    option_meaning="what is measured of networks that answer questions; a study that has it is about "
    "the width that these need, and not about data",
    tables=TABLES,
    recipes={"widths": 4, "figures": 3, "findings": 6},
    collected=("answers",),
    block_rows="nstar.subjects.answers.rows:answer_rows",
    steps=(
        Step(
            name="fit_widths",
            message="Find the widths that are needed, and fit how they grow.",
            run="nstar.subjects.answers.exponents:fit_widths",
            recipe="widths",
            job=lambda study: {
                "thresholds": study.evaluation.answers.thresholds,
                "confidence": study.fit.confidence,
                "tasks": {name: task.kind for name, task in study.tasks.items()},
                "families": {
                    family_along("width", name, study.models): _attention_of(model)
                    for name, model in study.models.items()
                },
            },
            reads=("answers",),
            makes=("widths", "width_exponents"),
        ),
        Step(
            name="draw_answers",
            message="Draw how questions are answered.",
            run="nstar.subjects.answers.figures:draw_figures",
            recipe="figures",
            job=lambda study: {
                "figures": study.figures.model_dump(mode="json"),
                "names": _figures(study),
                **_shown(study),
            },
            reads=("answers", "widths", "width_exponents"),
            figures=_figures,
        ),
        Step(
            name="write_answers",
            message="Write how questions are answered.",
            run="nstar.subjects.answers.findings:write_findings",
            recipe="findings",
            job=lambda study: {"title": study.title, **_shown(study)},
            reads=("answers", "widths", "width_exponents"),
            page="answers",
        ),
    ),
)
