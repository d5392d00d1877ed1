"""Generate data: jobs for the stores that tasks are short of.

Makes results/data/...; reads nothing, but where a function is what a trained network learnt: that network,
and its truth table.
"""

for job in jobs_of("generate_data"):

    rule:
        name:
            job.rule
        input:
            made_in_this_run(job.inputs),
        output:
            kept(job.outputs),
        log:
            f"results/logs/generate_data/{job.rule}.log",
        benchmark:
            f"results/benchmarks/generate_data/{job.rule}.tsv"
        resources:
            runtime=minutes(job),
            mem_mb=job.requested_megabytes,
        params:
            job=job_file(job),
        message:
            f"Generate {len(job.outputs)} stores of data."
        shell:
            "{PYTHON:q} {SCRIPTS:q}/generate_data.py --results results"
            " --job {params.job:q} > {log:q} 2>&1"
