"""Curves: the cells that differ in what demand is sought of, and in nothing else."""

from nstar.cells.cell import Cell
from nstar.cells.grid import cells_of
from nstar.kinds.families import FAMILY_OPTIONS, family_along
from nstar.study import Study

Coordinates = tuple[tuple[str, str | int], ...]


def curves_of(study: Study) -> dict[Coordinates, list[Cell]]:
    """Return the cells of each curve by its coordinates, in the order of their values.

    Parameters
    ----------
    study : Study

    Returns
    -------
    dict of tuple to list of Cell
        Coordinates are pairs of name and value: all of those of a cell but the budget, or, where demand
        is sought of an option of models, all of them, with the family in place of the model.
    """
    option = _option(study)
    families = {name: family_along(option, name, study.models) for name in study.models if option}
    curves: dict[Coordinates, list[Cell]] = {}
    for cell in cells_of(study):
        coordinates = dict(vars(cell))
        if families:
            coordinates["model"] = families[cell.model]
        else:
            del coordinates["budget"]
        curves.setdefault(tuple(coordinates.items()), []).append(cell)
    for cells in curves.values():
        cells.sort(key=lambda cell: value_of(study, cell))
    return curves


def value_of(study: Study, cell: Cell) -> int:
    """Return the width or depth of a cell's model where demand is sought of it; otherwise the budget."""
    option = _option(study)
    return getattr(study.models[cell.model], option) if option else cell.budget


def _option(study: Study) -> str:
    """Return the option of models of which demand is sought, or nothing."""
    return study.axis.name if study.axis and study.axis.name in FAMILY_OPTIONS else ""
