"""Networks as functions of bits: sensitivity, sharpness and degree profiles, and how they grow."""

from nstar.subjects.functions.columns import TABLES, VARIABLES
from nstar.subjects.functions.options import FunctionMeasures
from nstar.subjects.subject import Step, Subject

PROFILE_FIGURES = ("insensitive", "profiles")
"""Drawn where sensitivity profiles are counted."""

FUNCTIONS = Subject(
    name="functions",
    introduction=lambda study: (
        "This study measures trained networks as functions of bits, and how these measures "
        "change with the sequence length n. The definitions follow Hahn and Rofin (2024), "
        "`arXiv 2402.09963 <https://arxiv.org/abs/2402.09963>`__."
    ),
    mistakes="nstar.subjects.functions.mistakes:function_mistakes",
    option="function",
    options=FunctionMeasures,
    option_meaning="what is measured of networks as functions; a study that has it is about that, and "
    "not about demand",
    variables=VARIABLES,
    measure="nstar.subjects.functions.measurement:measure_functions",
    tables=TABLES,
    recipes={"functions": 3, "figures": 4, "findings": 5},
    collected=("measures", "sharpness", "degrees", "sensitivity_profile"),
    block_rows="nstar.subjects.functions.rows:function_rows",
    study_tables="nstar.subjects.functions.sources:with_source_outcomes",
    steps=(
        Step(
            name="analyse_functions",
            message="Fit what was measured of networks as functions.",
            run="nstar.subjects.functions.analysis:analyse_functions",
            recipe="functions",
            job=lambda study: {
                "models": list(study.models),
                "confidence": study.fit.confidence,
                "settled_steps": study.evaluation.function.settled_steps,
            },
            reads=("measures", "sharpness", "sensitivity_profile"),
            makes=("regressions", "shapes", "contrasts", "insensitive"),
        ),
        Step(
            name="draw_figures",
            message="Draw the figures.",
            run="nstar.subjects.functions.figures.all:draw_figures",
            recipe="figures",
            job=lambda study: {
                "figures": study.figures.model_dump(mode="json"),
                "settled_steps": study.evaluation.function.settled_steps,
                "profile": study.evaluation.function.profile,
            },
            reads=("measures", "sharpness", "degrees", "sensitivity_profile", "regressions"),
            figures=lambda study: (
                *("growth", "tradeoff", "dynamics", "sensitivity", "degrees"),
                *(PROFILE_FIGURES if study.evaluation.function.profile else ()),
            ),
        ),
        Step(
            name="write_findings",
            message="Write what the numbers say.",
            run="nstar.subjects.functions.findings.page:write_findings",
            recipe="findings",
            job=lambda study: {"title": study.title},
            reads=(
                *("measures", "sharpness", "degrees", "insensitive"),
                *("regressions", "shapes", "contrasts"),
            ),
            page="findings",
        ),
    ),
)
