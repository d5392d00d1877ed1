"""Fit the scaling exponents.

Reads the tables of cells and thresholds; makes those of exponents, their sensitivity and their checks,
of the forms of the law and of the demand of every curve, and the fit cards.
"""

FITS = [
    "results/tables/exponents.csv",
    "results/tables/sensitivity.csv",
    "results/tables/checks.csv",
    "results/tables/forms.csv",
    "results/tables/demand.csv",
    "results/tables/fits.json",
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
        sensitivity=FITS[1],
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
