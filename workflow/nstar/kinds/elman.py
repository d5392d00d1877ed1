"""Elman network: its options, and its size."""

from typing import ClassVar, Literal

from pydantic import Field

from nstar.kinds.base import ModelKind, Width, width_field
from nstar.kinds.recurrent import recurrent_size
from nstar.kinds.size import Shape, Size


class ElmanOptions(ModelKind):
    """Simple recurrent network, one layer."""

    EXAMPLES: ClassVar = {
        "elman": {"width": 10},
    }

    kind: Literal["elman"] = Field(description="Elman network; no unit")
    width: Width = width_field("embedding and hidden state")

    def size(self, shape: Shape) -> Size:
        """Return the size; kept is the state. See `recurrent_size`."""
        return recurrent_size(shape, self.width, n_gates=1, n_biases=1, n_kept=1, joined=True)
