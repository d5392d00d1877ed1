"""Generate data: one job per task that is short of stores.

Makes results/data/...; reads nothing.
"""

for batch in PLAN.generation:

    rule:
        name:
            as_rule_name("generate_data", batch)
        output:
            batch.outputs,
        log:
            f"results/logs/generate_data/{batch.name}.log",
        benchmark:
            f"results/benchmarks/generate_data/{batch.name}.tsv"
        params:
            job=text(batch.specification),
        message:
            f"Generate {len(batch.outputs)} stores of data for task {batch.name}."
        shell:
            "{PYTHON:q} {SCRIPTS:q}/generate_data.py --results results --job {params.job:q} > {log:q} 2>&1"
