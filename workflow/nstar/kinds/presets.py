"""Published sizes by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from nstar.options import Options


@dataclass(frozen=True)
class Preset:
    """A model of a published study.

    Attributes
    ----------
    options : dict
        As in a configuration.
    n_weights : int
        Weights of the layers as they are here, without embeddings, head, initial state, biases and
        norms.
    source : str
        Where the size is published, and what of the options or of the layers is our choice.
    """

    options: Mapping[str, Any]
    n_weights: int
    source: str


_INDUCTION = "Ebrahimi et al. (2026), arXiv:2602.18333, appendix A.3"

_BILINEAR = (
    "Ebrahimi, Memisevic (2025), arXiv:2505.21749: hidden size 256, a state that is normalised at "
    "inference only; ours: embeddings of that width"
)

_DELTA = (
    "Grazzi et al. (2025), arXiv:2411.12537, configurations of its code: 2 layers, width 128, 4 heads; "
    "ours: the layer (no convolution, no SiLU of values, biases, perceptrons 4 times as wide)"
)

_LSTM = f"{_INDUCTION}; ours: one vector of biases for each gate, half of what torch has"

_HEADS = f"{_INDUCTION}; the number of heads is not published (GPT-2's 12 do not divide 256)"

PRESETS: Mapping[str, Preset] = {
    "transformer_6x256": Preset(
        {"kind": "transformer", "width": 256, "depth": 6, "heads": 8}, 4_718_592, _HEADS
    ),
    "transformer_2x256": Preset(
        {"kind": "transformer", "width": 256, "depth": 2, "heads": 8}, 1_572_864, _HEADS
    ),
    "lstm_768": Preset({"kind": "lstm", "width": 768}, 4_718_592, _LSTM),
    "lstm_256": Preset({"kind": "lstm", "width": 256}, 524_288, _LSTM),
    "dense_ssm_256": Preset({"kind": "dense_ssm", "width": 256}, 16_777_216, _INDUCTION),
    "factored_ssm_256": Preset(
        {"kind": "factored_ssm", "width": 256, "rank": 256},
        196_608,
        f"{_BILINEAR}, and the rank, for that of the source is not known to us: at 256, S_5 is exact",
    ),
    "block_ssm_256": Preset(
        {"kind": "block_ssm", "width": 256, "block_size": 2}, 131_072, f"{_BILINEAR}; blocks of 2"
    ),
    "rotation_ssm_256": Preset({"kind": "rotation_ssm", "width": 256}, 32_768, _BILINEAR),
    "diagonal_ssm_256": Preset(
        {"kind": "diagonal_ssm", "width": 256, "positive": False}, 65_536, _BILINEAR
    ),
    "diagonal_ssm_positive_256": Preset(
        {"kind": "diagonal_ssm", "width": 256, "positive": True},
        65_536,
        f"{_BILINEAR}; the source has Mamba at this place, ours is its transition alone",
    ),
    "deltanet_2x128": Preset(
        {"kind": "deltanet", "width": 128, "depth": 2, "heads": 4, "negative_eigenvalues": False},
        394_240,
        f"{_DELTA}; eigenvalues in [0, 1]",
    ),
    "deltanet_negative_2x128": Preset(
        {"kind": "deltanet", "width": 128, "depth": 2, "heads": 4, "negative_eigenvalues": True},
        394_240,
        f"{_DELTA}; eigenvalues in [-1, 1]",
    ),
}
"""Models of published studies, by name."""


class PresetOptions(Options):
    """A model of a published study, by its name."""

    kind: Literal["preset"] = Field(description="a published size; no unit")
    name: Literal[tuple(PRESETS)] = Field(description="which; no unit")
