"""Analyse networks as functions: slopes, shapes and ratios of what was measured; figures, findings.

Reads results/tables/measures.csv, sharpness.csv and degrees.csv; makes the tables of regressions, shapes
and contrasts, results/figures/ and results/findings.html.
"""

FUNCTION_FIGURES = ["growth", "tradeoff", "dynamics", "sensitivity", "degrees"]
FUNCTION_STEMS = {
    (name, stratum_name(*stratum)): f"results/figures/{name}{stratum_suffix(*stratum)}"
    for stratum in strata_of(STUDY)
    for name in FUNCTION_FIGURES
}
SETTLED = STUDY.evaluation.function.settled_steps


rule analyse_functions:
    input:
        measures="results/tables/measures.csv",
        sharpness="results/tables/sharpness.csv",
    output:
        regressions=report_table("regressions"),
        shapes=report_table("shapes"),
        contrasts=report_table("contrasts"),
    log:
        "results/logs/analyse_functions.log",
    benchmark:
        "results/benchmarks/analyse_functions.tsv"
    params:
        job=part_of_study(
            "functions",
            models=list(STUDY.models),
            confidence=STUDY.fit.confidence,
            settled_steps=SETTLED,
        ),
    message:
        "Fit what was measured of networks as functions."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/analyse_functions.py --results results --job {params.job:q}"
        " > {log:q} 2>&1"


rule draw_function_figures:
    input:
        measures="results/tables/measures.csv",
        sharpness="results/tables/sharpness.csv",
        degrees="results/tables/degrees.csv",
        regressions="results/tables/regressions.csv",
    output:
        [report_figure(stem, *key) for key, stem in FUNCTION_STEMS.items()],
        [f"{stem}.png" for stem in FUNCTION_STEMS.values()],
    log:
        "results/logs/draw_function_figures.log",
    benchmark:
        "results/benchmarks/draw_function_figures.tsv"
    params:
        job=part_of_study(
            "figures",
            figures=STUDY.figures.model_dump(mode="json"),
            settled_steps=SETTLED,
        ),
    message:
        "Draw the figures."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/draw_function_figures.py --results results --job {params.job:q}"
        " > {log:q} 2>&1"


rule write_function_findings:
    input:
        measures="results/tables/measures.csv",
        sharpness="results/tables/sharpness.csv",
        degrees="results/tables/degrees.csv",
        regressions="results/tables/regressions.csv",
        shapes="results/tables/shapes.csv",
        contrasts="results/tables/contrasts.csv",
    output:
        report(
            "results/findings.html",
            category="Findings",
            caption="../report/function_findings.rst",
            labels={"page": "findings"},
        ),
    log:
        "results/logs/write_function_findings.log",
    benchmark:
        "results/benchmarks/write_function_findings.tsv"
    params:
        job=part_of_study("findings", title=STUDY.title),
    message:
        "Write what the numbers say."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/write_function_findings.py --results results --job {params.job:q}"
        " > {log:q} 2>&1"


ENDS = [
    *rules.analyse_functions.output,
    *rules.draw_function_figures.output,
    *rules.write_function_findings.output,
]


localrules:
    analyse_functions,
    draw_function_figures,
    write_function_findings,
