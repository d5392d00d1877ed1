"""GRU: its options, and its size."""

from typing import ClassVar, Literal

from pydantic import Field

from nstar.kinds.base import ModelKind, Width, width_field
from nstar.kinds.recurrent import recurrent_size
from nstar.kinds.size import Shape, Size


class GRUOptions(ModelKind):
    """Gated recurrent unit, one layer."""

    EXAMPLES: ClassVar = {
        "gru": {"width": 10},
    }

    kind: Literal["gru"] = Field(description="GRU; no unit")
    width: Width = width_field("embedding and hidden state")

    def size(self, shape: Shape) -> Size:
        """Return the size; kept are state, 2 gates, candidate, ``U_n h + c_n``. See `recurrent_size`."""
        return recurrent_size(shape, self.width, n_gates=3, n_biases=4, n_kept=5, joined=False)
