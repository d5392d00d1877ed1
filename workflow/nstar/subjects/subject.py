"""Subjects: what a study is about, and the steps that analyse it.

A subject is declared in its own folder, ``subjects/<name>/subject.py``. A declaration names functions
as "module:function": planning reads it, and pays for no table, fit or network. Captions of tables,
figures and the page of findings lie in ``captions/``, the template of this page in ``findings.html``.
What the page of methods says of such studies alone fills blocks in ``methods.html``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from nstar.columns import Table, Variable
from nstar.options import Options

Study = Any
"""A `nstar.study.Study`, whose options come from the subjects."""

Reference = str
"""A function as "module:function"."""


def load(reference: Reference) -> Callable[..., Any]:
    """Return the function that a reference names.

    Examples
    --------
    >>> load("math:sqrt")(9.0)
    3.0
    """
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


class Measures(Options):
    """Base of the options of a subject, a block of ``evaluation``: what it measures of networks."""

    def n_inputs(self, length: int) -> int:
        """Return how many more sequences go through a network of a length because of these measures."""
        return 0


def _nothing(study: Study) -> tuple[str, ...]:
    return ()


def _always(study: Study) -> bool:
    return True


@dataclass(frozen=True)
class Step:
    """A step of an analysis, and the rule of the same name: from tables to tables, figures or a page.

    Attributes
    ----------
    name : str
    message : str
        What the workflow says while it runs.
    run : str
        Reference of the function, which takes the job (a mapping) and the results folder (a Path).
    recipe : str
        Which of the recipes of the subject the step has.
    job : callable
        Takes the study, and returns the parts of it that the step depends on.
    reads, makes : tuple of str
        Tables by name.
    files : tuple of str
        Other files that it makes, relative to the results folder.
    figures : callable
        Takes the study, and returns the names of the figures that are drawn for each stratum.
    figures_of_all : callable
        Likewise of those that are drawn once, of all strata.
    page : str
        The name of the page that it makes, ``findings`` for ``results/findings.html``; empty if none.
    applies : callable
        Takes the study, and returns whether it has this step.
    """

    name: str
    message: str
    run: Reference
    recipe: str
    job: Callable[[Study], dict[str, Any]]
    reads: tuple[str, ...]
    makes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    figures: Callable[[Study], tuple[str, ...]] = _nothing
    figures_of_all: Callable[[Study], tuple[str, ...]] = _nothing
    page: str = ""
    applies: Callable[[Study], bool] = _always


@dataclass(frozen=True)
class Subject:
    """What a study is about.

    Attributes
    ----------
    name : str
        The name of its folder.
    introduction : callable
        Takes the study, and returns what it asks, and whose definitions it follows: two sentences in
        reStructuredText.
    mistakes : str
        Reference of a function that takes the valid parts of a configuration (a mapping), and yields what
        does not go together in a study of this subject.
    tables : mapping of str to Table
        Its tables by name.
    recipes : mapping of str to int
        Numbers that steps refer to. Raising one is the declared way to say that a change of the *code*
        changes what these steps make.
    collected : tuple of str
        The tables that are made from the stores; the steps make the others.
    steps : tuple of Step
        The analysis of the tables, in an order in which they can run.
    axes : tuple of str
        Axes along which it seeks the demand, see `nstar.subjects.axis`; the first is the usual one.
    searched : bool
        Whether a search may decide which cells of the grid are trained.
    option : str
        The block of ``evaluation`` that makes a study one of this subject; empty for the usual one.
    options : type of Measures or None
        The class of that block.
    option_meaning : str
        Its description.
    measure : str
        Reference of a function that returns what an evaluation of a block adds; empty where the block of
        ``evaluation`` is only read after it. It takes ``options``, ``trained``, ``tasks`` (by seed),
        ``model``, ``specification``, ``device`` and ``training_set`` (from a seed to symbols and lengths
        of what taught its network, or None), and returns a dataset.
    variables : mapping of str to Variable
        What `measure` returns: variables of the store of an evaluation.
    block_rows : str
        Reference of a function that takes the study, the rows of a block in the table of cells, and the
        stores of the block and of its evaluation; it returns rows of collected tables by name, which say
        nothing of other blocks. Empty where there are no such tables.
    study_tables : str
        Reference of a function that takes the study, the table of cells, and the tables of `block_rows`;
        it returns collected tables by name. Empty where those of `block_rows` are all.
    base : Subject or None
        The subject that it adds to: a study of this one has the tables and steps of both.
    judge : callable or None
        Takes the study, and returns what decides whether a replicate has learnt in place of
        ``training.success``: ``table`` and ``column`` of an accuracy, with one row per replicate in the
        order of the table of cells; the ``threshold`` that the accuracy has to reach; and its
        ``meaning`` in words.
    """

    name: str
    introduction: Callable[[Study], str]
    mistakes: Reference
    tables: Mapping[str, Table]
    recipes: Mapping[str, int]
    collected: tuple[str, ...]
    steps: tuple[Step, ...]
    axes: tuple[str, ...] = ()
    searched: bool = False
    option: str = ""
    options: type[Measures] | None = None
    option_meaning: str = ""
    measure: Reference = ""
    variables: Mapping[str, Variable] = field(default_factory=dict)
    block_rows: Reference = ""
    study_tables: Reference = ""
    base: "Subject | None" = None
    judge: Callable[[Study], dict[str, Any]] | None = None

    @property
    def lineage(self) -> "tuple[Subject, ...]":
        """The subjects that it adds to, and itself: whose tables and steps a study has, in order."""
        return (*(self.base.lineage if self.base else ()), self)

    def table_recipes(self, study: Study) -> dict[str, int]:
        """Return the recipes on which tables of the analysis of a study depend."""
        return {
            step.recipe: subject.recipes[step.recipe]
            for subject, step in self.steps_of(study)
            if step.makes
        }

    def steps_of(self, study: Study) -> "list[tuple[Subject, Step]]":
        """Return the steps of a study, those of its bases first, each with its subject."""
        steps = ((subject, step) for subject in self.lineage for step in subject.steps)
        return [(subject, step) for subject, step in steps if step.applies(study)]

    def reads_of(self, step: Step, study: Study) -> tuple[str, ...]:
        """Return the tables that a step reads: with those of cells, also the one that judges them.

        What only a step makes that the study has not is left out.
        """
        steps = {other.name for _, other in self.steps_of(study)}
        absent = {
            name
            for subject in self.lineage
            for other in subject.steps
            if other.name not in steps
            for name in other.makes
        }
        reads = tuple(name for name in step.reads if name not in absent)
        return (*reads, self.judge(study)["table"]) if self.judge and "cells" in reads else reads
