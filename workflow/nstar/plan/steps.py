"""What the steps after the stores are told: the parts of the study that each depends on."""

from typing import Any

from nstar.options import EVERYTHING
from nstar.plan.job_files import job_name
from nstar.plan.jobs import Job
from nstar.specification import RECIPES
from nstar.study import Study


def step_jobs(study: Study) -> dict[str, Job]:
    """Return the jobs that make tables, figures and pages, by the name of their step.

    A change of the configuration changes the jobs of those steps that depend on it; so does another
    order of its models, tasks or entries.

    Parameters
    ----------
    study : Study

    Returns
    -------
    dict of str to Job
        Without stores: Snakemake knows what a step reads and makes.
    """
    works = {
        "write_config": {
            "study": study.model_dump(mode="json", context=EVERYTHING, exclude={"jobs", "device"})
        },
        "write_methods": {
            "recipe": RECIPES["methods"],
            "study": study.model_dump(
                mode="json", context=EVERYTHING, exclude={"figures", "jobs", "device"}
            ),
        },
        "collect_results": {
            "recipe": RECIPES["tables"],
            "study": study.model_dump(
                mode="json", exclude={"title", "fit", "figures", "jobs", "device"}
            ),
        },
    }
    for subject, step in study.subject.steps_of(study):
        works[step.name] = {"recipe": subject.recipes[step.recipe], **step.job(study)}
    return {name: _job(name, work) for name, work in works.items()}


def _job(name: str, work: dict[str, Any]) -> Job:
    return Job(job_name(name, work), work, inputs=(), outputs=(), seconds=(0, 0), memory_bytes=0)
