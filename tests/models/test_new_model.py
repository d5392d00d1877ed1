"""A new model is two new files and an entry in two registries; the contract tests then cover it."""

import json

from support.copied_package import TESTS, CopiedPackage
from support.studies import tiny

KIND = '''"""Sums of embeddings: their options, and their size."""

from typing import ClassVar, Literal

from pydantic import Field

from nstar.kinds.base import ModelKind, Width, width_field
from nstar.kinds.size import Shape, Size, product, total_size


class SumOptions(ModelKind):
    """A linear head on the sum of all embeddings so far."""

    EXAMPLES: ClassVar = {"toy_sum": {"width": 10}}

    kind: Literal["sum"] = Field(description="sum of embeddings; no unit")
    width: Width = width_field("the embedding")

    def size(self, shape: Shape) -> Size:
        """Return the size: ``V D + D C + C`` parameters, and the products of the head."""
        n_parameters = shape.n_symbols * self.width + (self.width + 1) * shape.n_classes
        held = shape.n_rows * self.width
        products = [product(shape.n_rows, self.width, shape.n_classes)]
        return total_size(shape, n_parameters, products, forward=3 * held // 2, training=4 * held)
'''

MODEL = '''"""Sums of embeddings."""

from nstar.models.stacked import (
    ParameterSpec,
    StackedModel,
    classify,
    embed,
    in_float32,
    linear_specs,
    naive_linear,
)


class Sum(StackedModel):
    """A linear head on the sum of all embeddings so far."""

    @property
    def parameters(self):
        """The parameters in the order of the flat buffer."""
        embedding = ParameterSpec("token_embedding", (self.n_symbols, self.width), "normal", 1.0)
        return (embedding, *linear_specs("head", self.width, self.n_classes))

    @in_float32
    def forward(self, parameters, tokens, read_from=0, dropout=None):
        """Return logits (R, B, T - read_from, C); see `StackedModel.forward`."""
        sums = embed(parameters["token_embedding"], tokens).cumsum(2)[:, :, read_from:]
        logits = classify(parameters, sums.reshape(len(sums), -1, self.width))
        return logits.view(*sums.shape[:3], self.n_classes)

    def naive(self, values, tokens):
        """Return logits (B, T, C) of one replicate by the formulas; see `StackedModel.naive`."""
        return naive_linear(values, "head", values["token_embedding"][tokens].cumsum(1))
'''


def test_a_new_model_touches_its_files_and_the_registries(tmp_path):
    package = CopiedPackage(tmp_path)
    package.add_file("kinds/sum.py", KIND)
    package.add_line(
        "kinds/__init__.py",
        "from nstar.kinds.transformer",
        "from nstar.kinds.sum import SumOptions",
    )
    package.add_line("kinds/__init__.py", "    DeltaNetOptions,", "    SumOptions,")
    package.add_file("models/sum.py", MODEL)
    package.add_line(
        "models/__init__.py", "from nstar.models.transformer", "from nstar.models.sum import Sum"
    )
    package.add_line("models/__init__.py", '    "deltanet": DeltaNet,', '    "sum": Sum,')
    new = {name: n for name, n in package.changed.items() if name.endswith("sum.py")}
    registries = {name: n for name, n in package.changed.items() if name not in new}
    assert len(new) == 2
    assert registries == {"kinds/__init__.py": 2, "models/__init__.py": 2}, "an import and an entry"

    study = tiny(models={"sum": {"kind": "sum", "width": 8}}, **{"training.max_steps": 20})
    files = [f"models/{name}.py" for name in ("test_contract", "test_reading", "test_sizes")]
    contract = [*(TESTS / name for name in (*files, "training/test_step.py")), "-k", "toy_sum"]
    line, (file, *names) = package.run_tests(contract, json.dumps(study), tmp_path / "results")
    assert " passed" in line and int(line.split()[0]) > 15, line
    assert file.startswith(str(tmp_path)) and names == ["sum", "parity"]
