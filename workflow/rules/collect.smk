"""Collect the stores into tables.

Reads results/cells/... and results/evaluations/..., makes tables/ in the folder of the study, results/studies/...,
but for what is fitted, and config.json there.
"""

COLLECT = STEPS["collect_results"]
CONFIG = STEPS["write_config"]


rule collect_results:
    input:
        made_in_this_run([*CELL_STORES, *EVALUATION_STORES]),
    output:
        [report_table(name, "../report") for name in EVERY_STUDY],
        [
            report_table(name, captions_of(subject))
            for subject in STUDY.subject.lineage
            for name in subject.collected
        ],
        seal=update(COLLECT.seal),
    log:
        f"{FOLDER}/logs/collect_results.log",
    benchmark:
        f"{FOLDER}/benchmarks/collect_results.tsv"
    params:
        job=job_file(COLLECT.job),
        unless=unless_sealed(COLLECT),
    message:
        step_message(COLLECT, "Collect the cells into tables.")
    shell:
        "{PYTHON:q} {SCRIPTS:q}/collect_results.py --results results --job {params.job:q}"
        " --seal {output.seal:q} {params.unless} > {log:q} 2>&1"


rule write_config:
    output:
        seal=update(CONFIG.seal),
    log:
        f"{FOLDER}/logs/write_config.log",
    benchmark:
        f"{FOLDER}/benchmarks/write_config.tsv"
    params:
        job=job_file(CONFIG.job),
        unless=unless_sealed(CONFIG),
    message:
        step_message(CONFIG, "Write the configuration with all defaults.")
    shell:
        "{PYTHON:q} {SCRIPTS:q}/write_config.py --results results --job {params.job:q}"
        " --seal {output.seal:q} {params.unless} > {log:q} 2>&1"
