"""How large a model is: parameters, operations and memory, from formulas, without torch.

A plan asks a cluster for time and memory before anything is trained. `tests/models/test_sizes.py`
compares the formulas with what models really have, compute and hold: parameters agree exactly,
operations too (but for one product with one column), memory within a factor of 1.5.

Symbols: D width, V vocabulary, C classes, T length, H heads, B batch, P parameters; beside those of
the glossary, n = B T positions of a batch, b size of a block, c of a chunk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

LARGEST_TABLE, ELEMENTWISE_BLOCK = 32, 2
"""As in `nstar.models.linear_rnn`: when a state is multiplied with the matrices of all symbols."""

CHUNK = 64
"""As in `nstar.models.deltanet` and `nstar.models.attention`: positions that are computed together."""

OPTIMISER_CHUNK = 2**17
"""As in `nstar.training.optimiser`: parameters that a CPU updates together."""

FLOAT_BYTES = 4


def default_block_size(n_positions: int) -> int:
    """Return the power of two at or below the square root of the number of positions.

    Examples
    --------
    >>> [default_block_size(n) for n in (3, 23, 43, 505)]
    [1, 4, 4, 16]
    """
    return 2 ** ((n_positions.bit_length() - 1) // 2)


@dataclass(frozen=True)
class Shape:
    """What one replicate sees in a training step; all are at least 1.

    Attributes
    ----------
    n_symbols : int
        V, size of the input alphabet.
    n_classes : int
        C, number of labels.
    n_positions : int
        Longest sequence that the model is built for, that of the extrapolation test.
    length : int
        T, of the sequences at hand; at most `n_positions`. The loss reads all positions.
    batch_size : int
        B, sequences at a time.
    """

    n_symbols: int
    n_classes: int
    n_positions: int
    length: int
    batch_size: int

    @property
    def n_rows(self) -> int:
        """Positions of a batch, B T."""
        return self.batch_size * self.length


@dataclass(frozen=True)
class Size:
    """What one replicate of a model takes, for the whole of its batch.

    That of R replicates is R times as much. Memory is that of models on a CPU in float32, in leading
    terms.

    Attributes
    ----------
    n_parameters : int
        P.
    forward_flops : int
        Multiplications and additions, each as 1, of the matrix products of a forward pass. Masked
        entries of an attention count, elementwise functions and norms do not.
    step_flops : int
        The same of a forward and a backward pass; without the optimiser.
    forward_bytes : int
        Peak of a forward pass without gradients, as in an evaluation, beyond parameters; bytes.
    step_bytes : int
        Peak of a training step beyond parameters and what the optimiser remembers; bytes.
    """

    n_parameters: int
    forward_flops: int
    step_flops: int
    forward_bytes: int
    step_bytes: int


class _Flops(NamedTuple):
    forward: int
    backward: int


def _product(n_rows: int, n_inner: int, n_columns: int, n_gradients: int = 2) -> _Flops:
    """Return the operations of a matrix product and of as many products for its gradients."""
    forward = 2 * n_rows * n_inner * n_columns
    return _Flops(forward, n_gradients * forward)


def _size(
    shape: Shape, n_parameters: int, products: list[_Flops], forward: int, training: int
) -> Size:
    """Return a size, given the numbers held beyond logits and gradients at the peak of either pass.

    A step holds first what backward needs, then its gradient twice, by tensor and joined, and the work
    space of the optimiser.
    """
    logits = shape.n_rows * shape.n_classes
    update = 2 * n_parameters + min(n_parameters, OPTIMISER_CHUNK)
    forward_flops = sum(part.forward for part in products)
    return Size(
        n_parameters=n_parameters,
        forward_flops=forward_flops,
        step_flops=forward_flops + sum(part.backward for part in products),
        forward_bytes=FLOAT_BYTES * (forward + 2 * logits),
        step_bytes=FLOAT_BYTES * max(training + 4 * logits, update),
    )


def transformer_size(
    shape: Shape,
    width: int,
    depth: int,
    heads: int,
    positions: Literal["learned", "sinusoidal", "rotary", "none"],
    norm: Literal["pre", "post"],
    activation: Literal["gelu", "relu"],
    dropout: float,
    embedding: Literal["added", "concatenated"] = "added",
    perceptron_width: int | None = None,
    embedding_norm: bool = False,
    attention: Mapping[str, Any] | None = None,
) -> Size:
    """Return the size of a `nstar.models.Transformer`.

    Parameters
    ----------
    shape : Shape
    width, depth, heads, positions, norm, activation, dropout, embedding, perceptron_width
        As for the model; its mask and its initial values change nothing here.
    embedding_norm, attention
        Likewise. Sparse attention computes all pairs, and masks some.

    Notes
    -----
    P is ``V D + depth (4 D^2 + 2 D F + 9 D + F) + D C + C``, F the width of the perceptrons, ``2 D``
    more for norm "pre" and for an embedding norm, ``n_positions D`` more for learned positions; both
    tables are half as wide where they are concatenated.

    Forward, a layer has ``8 n D^2 + 4 n D F`` operations of linear maps and ``4 n T D`` of attention,
    the head ``2 n D C``. Backward takes twice that, but a fused attention makes its weights again and
    takes ``10 n T D``; with dropout it is not fused. Linear attention takes, in a chunk of c positions,
    ``2 c^2 (2 D + H)`` per sequence, and ``2 c D (D / H + 1)`` to write the state, and to read it but for
    the first chunk; backward twice that, but for the state after the last chunk.

    For its gradient a layer keeps ``10 D + 2 F`` numbers per position: 6 D around the two norms, 3 D
    queries, keys and values, 1 D mixed, 2 F around the activation, of which "relu" spares one; rotary
    positions add 2 D, dropout adds 2 D of masks and ``3 H T`` of attention weights, linear attention
    ``5 D`` of features and sums and ``2 H c`` of weights. Forward,
    ``5 D + 2 F`` live at a time in a perceptron, and ``7 D``, with those, in attention.
    """
    n, length = shape.n_rows, shape.length
    hidden = perceptron_width or 4 * width
    table_width = width // 2 if embedding == "concatenated" else width
    n_parameters = shape.n_symbols * table_width
    n_parameters += depth * (4 * width**2 + 2 * width * hidden + 9 * width + hidden)
    n_parameters += (width + 1) * shape.n_classes
    n_parameters += 2 * width * ((norm == "pre") + embedding_norm)
    n_parameters += shape.n_positions * table_width * (positions == "learned")
    linear = attention is not None and attention["kind"] == "linear"
    pairs = 2 * _product(n, width, length).forward
    mixing = [_Flops(pairs, 2 * pairs if dropout else 5 * pairs // 2)]
    if linear:
        mixing = _linear_attention(shape, width, heads)
    products = [_product(n, width, shape.n_classes)]
    products += depth * [_product(n, width, 4 * width + 2 * hidden), *mixing]
    relu = activation == "relu"
    kept = (10 + 2 * (positions == "rotary") + 2 * (dropout > 0)) * width
    kept += (1 if relu else 2) * hidden + 3 * heads * length * (dropout > 0)
    summed = (5 * width + 2 * heads * min(CHUNK, length)) * linear
    kept += summed
    transient = (5 if relu else 2) * width + hidden
    forward = n * max(5 * width + 2 * hidden, 7 * width + summed)
    training = n * (depth * kept + transient)
    return _size(shape, n_parameters, products, forward, training)


def _linear_attention(shape: Shape, width: int, heads: int) -> list[_Flops]:
    """Return the products of a layer of `nstar.models.attention.LinearAttention`, without its maps."""
    products = []
    for start in range(0, shape.length, CHUNK):
        chunk = min(CHUNK, shape.length - start)
        n, summed = shape.batch_size * chunk, width + heads
        state = _product(n, width // heads, summed)
        is_last = start + chunk == shape.length
        products += [_product(n, width, chunk), _product(n, chunk, summed)]
        products += [_Flops(state.forward, 0) if is_last else state, *([state] if start else [])]
    return products


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

    def attention(n_rows: int, n_seen: int) -> _Flops:
        forward = 2 * _product(n_rows, width, n_seen).forward
        return _Flops(forward, 5 * forward // 2)

    products = [_product(n_decoded, width, shape.n_classes)]
    products += depth * [
        _product(n_encoded, width, 4 * width + 2 * hidden),
        attention(n_encoded, encoded),
        _product(n_decoded, width, 6 * width + 2 * hidden),
        _product(n_encoded, width, 2 * width),
        attention(n_decoded, decoded),
        attention(n_decoded, encoded),
    ]
    forward = n_decoded * max(width + 2 * hidden, 9 * width) + n_encoded * width
    kept = n_encoded * (12 * width + hidden) + n_decoded * (15 * width + hidden)
    transient = n_decoded * (5 * width + hidden) + shape.n_rows * 3 * width
    outputs = replace(shape, length=decoded)
    return _size(outputs, n_parameters, products, forward, training=depth * kept + transient)


def recurrent_size(
    shape: Shape, width: int, n_gates: int, n_biases: int, n_kept: int, joined: bool
) -> Size:
    """Return the size of a recurrence with gates: `nstar.models.LSTM`, `GRU` or `Elman`.

    Parameters
    ----------
    shape : Shape
    width : int
        D.
    n_gates : int
        g, vectors of size D that a step computes from its input and the state before.
    n_biases : int
        Of size D.
    n_kept : int
        k, vectors of size D that a step keeps for its gradient.
    joined : bool
        Whether input and state before are multiplied as one; else the input has a product of its own.

    Notes
    -----
    P is ``V D + 2 g D^2 + n_biases D + D C + C``.

    A step has m inputs beside its state: a row per symbol where ``V <= D``, of a table that costs
    ``2 V g D^2``; else the embedding and a one, ``m = D + 1``. Forward, a step has ``2 g D (D + m)``
    operations per sequence. Backward, the weights take the same; the state before takes ``2 g D^2``,
    except in the first step, and the inputs ``2 g D m``, except where they come from a table.

    A batch holds ``n (k D + m)`` numbers forward, k at least 2, and ``n ((k + 2) D + m)`` backward;
    joined, inputs are copied beside the states, ``n m``, and the ``g D (D + m)`` weights twice. The
    gradient of the weights is as large.
    """
    # A batch of one is computed twice; see `at_least_two` in nstar.models.stacked.
    batch = max(2, shape.batch_size)
    n, columns = batch * shape.length, n_gates * width
    n_symbols, n_classes = shape.n_symbols, shape.n_classes
    n_parameters = n_symbols * width + 2 * width * columns + n_biases * width
    n_parameters += (width + 1) * n_classes
    tabled = n_symbols <= width
    n_inputs = n_symbols if tabled else width + 1
    n_weights = columns * (width + n_inputs)
    steps_back = shape.length if joined and not tabled else shape.length - 1
    products = [
        _product(n, width + n_inputs, columns, n_gradients=1),
        _Flops(0, _product(batch * steps_back, columns, width).forward),
        _product(n_symbols, width, columns) if tabled else _Flops(0, 2 * n * columns * n_inputs),
        _product(shape.n_rows, width, n_classes),
    ]
    return _size(
        shape,
        n_parameters,
        products,
        forward=n * (max(n_kept, 2) * width + n_inputs) + joined * (n * n_inputs + 2 * n_weights),
        training=n * ((n_kept + 2) * width + n_inputs) + (1 + joined) * n_weights,
    )


def linear_recurrence_size(
    shape: Shape, width: int, block_size: int, n_features: int, normalise: bool
) -> Size:
    """Return the size of a `nstar.models.linear_rnn.LinearRNN`.

    Parameters
    ----------
    shape : Shape
    width, block_size : int
        D and b: the transition matrix has D / b blocks, b times b.
    n_features : int
        f, numbers that a transition matrix is made of.
    normalise : bool
        Whether states are normalised.

    Notes
    -----
    P is ``D f + V D + D + D C + C``. The transition matrices take ``2 V D f`` operations per batch.

    Up to `LARGEST_TABLE` symbols, for blocks above `ELEMENTWISE_BLOCK`, a state is multiplied with
    the matrices of all symbols, ``2 V D b``, and otherwise with that of its token, ``2 D b``. Each of
    these products has two gradients of the same cost, the outer product ``2 D b`` of the gathered
    form among them.

    For its gradient a position holds, of all symbols, a gradient spread over V places, ``V D``, the
    state and two indices per block; gathered, matrices and their gradients, ``2 D b``, and ``2 D``.
    Normalisation adds ``2 D``. Forward, it holds state and indices, or the matrices and ``2 D``.
    """
    n, n_symbols, n_classes = shape.n_rows, shape.n_symbols, shape.n_classes
    n_parameters = width * n_features + n_symbols * width + width + (width + 1) * n_classes
    matrices = n_symbols * width * block_size
    table = block_size > ELEMENTWISE_BLOCK and n_symbols <= LARGEST_TABLE
    products = [
        _product(n_symbols, width, n_features),
        _product(n, width, block_size * (n_symbols if table else 1)),
        _product(n, width, n_classes),
    ]
    if table:
        indices = 4 * width // block_size
        forward = n * (width + indices) + shape.batch_size * n_symbols * width
        training = n * ((n_symbols + 1) * width + indices)
    else:
        forward = n * (block_size + 2) * width
        training = n * (2 * block_size + 2) * width
    training += 2 * n * width * normalise
    return _size(
        shape, n_parameters, products, forward + 2 * matrices, training=training + 3 * matrices
    )


def factored_recurrence_size(shape: Shape, width: int, rank: int, normalise: bool) -> Size:
    """Return the size of a `nstar.models.FactoredSSM`.

    Parameters
    ----------
    shape : Shape
    width, rank : int
        D and F.
    normalise : bool
        Whether states are normalised.

    Notes
    -----
    P is ``3 D F + V D + D + D C + C``.

    Coefficients of all symbols take ``2 V D F`` operations per batch, and each step two products of
    ``2 D F`` per sequence. Each product has two gradients of the same cost.

    For its gradient a position holds coefficients, the state seen by the factors and the gradients of
    both, ``4 F``, and the state and its gradient before and after the step, ``3 D``. Normalisation
    adds ``D``. Forward, it holds ``2 F + D``. A rank of 1 is computed as one of 2.
    """
    n, n_symbols, n_classes = shape.n_rows, shape.n_symbols, shape.n_classes
    n_parameters = 3 * width * rank + n_symbols * width + width + (width + 1) * n_classes
    rank = max(2, rank)
    products = [
        _product(n_symbols, width, rank),
        _product(n, width, rank),
        _product(n, rank, width),
        _product(n, width, n_classes),
    ]
    return _size(
        shape,
        n_parameters,
        products,
        forward=n * (2 * rank + width) + n_symbols * rank,
        training=n * (4 * rank + (3 + normalise) * width) + 2 * n_symbols * rank,
    )


def delta_net_size(shape: Shape, width: int, depth: int, heads: int) -> Size:
    """Return the size of a `nstar.models.DeltaNet`.

    Parameters
    ----------
    shape : Shape
    width, depth, heads : int
        D, number of layers, and H, as for the model.

    Notes
    -----
    P is ``V D + depth (12 D^2 + 13 D + D H + H + D / H) + 2 D + D C + C``.

    Forward, a layer has ``2 n D (12 D + H)`` operations of linear maps. A chunk of c positions has,
    in a sequence and over all heads, three products ``2 c^2 D`` and a triangular system ``c^2 D``,
    whose gradient is another system and a product; memories are read twice unless it is the first
    and written unless it is the last, ``2 c D^2 / H`` each.

    For its gradient a layer keeps ``26 D`` numbers per position, and ``2 H c^2`` per chunk. Forward,
    ``10 D`` live at a time, and ``3 H c^2`` of one chunk.
    """
    n, batch, length, head = shape.n_rows, shape.batch_size, shape.length, width // heads
    n_parameters = shape.n_symbols * width + 2 * width + (width + 1) * shape.n_classes
    n_parameters += depth * (12 * width**2 + 13 * width + (width + 1) * heads + head)
    layer = [_product(n, width, 12 * width + heads)]
    chunks = [min(CHUNK, length - start) for start in range(0, length, CHUNK)]
    for i, chunk in enumerate(chunks):
        n_memories = 2 * (i > 0) + (i < len(chunks) - 1)
        square = _product(batch * chunk, width, chunk)
        system = square.forward // 2
        layer += 3 * [square]
        layer += [_Flops(system, system + square.forward)]
        layer += n_memories * [_product(batch * chunk, width, head)]
    products = [*depth * layer, _product(n, width, shape.n_classes)]
    squares = batch * heads * sum(chunk**2 for chunk in chunks)
    return _size(
        shape,
        n_parameters,
        products,
        forward=10 * n * width + 3 * batch * heads * chunks[0] ** 2,
        training=depth * (26 * n * width + 2 * squares) + 6 * n * width,
    )
