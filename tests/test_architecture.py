"""Who may import whom, and what a dry run must not pay for."""

import ast
import subprocess
import sys

import pytest

from nstar.reference.architecture import ROOT, arrows, imported_modules, modules, room_of
from nstar.subjects.registry import SUBJECTS
from nstar.subjects.subject import load
from nstar.tables import EVERY_STUDY
from nstar.tasks import Task

SUBJECT = {"cells", "report", "stats", "study", "subjects", "tables"}
NETWORKS = {"measures", "models"}
MAY_IMPORT = {
    "cells": {"kinds", "study", "tasks"},
    "files": set(),
    "jobs": NETWORKS
    | {
        "cells",
        "files",
        "plan",
        "reading",
        "store",
        "study",
        "subjects",
        "tables",
        "tasks",
        "training",
    },
    "kinds": set(),
    "measures": {"kinds", "models", "tasks"},
    "methods": {"cells", "kinds", "report", "study"},
    "models": {"kinds"},
    "plan": {"cells", "files", "kinds", "store", "study", "subjects", "tables", "tasks"},
    "reading": {"cells", "files", "kinds", "study", "subjects", "tasks"},
    "reference": {"cells", "files", "kinds", "plan", "reading", "report", "study"}
    | {"subjects", "subjects.demand", "tables"},
    "report": {"files"},
    "stats": set(),
    "store": {"files", "subjects"},
    "study": {"kinds", "subjects", "tasks"},
    "subjects": {"kinds"},
    "subjects.demand": SUBJECT | {"files", "kinds", "tasks"},
    "subjects.functions": SUBJECT | NETWORKS | {"store", "tasks"},
    "subjects.answers": SUBJECT | {"kinds", "measures", "subjects.demand"},
    "tables": {"files", "subjects"},
    "tasks": set(),
    "training": {"files", "measures", "models"},
}
"""Every room, and the other rooms that it imports; a row that allows more than it needs is wrong too."""

LOOSE = {"columns", "errors", "options", "progress", "seeds", "specification", "verdicts"}


def test_rooms_import_what_their_row_says():
    assert arrows() == MAY_IMPORT


def test_rooms_import_no_room_that_imports_them():
    def below(room):
        return MAY_IMPORT[room].union(*map(below, MAY_IMPORT[room]))

    assert not [room for room in MAY_IMPORT if room in below(room)]


def test_functions_that_subjects_name_exist():
    for subject in SUBJECTS:
        references = [subject.mistakes, *(step.run for step in subject.steps)]
        references += [subject.measure, subject.block_rows, subject.study_tables]
        assert all(callable(load(reference)) for reference in references if reference)
        made = [*subject.collected, *(name for step in subject.steps for name in step.makes)]
        assert sorted(made) == sorted(subject.tables)
        known = {*EVERY_STUDY, *subject.tables}
        assert all(set(step.reads) <= known for step in subject.steps)


def test_the_folder_of_a_subject_imports_no_other_but_that_of_its_base():
    own = {f"subjects.{subject.name}" for subject in SUBJECTS}
    for subject in SUBJECTS:
        room, *base = (f"subjects.{one.name}" for one in reversed(subject.lineage))
        assert MAY_IMPORT[room] & own == set(base)


def test_loose_modules_are_few_and_import_no_room():
    loose = {name for name in modules() if name.count(".") == 1 and room_of(name) is None}
    assert loose == {f"nstar.{name}" for name in LOOSE}
    for name in loose:
        wrong = [module for module in imported_modules(modules()[name]) if room_of(module)]
        assert not wrong, f"{name} imports {wrong}"


def test_statistics_and_figures_know_no_torch_and_models_know_no_zarr():
    banned = {room: {"torch", "zarr", "xarray"} for room in ("kinds", "report", "stats")}
    banned |= {room: {"zarr", "xarray", "pandas"} for room in ("measures", "models", "training")}
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for name, path in modules().items()
        for module in imported_modules(path)
        if module.split(".")[0] in banned.get(room_of(name), {"torch"} if "figures" in name else ())
    ]
    assert not wrong


def classes_of_tasks(base=Task):
    """Return the names of a class of tasks and of all its subclasses."""
    return {base.__name__}.union(*map(classes_of_tasks, base.__subclasses__()))


def classes_asked_for(source):
    """Return the names of classes that a source hands to `isinstance` or `issubclass`."""
    tree = ast.parse(source)
    renamed = {
        alias.asname: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    asked_for = [
        part.attr if isinstance(part, ast.Attribute) else part.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in ("isinstance", "issubclass")
        for argument in node.args[1:]
        for part in ast.walk(argument)
        if isinstance(part, ast.Attribute | ast.Name)
    ]
    return {renamed.get(name, name) for name in asked_for}


def test_tasks_answer_for_themselves():
    """What differs between tasks is a method or an attribute of `Task`; nobody asks for their class."""
    assert {"LearntFunction", "QuestionTask"} <= classes_of_tasks()
    asking = {
        name
        for name, path in modules().items()
        if classes_asked_for(path.read_text(encoding="utf-8")) & classes_of_tasks()
    }
    assert not asking


@pytest.mark.parametrize(
    ("source", "classes"),
    [
        ("isinstance(task, LearntFunction) or isinstance(x, int)", {"LearntFunction", "int"}),
        ("any(issubclass(t, (Mean, tasks.First)) for t in ts)", {"Mean", "tasks", "First"}),
        ("isinstance(task, Mean | First)", {"Mean", "First"}),
        ("from nstar.tasks import Mean as M\nisinstance(task, M)", {"Mean"}),
        ("task.is_text or Mean(kind='mean')", set()),
    ],
)
def test_classes_asked_for_are_found_in_any_notation(source, classes):
    assert classes_asked_for(source) == classes


def test_training_does_not_import_the_compiler_of_torch():
    """It takes a second, in every job; one operation under the watch of memory would load it."""
    code = (
        "import sys, torch, nstar.jobs.training; from nstar.training.memory import peak_bytes;"
        "assert peak_bytes(lambda: torch.ones(100) + 1, torch.device('cpu')) == 800;"
        "print([m for m in ('torch._dynamo', 'sympy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_planning_imports_nothing_heavy():
    code = (
        "import sys, nstar.reading.check, nstar.plan.forecast, nstar.plan.pruning, nstar.tables;"
        "from nstar.subjects.registry import SUBJECTS; from nstar.subjects.subject import load;"
        "[load(subject.mistakes) for subject in SUBJECTS];"
        "print([m for m in ('torch', 'xarray', 'zarr', 'pandas', 'scipy', 'matplotlib')"
        " if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_tables_figures_and_pages_load_no_statistics_that_they_do_not_use():
    """Loading SciPy and statsmodels takes a second; only steps that fit pay for it."""
    code = (
        "import sys; from nstar.subjects.registry import SUBJECTS; import nstar.jobs.collection;"
        "from nstar.subjects.subject import load;"
        "[load(subject.study_tables) for subject in SUBJECTS if subject.study_tables];"
        "[load(step.run) for subject in SUBJECTS for step in subject.steps"
        " if step.page or step.name.startswith('draw_')];"
        "print([m for m in ('scipy.optimize', 'scipy.stats', 'statsmodels.tools')"
        " if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
