"""Options as specifications hold them."""

import io
from typing import Annotated

import pandas as pd
import pytest
from pandas._libs.parsers import STR_NA_VALUES
from pydantic import Field, TypeAdapter, ValidationError

from nstar.kinds import TransformerOptions
from nstar.options import EVERYTHING, LATER, MISREAD, Name, Options


class Part(Options):
    """A block that has got an option later."""

    first: int = Field(1, description="from the beginning")
    added: Annotated[int | None, LATER] = Field(None, description="since then")


class Whole(Options):
    """A block around it."""

    part: Part = Field(default_factory=Part, description="a block inside")


def test_a_later_option_is_left_out_at_its_default_and_only_there():
    assert Whole().model_dump(mode="json") == {"part": {"first": 1}}
    everything = Whole().model_dump(mode="json", context=EVERYTHING)
    assert everything == {"part": {"first": 1, "added": None}}
    changed = Whole.model_validate({"part": {"added": 2}})
    assert changed.model_dump(mode="json") == {"part": {"first": 1, "added": 2}}
    assert Whole.model_validate(changed.model_dump(mode="json")) == changed


def test_a_transformer_without_later_options_has_the_specification_it_always_had():
    given = {"kind": "transformer", "width": 8, "depth": 1, "heads": 2}
    wanted = given | {"positions": "learned", "norm": "pre", "causal": True, "activation": "gelu"}
    wanted |= {"dropout": 0.0}
    assert TransformerOptions.model_validate(given).model_dump(mode="json") == wanted
    chosen = given | {"perceptron_width": 8, "embedding": "concatenated", "initialisation": "torch"}
    found = TransformerOptions.model_validate(chosen).model_dump(mode="json")
    assert {key: found[key] for key in chosen} == chosen


@pytest.mark.parametrize("name", sorted({*STR_NA_VALUES, *MISREAD, "1e5", "-inf", "Infinity"}))
def test_no_name_is_lost_when_a_table_is_read(name):
    """Among the names that are refused is all that pandas takes for missing."""
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


def test_names_beside_those_that_are_refused_come_back_as_they_are():
    names = [f"{name}_1" for name in MISREAD] + ["e5", "x10", "nano", "info"]
    for name in names:
        table = pd.DataFrame({"model": [TypeAdapter(Name).validate_python(name)] * 3})
        assert pd.read_csv(io.StringIO(table.to_csv(index=False)))["model"].tolist() == [name] * 3
