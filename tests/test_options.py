"""Options as specifications hold them."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from nstar.cells import cells_of, evaluation_specification, training_specification
from nstar.kinds import TransformerOptions
from nstar.options import EVERYTHING, LATER, Options
from nstar.reading.check import load_study
from nstar.reading.file import read_config
from nstar.specification import digest

ROOT = Path(__file__).parents[1]


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


@pytest.mark.parametrize(
    ("path", "first", "last"),
    [
        ("config.yaml", "f069309fdad8", "0049b08424ab"),
        ("workflow/studies/induction_bias_two_cores.yaml", "2587d6f8ad9d", "19bb451871ad"),
    ],
)
def test_stores_from_before_the_later_options_are_still_those_of_their_cells(path, first, last):
    """Digests as they were before networks could be measured as functions (25f46d5)."""
    study = load_study(read_config(ROOT / path))
    cells = cells_of(study)
    found = [digest(training_specification(study, cell)) for cell in (cells[0], cells[-1])]
    assert found == [first, last]
    evaluation = evaluation_specification("x", study.evaluation.model_dump(mode="json"))
    assert digest(evaluation) == "1b776a31394a"
