"""Evaluate cells: one job per model and task that is short of evaluations.

Reads results/cells/... and results/data/..., makes results/evaluations/....
"""

for batch in PLAN.evaluation:

    rule:
        name:
            as_rule_name("evaluate_cells", batch)
        input:
            batch.inputs,
        output:
            batch.outputs,
        log:
            f"results/logs/evaluate_cells/{batch.name}.log",
        benchmark:
            f"results/benchmarks/evaluate_cells/{batch.name}.tsv"
        params:
            job=text(batch.specification),
            device=STUDY.device,
        message:
            f"Evaluate {len(batch.outputs)} cells of {batch.name}."
        shell:
            "{PYTHON:q} {SCRIPTS:q}/evaluate_cells.py --results results --device {params.device}"
            " --job {params.job:q} > {log:q} 2>&1"
