"""Generate data: jobs for the stores that tasks are short of.

Makes results/data/...; reads nothing, but where a function is what a trained network learnt: that network,
and its truth table.
"""

for batch in jobs_of("generate_data"):

    rule:
        name:
            batch.rule
        input:
            batch.inputs,
        output:
            batch.outputs,
        log:
            f"results/logs/generate_data/{batch.rule}.log",
        benchmark:
            f"results/benchmarks/generate_data/{batch.rule}.tsv"
        resources:
            runtime=minutes(batch),
            mem_mb=batch.requested_megabytes,
        params:
            job=job_file(batch),
        message:
            f"Generate {len(batch.outputs)} stores of data."
        shell:
            "{PYTHON:q} {SCRIPTS:q}/generate_data.py --results results"
            " --job {params.job:q} > {log:q} 2>&1"
