"""Size of recurrences with gates: LSTM, GRU and Elman network."""

from nstar.kinds.size import Flops, Shape, Size, product, total_size


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
        product(n, width + n_inputs, columns, n_gradients=1),
        Flops(0, product(batch * steps_back, columns, width).forward),
        product(n_symbols, width, columns) if tabled else Flops(0, 2 * n * columns * n_inputs),
        product(shape.n_rows, width, n_classes),
    ]
    return total_size(
        shape,
        n_parameters,
        products,
        forward=n * (max(n_kept, 2) * width + n_inputs) + joined * (n * n_inputs + 2 * n_weights),
        training=n * ((n_kept + 2) * width + n_inputs) + (1 + joined) * n_weights,
    )
