"""Draw the figures and write the findings.

Reads results/tables/, makes results/figures/ and results/findings.html. The report itself is made from these
by `snakemake --report` once a run is over.
"""

FIGURE_NAMES = ["demand", "exponents", "accuracy", "learning_curves", "extrapolation", "outcomes"]
STEMS = {
    (name, stratum_name(*stratum)): f"results/figures/{name}{stratum_suffix(*stratum)}"
    for stratum in strata_of(STUDY)
    for name in FIGURE_NAMES
}
# Lengths share where models of one length stand beside models of several; this compares strata.
COMPARED = []
if {"fixed"} < {length_distribution for _, length_distribution in strata_of(STUDY)}:
    STEMS["sharing", "everything"] = "results/figures/sharing"
    COMPARED = ["results/tables/sharing.csv", "results/tables/extrapolation.csv"]


rule draw_figures:
    input:
        cells="results/tables/cells.parquet",
        thresholds="results/tables/thresholds.csv",
        exponents="results/tables/exponents.csv",
        checks="results/tables/checks.csv",
        demand="results/tables/demand.csv",
        learning_curves="results/tables/learning_curves.csv",
        learning_exponents="results/tables/learning_exponents.csv",
        compared=COMPARED,
    output:
        [report_figure(stem, *key) for key, stem in STEMS.items()],
        [f"{stem}.png" for stem in STEMS.values()],
    log:
        "results/logs/draw_figures.log",
    benchmark:
        "results/benchmarks/draw_figures.tsv"
    params:
        job=part_of_study(
            "figures",
            figures=STUDY.figures.model_dump(mode="json"),
            sharing=bool(COMPARED),
        ),
    message:
        "Draw the figures."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/draw_figures.py --results results --job {params.job:q} > {log:q} 2>&1"


rule write_findings:
    input:
        cells="results/tables/cells.parquet",
        thresholds="results/tables/thresholds.csv",
        exponents="results/tables/exponents.csv",
        robustness="results/tables/robustness.csv",
        checks="results/tables/checks.csv",
        forms="results/tables/forms.csv",
        demand="results/tables/demand.csv",
        learning_exponents="results/tables/learning_exponents.csv",
        sharing="results/tables/sharing.csv",
        ratios="results/tables/ratios.csv",
    output:
        report(
            "results/findings.html",
            category="Findings",
            caption="../report/findings.rst",
            labels={"page": "findings"},
        ),
    log:
        "results/logs/write_findings.log",
    benchmark:
        "results/benchmarks/write_findings.tsv"
    params:
        job=part_of_study("findings", title=STUDY.title),
    message:
        "Write what the numbers say."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/write_findings.py --results results --job {params.job:q} > {log:q} 2>&1"


ENDS = [
    *rules.fit_exponents.output,
    *rules.compare_curves.output,
    *rules.draw_figures.output,
    *rules.write_findings.output,
]


localrules:
    fit_exponents,
    compare_curves,
    draw_figures,
    write_findings,
