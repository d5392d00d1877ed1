"""Encoder-decoder transformer: its options, and its size."""

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from nstar.kinds.base import Depth, HeadedKind, Width, check_halves, depth_field
from nstar.kinds.size import Flops, Shape, Size, product, total_size


class EncoderDecoderOptions(HeadedKind):
    """Encoder-decoder transformer, for chains of thought of fixed length."""

    EXAMPLES: ClassVar = {
        "encoder_decoder": {"width": 12, "depth": 2, "heads": 3},
        "encoder_decoder_narrow": {"width": 10, "depth": 1, "heads": 1, "perceptron_width": 7},
    }

    reading: ClassVar = 2

    kind: Literal["encoder_decoder"] = Field(description="encoder-decoder transformer; no unit")
    depth: Depth = depth_field("layers of the encoder, as many as of the decoder")
    perceptron_width: Width | None = Field(
        None, description="F, hidden units of a perceptron; null: 4 times the width; units"
    )

    @model_validator(mode="after")
    def _halves_to_concatenate(self):
        check_halves(self.width, "encoder_decoder")
        return self

    def size(self, shape: Shape) -> Size:
        """Return the size; see `encoder_decoder_size`."""
        return encoder_decoder_size(shape, self.width, self.depth, self.perceptron_width)


def encoder_decoder_size(
    shape: Shape, width: int, depth: int, perceptron_width: int | None = None
) -> Size:
    """Return the size of a `nstar.models.EncoderDecoder`.

    Parameters
    ----------
    shape : Shape
        The encoder reads the first half of a sequence; of an odd one, the shorter half. The loss reads
        all positions of the other one.
    width, depth, perceptron_width
        As for the model, in which the number of heads changes nothing here.

    Notes
    -----
    P is ``(V + n_positions) D / 2 + depth (12 D^2 + 4 D F + 24 D + 2 F) + 4 D + D C + C``, F the width
    of the perceptrons; an odd n_positions counts as one more.

    With e positions read by the encoder and d by the decoder, ``e + d = n``, a layer forward has
    ``8 n D^2 + 4 n D F`` operations of linear maps, and beyond these ``4 d D^2 + 4 e D^2`` around the
    attention to the encoder. Attention has ``4 D`` for each pair of a position and one that it sees:
    e to e, d to d, d to e; the head takes ``2 d D C``. Backward takes twice that, attention 5 / 2 times.

    For its gradient a layer of the encoder keeps ``10 D + F`` numbers per position and one of the
    decoder ``15 D + F``, and ``2 D`` keys and values per position of the encoder; a norm at the end
    keeps ``3 D``. Forward, ``D + 2 F`` live at a time in a perceptron of the decoder, and ``9 D`` in an
    attention, beside what the encoder made.
    """
    encoded = shape.length // 2
    decoded = shape.length - encoded
    n_encoded, n_decoded = shape.batch_size * encoded, shape.batch_size * decoded
    hidden = perceptron_width or 4 * width
    n_parameters = width // 2 * (shape.n_symbols + 2 * -(-shape.n_positions // 2))
    n_parameters += depth * (12 * width**2 + 4 * width * hidden + 24 * width + 2 * hidden)
    n_parameters += 4 * width + (width + 1) * shape.n_classes

    def attention(n_rows: int, n_seen: int) -> Flops:
        forward = 2 * product(n_rows, width, n_seen).forward
        return Flops(forward, 5 * forward // 2)

    products = [product(n_decoded, width, shape.n_classes)]
    products += depth * [
        product(n_encoded, width, 4 * width + 2 * hidden),
        attention(n_encoded, encoded),
        product(n_decoded, width, 6 * width + 2 * hidden),
        product(n_encoded, width, 2 * width),
        attention(n_decoded, decoded),
        attention(n_decoded, encoded),
    ]
    forward = n_decoded * max(width + 2 * hidden, 9 * width) + n_encoded * width
    kept = n_encoded * (12 * width + hidden) + n_decoded * (15 * width + hidden)
    transient = n_decoded * (5 * width + hidden) + shape.n_rows * 3 * width
    outputs = replace(shape, length=decoded)
    return total_size(outputs, n_parameters, products, forward, training=depth * kept + transient)
