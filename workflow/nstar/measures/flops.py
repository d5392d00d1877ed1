"""Operations of a forward pass by the accounting of the literature, whatever the implementation does."""

from collections.abc import Mapping
from typing import Any

from nstar.kinds.transformer import default_block_size


def forward_flops(options: Mapping[str, Any], n_tokens: int, n_positions: int) -> float:
    """Return the multiplications and additions, each as 1, of a transformer that reads a text.

    Parameters
    ----------
    options : mapping
        Of the model, as a specification holds them.
    n_tokens : int
        L, tokens of the text, at least 1.
    n_positions : int
        Tokens of the longest text that the model is built for: it decides the size of blocks that have
        no other.

    Returns
    -------
    float
        Of all layers, without embedding and head; NaN for other models.

    Notes
    -----
    A layer takes ``8 L D^2 + 4 L D F`` in linear maps, ``24 L D^2`` where F = 4 D, and in attention
    ``4 D`` for each pair of a position and one that it sees: ``L^2 / 2`` pairs with softmax attention, as
    is usual, and with sparse attention those of its definition; linear attention takes ``4 L D^2 / H``.

    References
    ----------
    Yang et al. (2024), arXiv:2402.13934, for the orders ``L^2 D + L D^2``, ``L sqrt(L) D + L D^2`` and
    ``L D^2``; the constants are ours.

    Examples
    --------
    >>> forward_flops({"kind": "transformer", "width": 128, "depth": 3, "heads": 4}, 505, 505)
    791581440.0
    """
    if options["kind"] != "transformer":
        return float("nan")
    width, attention = options["width"], options.get("attention")
    hidden = options.get("perceptron_width") or 4 * width
    maps = n_tokens * (8 * width**2 + 4 * width * hidden)
    if attention is None:
        mixing = 4 * width * n_tokens**2 / 2
    elif attention["kind"] == "sparse":
        mixing = 4 * width * n_seen(attention, n_tokens, n_positions)
    else:
        mixing = 4 * n_tokens * width**2 / options["heads"]
    return float(options["depth"] * (maps + mixing))


def n_seen(attention: Mapping[str, Any], n_tokens: int, n_positions: int) -> int:
    """Return how many pairs of a position and one that it sees there are in sparse attention.

    Parameters
    ----------
    attention : mapping
        Options of `nstar.models.attention.SparseAttention`.
    n_tokens, n_positions : int
        As for `forward_flops`.
    """
    block = attention["block_size"] or default_block_size(n_positions)
    window, n_global = attention["window"] * block, min(attention["global_tokens"], block)
    pairs = 0
    for place in range(n_tokens):
        before_window = max(0, place - window + 1)
        blocks, rest = divmod(before_window, block)
        pairs += place + 1 - before_window + blocks * n_global + max(0, rest - (block - n_global))
    return pairs
