"""Families: models that differ in their width alone, or in their depth alone."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from nstar.kinds.base import ModelKind
from nstar.options import EVERYTHING

FamilyOption = Literal["width", "depth"]

FAMILY_OPTIONS: tuple[FamilyOption, ...] = ("width", "depth")
"""Options in which the models of a family may differ, one of them in each family."""


def family_along(option: FamilyOption, name: str, models: Mapping[str, ModelKind]) -> str:
    """Return the family of a model if its members differ in `option`; otherwise the model's own name.

    Parameters
    ----------
    option : {"width", "depth"}
    name : str
        Name of the model.
    models : mapping
        All models of the study by name.

    Examples
    --------
    >>> from nstar.kinds import read_options
    >>> lstm = {"kind": "lstm", "family": "gated"}
    >>> models = {f"lstm_{width}": read_options(lstm | {"width": width}) for width in (4, 8)}
    >>> family_along("width", "lstm_4", models), family_along("depth", "lstm_4", models)
    ('gated', 'lstm_4')
    """
    family = models[name].family
    members = [model for model in models.values() if model.family == family]
    values = {getattr(member, option, None) for member in members}
    return family if family and len(values) == len(members) else name


def differences(models: Collection[ModelKind]) -> dict[str, list[Any]]:
    """Return the options in which models differ, apart from the family: the value of each model.

    A model without the option has the value None.
    """
    options = [
        model.model_dump(mode="json", context=EVERYTHING, exclude={"family"}) for model in models
    ]
    values = {name: [own.get(name) for own in options] for own in options for name in own}
    return {name: row for name, row in values.items() if any(value != row[0] for value in row)}
