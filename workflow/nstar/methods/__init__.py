"""How was a study made? The methods page of its report."""

from nstar.cells import cells_of
from nstar.methods.rows import Row, kind_tables, option_rows, show_value
from nstar.report.page import render_page
from nstar.study import FRESH, Study

__all__ = ["write_methods"]


def write_methods(study: Study) -> str:
    """Return the methods of a study as one self-contained HTML page.

    Every option that a number depends on is listed with its value, defaults included; `name`, `figures`,
    `jobs` and `device` are not. Sentences that hold for some values only are conditions on these values.

    Parameters
    ----------
    study : Study
        The study, with all defaults filled in.

    Returns
    -------
    str
        The page; its text is escaped for HTML.
    """
    cells = cells_of(study)
    tasks = [study.tasks[name] for name in dict.fromkeys(cell.task for cell in cells)]
    return render_page(
        f"{study.subject.name}/methods.html",
        title=study.title,
        study=study,
        axis=study.axis,
        judge=study.subject.judge and study.subject.judge(study),
        n_cells=len(cells),
        n_extrapolation=len(cells_of(study, "extrapolation")),
        supervisions={cell.supervision for cell in cells},
        length_distributions={cell.length_distribution for cell in cells},
        fresh=any(cell.budget == FRESH for cell in cells),
        sized=any(cell.budget != FRESH for cell in cells),
        asks_questions=any(task.is_text for task in tasks),
        labels_symbols=any(not task.is_text for task in tasks),
        lengths_tested=[
            str(test).replace("x", "n")
            for test in study.evaluation.test_lengths
            if any(task.extrapolates for task in tasks)
        ],
        own_decay=any(model.weight_decay is not None for model in study.models.values()),
        models=kind_tables(study.models),
        tasks=kind_tables(study.tasks),
        show=show_value,
        rows={
            "data": option_rows(study.data, "data."),
            "training": [
                *option_rows(study.replicates, "replicates.", but=_other_seeds(study)),
                Row("search", study.search, study.meaning("search", study.search)),
                *option_rows(study.training, "training.", but=_idle_in_training(study)),
            ],
            "success": [
                *_demand_rows(study),
                *option_rows(study.training.success, "training.success."),
            ],
            "evaluation": option_rows(
                study.evaluation, "evaluation.", but=_idle_in_evaluation(study)
            ),
            "fit": option_rows(
                study.fit,
                "fit.",
                but=() if study.axis else {"fit.bootstrap_replicates", "fit.lapse"},
            ),
        },
    )


def _demand_rows(study: Study) -> list[Row]:
    """Return the row of the demand that is sought, where the configuration names it."""
    if study.demand is None:
        return []
    return [Row("demand", study.demand, study.meaning("demand", study.demand))]


def _other_seeds(study: Study) -> set[str]:
    """Return the keys of the way to give seeds that the study does not use."""
    return {"replicates.streams" if study.replicates.streams is None else "replicates.seeds"}


def _idle_in_training(study: Study) -> set[str]:
    """Return the options of training that nothing reads, and success, which has a section of its own."""
    idle = {"training.success"}
    if study.training.schedule.decay == "constant":
        idle.add("training.schedule.final_factor")
    return idle


def _idle_in_evaluation(study: Study) -> set[str]:
    """Return the options of the evaluation that nothing reads: other subjects, a test set of no task."""
    blocks = {name for name, value in study.evaluation if value is None}
    if not any(task.extrapolates for task in study.tasks.values()):
        blocks |= {"test_examples", "test_lengths", "horizon"}
    elif not study.axis:
        blocks.add("horizon")
    return {f"evaluation.{name}" for name in blocks}
