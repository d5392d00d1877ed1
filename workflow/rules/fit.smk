"""Fit the scaling exponents, and compare curves.

Reads the tables of cells and thresholds; makes those of exponents, their sensitivity and their checks,
of the forms of the law and of the demand of every curve, and the fit cards. From these and the cells it
makes the tables of sharing factors, ratios, fewer steps, extrapolation and composition.
"""

FITS = [
    "results/tables/exponents.csv",
    "results/tables/sensitivity.csv",
    "results/tables/checks.csv",
    "results/tables/forms.csv",
    "results/tables/demand.csv",
    "results/tables/fits.json",
]
COMPARISONS = [
    f"results/tables/{name}.csv"
    for name in ("sharing", "ratios", "steps", "extrapolation", "composition")
]


rule fit_exponents:
    input:
        cells="results/tables/cells.parquet",
        thresholds="results/tables/thresholds.csv",
    output:
        exponents=report(
            FITS[0],
            category="Tables",
            caption="../report/exponents_table.rst",
            labels={"table": "exponents"},
        ),
        sensitivity=report(
            FITS[1],
            category="Tables",
            caption="../report/sensitivity_table.rst",
            labels={"table": "sensitivity"},
        ),
        checks=report(
            FITS[2],
            category="Tables",
            caption="../report/checks_table.rst",
            labels={"table": "checks"},
        ),
        forms=report(
            FITS[3],
            category="Tables",
            caption="../report/forms_table.rst",
            labels={"table": "forms"},
        ),
        demand=report(
            FITS[4],
            category="Tables",
            caption="../report/demand_table.rst",
            labels={"table": "demand"},
        ),
        cards=FITS[5],
    log:
        "results/logs/fit_exponents.log",
    benchmark:
        "results/benchmarks/fit_exponents.tsv"
    params:
        job=part_of_study(
            "fit",
            models=list(STUDY.models),
            success=STUDY.training.success.model_dump(mode="json"),
            fit=STUDY.fit.model_dump(mode="json"),
        ),
    message:
        "Fit the exponents of the data demand."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/fit_exponents.py --results results --job {params.job:q} > {log:q} 2>&1"


rule compare_curves:
    input:
        cells="results/tables/cells.parquet",
        thresholds="results/tables/thresholds.csv",
        demand="results/tables/demand.csv",
    output:
        sharing=report(
            COMPARISONS[0],
            category="Tables",
            caption="../report/sharing_table.rst",
            labels={"table": "sharing"},
        ),
        ratios=report(
            COMPARISONS[1],
            category="Tables",
            caption="../report/ratios_table.rst",
            labels={"table": "ratios"},
        ),
        steps=report(
            COMPARISONS[2],
            category="Tables",
            caption="../report/steps_table.rst",
            labels={"table": "steps"},
        ),
        extrapolation=report(
            COMPARISONS[3],
            category="Tables",
            caption="../report/extrapolation_table.rst",
            labels={"table": "extrapolation"},
        ),
        composition=report(
            COMPARISONS[4],
            category="Tables",
            caption="../report/composition_table.rst",
            labels={"table": "composition"},
        ),
    log:
        "results/logs/compare_curves.log",
    benchmark:
        "results/benchmarks/compare_curves.tsv"
    params:
        job=part_of_study(
            "comparison",
            models=list(STUDY.models),
            shortest_length=STUDY.data.shortest_length,
            training={
                "max_steps": STUDY.training.max_steps,
                "evaluate_every": STUDY.training.evaluate_every,
                "decay": STUDY.training.schedule.decay,
                "at": STUDY.training.success.at,
            },
        ),
    message:
        "Compare the curves."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/compare_curves.py --results results --job {params.job:q}"
        " > {log:q} 2>&1"
