"""Write how the study was made.

Reads the configuration alone, makes results/methods.html.
"""


rule write_methods:
    output:
        report(
            "results/methods.html",
            category="Methods",
            caption="../report/methods.rst",
            labels={"page": "methods"},
        ),
    log:
        "results/logs/write_methods.log",
    benchmark:
        "results/benchmarks/write_methods.tsv"
    params:
        job=job_file(STEP_JOBS["write_methods"]),
    message:
        "Write how the study was made."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/write_methods.py --results results --job {params.job:q} > {log:q} 2>&1"


localrules:
    write_methods,
