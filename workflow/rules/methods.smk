"""Write how the study was made.

Reads the configuration alone, makes methods.html in the folder of the study.
"""

METHODS = STEPS["write_methods"]


rule write_methods:
    output:
        report_page("methods", "Methods", "../report"),
        seal=update(METHODS.seal),
    log:
        f"{FOLDER}/logs/write_methods.log",
    benchmark:
        f"{FOLDER}/benchmarks/write_methods.tsv"
    params:
        job=job_file(METHODS.job),
        unless=unless_sealed(METHODS),
    message:
        step_message(METHODS, "Write how the study was made.")
    shell:
        "{PYTHON:q} {SCRIPTS:q}/write_methods.py --results results --job {params.job:q}"
        " --seal {output.seal:q} {params.unless} > {log:q} 2>&1"


localrules:
    write_methods,
