"""Transformer: its options, and its size."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from nstar.kinds.base import HeadedKind, Width, check_halves
from nstar.kinds.size import CHUNK, Flops, Shape, Size, product, total_size
from nstar.options import (
    LATER,
    Float,
    NonNegativeFloat,
    Options,
    PositiveInt,
    tagged_union,
)


def default_block_size(n_positions: int) -> int:
    """Return the power of two at or below the square root of the number of positions.

    Examples
    --------
    >>> [default_block_size(n) for n in (3, 23, 43, 505)]
    [1, 4, 4, 16]
    """
    return 2 ** ((n_positions.bit_length() - 1) // 2)


class SparseAttentionOptions(Options):
    """Attention to a window and to the last positions of every block."""

    MEANINGS: ClassVar = {
        "kind": {
            "sparse": "a position sees a window of blocks and the last positions of earlier blocks"
        },
    }

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

    MEANINGS: ClassVar = {
        "kind": {"linear": "weights are products of features of queries and keys"},
        "feature_map": {
            "elu": "features elu(x) + 1",
            "relu": "features max(x, 0)",
            "exp": "features exp(x)",
        },
    }

    kind: Literal["linear"] = Field(description="linear attention; no unit")
    feature_map: Literal["elu", "relu", "exp"] = Field(
        "elu", description="features of queries and keys: elu(x) + 1, max(x, 0) or exp(x); no unit"
    )


AttentionKind = SparseAttentionOptions | LinearAttentionOptions

AttentionOptions = tagged_union(SparseAttentionOptions, LinearAttentionOptions)


class TransformerOptions(HeadedKind):
    """Transformer: layers of self-attention and a perceptron, with residual connections."""

    MEANINGS: ClassVar = {
        "positions": {
            "learned": "a table of position embeddings is trained",
            "sinusoidal": "fixed sines and cosines of the position",
            "rotary": "queries and keys are rotated by angles that grow with the position",
            "none": "the model is told no positions",
        },
        "norm": {
            "pre": "LayerNorm before each part of a layer, and before the head",
            "post": "LayerNorm after each residual sum",
        },
        "causal": {True: "a position sees itself and earlier ones", False: "a position sees all"},
        "activation": {
            "gelu": "nonlinearity of the perceptrons: GELU",
            "gelu_tanh": "nonlinearity of the perceptrons: GELU, approximated with tanh",
            "relu": "nonlinearity of the perceptrons: ReLU",
        },
        "embedding": {
            "added": "positions are added to token embeddings",
            "concatenated": "half of the width embeds the token, half the position",
        },
        "initialisation": {
            "gpt2": "initial weights drawn as GPT-2's",
            "torch": "initial weights drawn as those of torch's own modules",
            "uniform": "initial weights uniform in [-1, 1], biases 0",
            "gaussian": "initial weights standard normal, biases 0",
            "xavier_uniform": "initial weights drawn as by Glorot and Bengio, uniform, biases 0",
            "xavier_gaussian": "initial weights drawn as by Glorot and Bengio, normal, biases 0",
        },
        "embedding_norm": {
            True: "a LayerNorm follows the embedding",
            False: "no LayerNorm follows the embedding",
        },
    }

    EXAMPLES: ClassVar = {
        "transformer": {"width": 12, "depth": 2, "heads": 3},
        "transformer_post": {
            "width": 12,
            "depth": 2,
            "heads": 2,
            "positions": "sinusoidal",
            "norm": "post",
            "activation": "relu",
        },
        "transformer_rotary": {"width": 12, "depth": 2, "heads": 3, "positions": "rotary"},
        "transformer_encoder": {"width": 12, "depth": 2, "heads": 3, "causal": False},
        "transformer_no_positions": {"width": 10, "depth": 1, "heads": 1, "positions": "none"},
        "transformer_sensitivity": {
            "width": 12,
            "depth": 2,
            "heads": 2,
            "norm": "post",
            "causal": False,
            "activation": "relu",
            "embedding": "concatenated",
            "perceptron_width": 12,
            "initialisation": "torch",
        },
        "transformer_exact_norm": {
            "width": 12,
            "depth": 1,
            "heads": 2,
            "norm": "post",
            "initialisation": "xavier_gaussian",
            "norm_epsilon": 0.0,
        },
        "transformer_sparse": {
            "width": 12,
            "depth": 2,
            "heads": 3,
            "positions": "sinusoidal",
            "activation": "gelu_tanh",
            "embedding_norm": True,
            "attention": {"kind": "sparse", "block_size": 3, "window": 1, "global_tokens": 2},
        },
        "transformer_linear": {
            "width": 12,
            "depth": 2,
            "heads": 3,
            "positions": "sinusoidal",
            "attention": {"kind": "linear", "feature_map": "elu"},
        },
        "transformer_linear_relu": {
            "width": 12,
            "depth": 2,
            "heads": 3,
            "positions": "rotary",
            "norm": "post",
            "attention": {"kind": "linear", "feature_map": "relu"},
        },
        "transformer_linear_exp": {
            "width": 10,
            "depth": 1,
            "heads": 2,
            "attention": {"kind": "linear", "feature_map": "exp"},
        },
    }

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
    initialisation: Annotated[
        Literal["gpt2", "torch", "uniform", "gaussian", "xavier_uniform", "xavier_gaussian"], LATER
    ] = Field(
        "gpt2",
        description="initial distributions: GPT-2's, those of torch's own modules, or one for the "
        "weights of all linear maps, uniform in [-1, 1], standard normal, or of the variance "
        "2 / (n_in + n_out); no unit",
    )
    embedding_norm: Annotated[bool, Field(strict=True), LATER] = Field(
        False, description="whether a LayerNorm follows the embedding; no unit"
    )
    norm_epsilon: Annotated[NonNegativeFloat, LATER] = Field(
        1e-5, description="what a LayerNorm adds to the variance; variance of features"
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
            check_halves(self.width, "embedding concatenated")
        return self

    def size(self, shape: Shape) -> Size:
        """Return the size, which mask and initial values leave as it is; see `ModelKind.size`.

        Sparse attention computes all pairs, and masks some.

        Notes
        -----
        P is ``V D + depth (4 D^2 + 2 D F + 9 D + F) + D C + C``, F the width of the perceptrons, ``2 D``
        more for norm "pre" and for an embedding norm, ``n_positions D`` more for learned positions; both
        tables are half as wide where they are concatenated.

        Forward, a layer has ``8 n D^2 + 4 n D F`` operations of linear maps and ``4 n T D`` of attention,
        the head ``2 n D C``. Backward takes twice that, but a fused attention makes its weights again and
        takes ``10 n T D``; with dropout it is not fused. Linear attention takes, in a chunk of c
        positions, ``2 c^2 (2 D + H)`` per sequence, and ``2 c D (D / H + 1)`` to write the state, and to
        read it but for the first chunk; backward twice that, but for the state after the last chunk.

        For its gradient a layer keeps ``10 D + 2 F`` numbers per position: 6 D around the two norms, 3 D
        queries, keys and values, 1 D mixed, 2 F around the activation, of which "relu" spares one; rotary
        positions add 2 D, dropout adds 2 D of masks and ``3 H T`` of attention weights, linear attention
        ``5 D`` of features and sums and ``2 H c`` of weights. Forward,
        ``5 D + 2 F`` live at a time in a perceptron, and ``7 D``, with those, in attention.
        """
        n, length = shape.n_rows, shape.length
        width, depth, heads = self.width, self.depth, self.heads
        hidden = self.perceptron_width or 4 * width
        table_width = width // 2 if self.embedding == "concatenated" else width
        n_parameters = shape.n_symbols * table_width
        n_parameters += depth * (4 * width**2 + 2 * width * hidden + 9 * width + hidden)
        n_parameters += (width + 1) * shape.n_classes
        n_parameters += 2 * width * ((self.norm == "pre") + self.embedding_norm)
        n_parameters += shape.n_positions * table_width * (self.positions == "learned")
        linear = self.attention is not None and self.attention.kind == "linear"
        pairs = 2 * product(n, width, length).forward
        mixing = [Flops(pairs, 2 * pairs if self.dropout else 5 * pairs // 2)]
        if linear:
            mixing = _linear_attention(shape, width, heads)
        products = [product(n, width, shape.n_classes)]
        products += depth * [product(n, width, 4 * width + 2 * hidden), *mixing]
        relu = self.activation == "relu"
        kept = (10 + 2 * (self.positions == "rotary") + 2 * (self.dropout > 0)) * width
        kept += (1 if relu else 2) * hidden + 3 * heads * length * (self.dropout > 0)
        summed = (5 * width + 2 * heads * min(CHUNK, length)) * linear
        kept += summed
        transient = (5 if relu else 2) * width + hidden
        forward = n * max(5 * width + 2 * hidden, 7 * width + summed)
        training = n * (depth * kept + transient)
        return total_size(shape, n_parameters, products, forward, training)


def _linear_attention(shape: Shape, width: int, heads: int) -> list[Flops]:
    """Return the products of a layer of `nstar.models.attention.LinearAttention`, without its maps."""
    products = []
    for start in range(0, shape.length, CHUNK):
        chunk = min(CHUNK, shape.length - start)
        n, summed = shape.batch_size * chunk, width + heads
        state = product(n, width // heads, summed)
        is_last = start + chunk == shape.length
        products += [product(n, width, chunk), product(n, chunk, summed)]
        products += [Flops(state.forward, 0) if is_last else state, *([state] if start else [])]
    return products
