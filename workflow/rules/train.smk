"""Train cells: one job per curve (model, task, length) that is short of cells.

Reads results/data/..., makes results/cells/....
"""

for batch in PLAN.training:

    rule:
        name:
            as_rule_name("train_cells", batch)
        input:
            batch.inputs,
        output:
            batch.outputs,
        log:
            f"results/logs/train_cells/{batch.name}.log",
        benchmark:
            f"results/benchmarks/train_cells/{batch.name}.tsv"
        params:
            job=text(batch.specification),
            device=STUDY.device,
        message:
            f"Train {len(batch.outputs)} cells of {batch.name}."
        shell:
            "{PYTHON:q} {SCRIPTS:q}/train_cells.py --results results --device {params.device}"
            " --job {params.job:q} 2>&1 | tee {log:q}"
