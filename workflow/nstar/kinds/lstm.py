"""LSTM: its options, and its size."""

from typing import ClassVar, Literal

from pydantic import Field

from nstar.kinds.base import ModelKind, Width, width_field
from nstar.kinds.recurrent import recurrent_size
from nstar.kinds.size import Shape, Size


class LSTMOptions(ModelKind):
    """Long short-term memory, one layer."""

    EXAMPLES: ClassVar = {
        "lstm": {"width": 10},
    }

    kind: Literal["lstm"] = Field(description="LSTM; no unit")
    width: Width = width_field("embedding and hidden state")

    def size(self, shape: Shape) -> Size:
        """Return the size; kept are the state, 4 gates, the cell and its tanh. See `recurrent_size`."""
        return recurrent_size(shape, self.width, n_gates=4, n_biases=4, n_kept=7, joined=True)
