"""What a configuration may say of a model, and the published sizes by name.

Nothing here needs torch: a plan knows every model without it. The classes in `nstar.models` take the
same options, under the same names.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictInt, model_validator

from nstar.kinds.size import (
    Shape,
    Size,
    delta_net_size,
    encoder_decoder_size,
    factored_recurrence_size,
    linear_recurrence_size,
    recurrent_size,
    transformer_size,
)
from nstar.options import LATER, AtMost, Float, NonNegativeFloat, Options, PositiveInt, tagged_union

Width = Annotated[
    StrictInt, Field(ge=2), AtMost(2**14, "one matrix of that width already takes 1 GiB")
]
"""At least 2: MKL rounds a product with one column otherwise in a pack of one than in larger ones."""


def _width(meaning: str) -> Any:
    return Field(
        description=f"D, size of {meaning}; a list makes a model `<name>_<D>` of each; units"
    )


def _halve(width: int, what: str) -> None:
    if width % 2:
        raise ValueError(
            f"{what} gives tokens and positions half of the width each, and width {width} is odd; "
            f"choose an even width"
        )


def _divisors(number: int, largest: int) -> str:
    return ", ".join(str(part) for part in range(1, largest + 1) if number % part == 0)


class ModelKind(Options):
    """Base of the options of every kind of model: they know how large it is."""

    weight_decay: Annotated[NonNegativeFloat | None, LATER] = Field(
        None,
        description="weight decay of this model; null: that of the optimiser; no unit",
    )

    @abstractmethod
    def size(self, shape: Shape) -> Size:
        """Return parameters, operations and memory of one replicate that sees batches of a shape."""


class _Heads(ModelKind):
    """A model whose width is shared out to heads."""

    width: Width = _width("the residual stream")
    depth: PositiveInt = Field(description="number of layers; layers")
    heads: PositiveInt = Field(description="heads, a divisor of the width; heads")

    @model_validator(mode="after")
    def _heads_divide_width(self):
        choice = f"heads may be {_divisors(self.width, self.width // 2)}"
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is not a multiple of heads {self.heads}; {choice}"
            )
        if self.width == self.heads:
            raise ValueError(f"width {self.width} / heads {self.heads} = 1, at least 2; {choice}")
        return self


class SparseAttentionOptions(Options):
    """Attention to a window and to the last positions of every block."""

    kind: Literal["sparse"] = Field(description="sparse attention; no unit")
    block_size: PositiveInt | None = Field(
        None,
        description="B, positions of a block; null: the power of two at or below the square root of the "
        "longest sequence; positions",
    )
    window: PositiveInt = Field(1, description="k, blocks that a window is long; blocks")
    global_tokens: PositiveInt = Field(
        1, description="c, last positions of a block that all after it see; positions"
    )

    @model_validator(mode="after")
    def _fits_into_a_block(self):
        if self.block_size is not None and self.global_tokens > self.block_size:
            raise ValueError(
                f"global_tokens {self.global_tokens} is more than block_size {self.block_size}"
            )
        return self


class LinearAttentionOptions(Options):
    """Attention whose weights are products of features."""

    kind: Literal["linear"] = Field(description="linear attention; no unit")
    feature_map: Literal["elu", "relu", "exp"] = Field(
        "elu", description="features of queries and keys: elu(x) + 1, max(x, 0) or exp(x); no unit"
    )


AttentionOptions = tagged_union(SparseAttentionOptions, LinearAttentionOptions)


class TransformerOptions(_Heads):
    """Transformer: layers of self-attention and a perceptron, with residual connections."""

    kind: Literal["transformer"] = Field(description="transformer; no unit")
    positions: Literal["learned", "sinusoidal", "rotary", "none"] = Field(
        "learned", description="how the model knows positions; no unit"
    )
    norm: Literal["pre", "post"] = Field(
        "pre", description="LayerNorm before each part of a layer, or after each sum; no unit"
    )
    causal: bool = Field(
        True, strict=True, description="whether a position sees earlier ones only; no unit"
    )
    activation: Literal["gelu", "gelu_tanh", "relu"] = Field(
        "gelu", description="nonlinearity of the perceptrons, `gelu_tanh` an approximation; no unit"
    )
    dropout: Annotated[Float, Field(ge=0, lt=1)] = Field(
        0.0, description="share of entries dropped in training; fraction"
    )
    embedding: Annotated[Literal["added", "concatenated"], LATER] = Field(
        "added",
        description="learned positions added to tokens, or half of the width for each; no unit",
    )
    perceptron_width: Annotated[Width | None, LATER] = Field(
        None, description="F, hidden units of a perceptron; null: 4 times the width; units"
    )
    initialisation: Annotated[Literal["gpt2", "torch"], LATER] = Field(
        "gpt2",
        description="initial distributions: GPT-2's, or those of torch's own modules; no unit",
    )
    embedding_norm: Annotated[bool, Field(strict=True), LATER] = Field(
        False, description="whether a LayerNorm follows the embedding; no unit"
    )
    attention: Annotated[AttentionOptions | None, LATER] = Field(
        None,
        description="how positions attend to others; null: softmax",
    )

    @model_validator(mode="after")
    def _sees_the_past(self):
        if self.attention is not None and not self.causal:
            raise ValueError(
                f"attention {self.attention.kind} sees what comes before a position, and causal is "
                "false; set causal: true, or leave attention out"
            )
        return self

    @model_validator(mode="after")
    def _pairs_to_rotate(self):
        if self.positions == "rotary" and (self.width // self.heads) % 2:
            raise ValueError(
                f"rotary positions turn pairs, and width {self.width} / heads {self.heads} = "
                f"{self.width // self.heads} is odd; choose an even width of a head"
            )
        return self

    @model_validator(mode="after")
    def _halves_to_concatenate(self):
        if self.embedding == "concatenated" and self.positions != "learned":
            raise ValueError(
                f"embedding concatenated needs a table of positions, and positions are "
                f"{self.positions}; choose positions learned, or embedding added"
            )
        if self.embedding == "concatenated":
            _halve(self.width, "embedding concatenated")
        return self

    def size(self, shape: Shape) -> Size:
        """Return the size, which mask and initial values leave as it is; see `transformer_size`."""
        others = {"kind", "causal", "initialisation", "weight_decay"}
        return transformer_size(shape, **self.model_dump(exclude=others))


class EncoderDecoderOptions(_Heads):
    """Encoder-decoder transformer, for chains of thought of fixed length."""

    kind: Literal["encoder_decoder"] = Field(description="encoder-decoder transformer; no unit")
    depth: PositiveInt = Field(
        description="layers of the encoder, as many as of the decoder; layers"
    )
    perceptron_width: Width | None = Field(
        None, description="F, hidden units of a perceptron; null: 4 times the width; units"
    )

    @model_validator(mode="after")
    def _halves_to_concatenate(self):
        _halve(self.width, "encoder_decoder")
        return self

    def size(self, shape: Shape) -> Size:
        """Return the size; see `encoder_decoder_size`."""
        return encoder_decoder_size(shape, self.width, self.depth, self.perceptron_width)


class LSTMOptions(ModelKind):
    """Long short-term memory, one layer."""

    kind: Literal["lstm"] = Field(description="LSTM; no unit")
    width: Width = _width("embedding and hidden state")

    def size(self, shape: Shape) -> Size:
        """Return the size; kept are the state, 4 gates, the cell and its tanh. See `recurrent_size`."""
        return recurrent_size(shape, self.width, n_gates=4, n_biases=4, n_kept=7, joined=True)


class GRUOptions(ModelKind):
    """Gated recurrent unit, one layer."""

    kind: Literal["gru"] = Field(description="GRU; no unit")
    width: Width = _width("embedding and hidden state")

    def size(self, shape: Shape) -> Size:
        """Return the size; kept are state, 2 gates, candidate, ``U_n h + c_n``. See `recurrent_size`."""
        return recurrent_size(shape, self.width, n_gates=3, n_biases=4, n_kept=5, joined=False)


class ElmanOptions(ModelKind):
    """Simple recurrent network, one layer."""

    kind: Literal["elman"] = Field(description="Elman network; no unit")
    width: Width = _width("embedding and hidden state")

    def size(self, shape: Shape) -> Size:
        """Return the size; kept is the state. See `recurrent_size`."""
        return recurrent_size(shape, self.width, n_gates=1, n_biases=1, n_kept=1, joined=True)


class _LinearRNN(ModelKind):
    """A recurrence h_t = A(x_t) h_{t-1} without an additive term."""

    width: Width = _width("embedding and state")
    normalise: bool = Field(
        True, strict=True, description="whether the state is kept at unit mean square; no unit"
    )


class DenseSSMOptions(_LinearRNN):
    """Linear recurrence with a full bilinear transition."""

    kind: Literal["dense_ssm"] = Field(description="Dense-SSM; no unit")

    def size(self, shape: Shape) -> Size:
        """Return the size; see `linear_recurrence_size`."""
        return linear_recurrence_size(shape, self.width, self.width, self.width**2, self.normalise)


class FactoredSSMOptions(_LinearRNN):
    """Linear recurrence whose bilinear transition is a sum of outer products."""

    kind: Literal["factored_ssm"] = Field(description="CP-factored SSM; no unit")
    rank: Annotated[PositiveInt, AtMost(2**14, "factors of that rank take as much as a matrix")] = (
        Field(description="outer products in a transition, also more than the width; factors")
    )

    def size(self, shape: Shape) -> Size:
        """Return the size; see `factored_recurrence_size`."""
        return factored_recurrence_size(shape, self.width, self.rank, self.normalise)


class BlockSSMOptions(_LinearRNN):
    """Linear recurrence with a block-diagonal bilinear transition."""

    kind: Literal["block_ssm"] = Field(description="block-diagonal SSM; no unit")
    block_size: PositiveInt = Field(description="size of a block, a divisor of the width; units")

    @model_validator(mode="after")
    def _blocks_divide_width(self):
        if self.width % self.block_size:
            raise ValueError(
                f"width {self.width} is not a multiple of block_size {self.block_size}; "
                f"block_size may be {_divisors(self.width, self.width)}"
            )
        return self

    def size(self, shape: Shape) -> Size:
        """Return the size; see `linear_recurrence_size`."""
        n_features = self.width * self.block_size
        return linear_recurrence_size(
            shape, self.width, self.block_size, n_features, self.normalise
        )


class RotationSSMOptions(_LinearRNN):
    """Linear recurrence that turns planes by an angle linear in the input."""

    kind: Literal["rotation_ssm"] = Field(description="2x2 rotations; no unit")

    @model_validator(mode="after")
    def _planes(self):
        if self.width % 2:
            raise ValueError(f"width {self.width} is odd; planes need an even width")
        return self

    def size(self, shape: Shape) -> Size:
        """Return the size; see `linear_recurrence_size`."""
        return linear_recurrence_size(shape, self.width, 2, self.width // 2, self.normalise)


class DiagonalSSMOptions(_LinearRNN):
    """Linear recurrence with a real diagonal transition."""

    kind: Literal["diagonal_ssm"] = Field(description="diagonal SSM; no unit")
    positive: bool = Field(
        strict=True,
        description="whether the diagonal is in (0, 1), as Mamba's, or any real number; no unit",
    )

    def size(self, shape: Shape) -> Size:
        """Return the size; see `linear_recurrence_size`."""
        return linear_recurrence_size(shape, self.width, 1, self.width, self.normalise)


class DeltaNetOptions(_Heads):
    """Linear recurrence by the delta rule, in layers with perceptrons."""

    kind: Literal["deltanet"] = Field(description="DeltaNet; no unit")
    negative_eigenvalues: bool = Field(
        strict=True,
        description="whether eigenvalues of the transition lie in [-1, 1], or in [0, 1]; no unit",
    )

    def size(self, shape: Shape) -> Size:
        """Return the size; see `delta_net_size`."""
        return delta_net_size(shape, self.width, self.depth, self.heads)


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
    "Ebrahimi, Memisevic (2025), arXiv:2505.21749: hidden size 256; ours: embeddings of that width, "
    "and a state that is normalised in training too"
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


KINDS = (
    TransformerOptions,
    EncoderDecoderOptions,
    LSTMOptions,
    GRUOptions,
    ElmanOptions,
    DenseSSMOptions,
    FactoredSSMOptions,
    BlockSSMOptions,
    RotationSSMOptions,
    DiagonalSSMOptions,
    DeltaNetOptions,
)
"""The options of every kind of model; a new model adds its own here."""


def _look_up(options: Options) -> Options:
    """Return the options that a preset stands for, so that both are the same cell."""
    if not isinstance(options, PresetOptions):
        return options
    chosen = PRESETS[options.name].options
    (kind,) = [
        cls for cls in KINDS if cls.model_fields["kind"].annotation == Literal[chosen["kind"]]
    ]
    return kind.model_validate(chosen)


ModelOptions = Annotated[tagged_union(*KINDS, PresetOptions), AfterValidator(_look_up)]
