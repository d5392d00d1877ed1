"""What a position of a transformer makes of those that it sees: softmax, sparse or linear attention.

Shapes: n sequences (of all replicates), H heads, T positions, d width of a head.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from nstar.kinds.size import CHUNK
from nstar.kinds.transformer import AttentionKind, default_block_size
from nstar.models.stacked import Memory, elementwise, in_float32

MOST_AT_ONCE = 2**16 - 1
"""Sequences times heads that attention takes at once. Torch's CUDA kernels lay them along an axis of the
grid, which ends there: more is an invalid configuration (github.com/pytorch/pytorch/issues/142228)."""

LEAST_WEIGHT = 1e-6
"""Lower bound of a sum of weights that is divided by: features of "relu" may all be 0."""

FEATURE_MAPS = {
    "elu": lambda inputs: F.elu(inputs) + 1,
    "relu": F.relu,
    "exp": torch.exp,
}


class Growing:
    """Positions (n, H, T, d) to which more are added, with room for them, so that few copy the rest."""

    def __init__(self):
        self.length = 0
        self.buffer: Tensor | None = None

    def append(self, part: Tensor) -> Tensor:
        """Return all positions (n, H, T, d), the last of which are those of a part (n, H, t, d)."""
        start, stop = self.length, self.length + part.shape[2]
        if self.buffer is None or stop > self.buffer.shape[2]:
            larger = part.new_empty(*part.shape[:2], 2 * stop, part.shape[3])
            if self.buffer is not None:
                larger[:, :, :start] = self.buffer[:, :, :start]
            self.buffer = larger
        self.buffer[:, :, start:stop] = part
        self.length = stop
        return self.buffer[:, :, :stop]


class SoftmaxAttention:
    """Softmax over the position itself and all before it."""

    def visible(self, n_queries: int, n_keys: int, device: torch.device) -> Tensor:
        """Return which of all positions each of the last ones sees: bool (queries, keys)."""
        return _past(n_queries, n_keys, device)

    def mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return what the last T' positions see.

        Parameters
        ----------
        query : Tensor, shape (n, H, T', d)
        key, value : Tensor, shape (n, H, T, d)

        Returns
        -------
        Tensor, shape (n, H, T', d)
        """
        return attend_to_past(query, key, value)

    def read(self, query: Tensor, key: Tensor, value: Tensor, memory: Memory) -> Tensor:
        """Return what some positions see, of themselves and of those that are in memory; add them to it.

        Parameters
        ----------
        query, key, value : Tensor, shape (n, H, T, d)
        memory : dict
            Of one layer, empty at first; changed in place.
        """
        keys, values = (
            memory.setdefault(name, Growing()).append(part)
            for name, part in (("key", key), ("value", value))
        )
        return self.mix(query, keys, values)


class SparseAttention(SoftmaxAttention):
    """Softmax over a window of positions and the last ones of every block before it.

    Parameters
    ----------
    block_size : int
        B, positions of a block.
    window : int
        k: position i, counted from 1, sees ``i - k B < j <= i``.
    global_tokens : int
        c, at most B: it sees ``j <= i`` with ``(j - 1) mod B >= B - c`` too.

    Notes
    -----
    Scores of all pairs are computed, and those that are not seen are masked: what it would save is
    counted (`nstar.measures.flops`), not saved. With ``B >= T`` it is `SoftmaxAttention`.

    References
    ----------
    Child et al. (2019), Generating Long Sequences with Sparse Transformers, arXiv:1904.10509 (fixed
    attention); Yang et al. (2024), arXiv:2402.13934, in the notation here, of which B, k and c of the
    experiments are not known to us.
    """

    def __init__(self, block_size: int, window: int, global_tokens: int):
        self.block_size = block_size
        self.window = window
        self.global_tokens = global_tokens

    def visible(self, n_queries: int, n_keys: int, device: torch.device) -> Tensor:
        """Return which of all positions each of the last ones sees: bool (queries, keys)."""
        return _sparse_mask(
            n_queries, n_keys, device, self.block_size, self.window, self.global_tokens
        )

    def mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return what the last positions see; see `SoftmaxAttention.mix`."""
        mask = self.visible(query.shape[2], key.shape[2], query.device)
        return attend(query, key, value, attn_mask=mask)


class LinearAttention:
    """Weights ``phi(q)' phi(k)``, which a state of fixed size sums up.

    Parameters
    ----------
    feature_map : {"elu", "relu", "exp"}
        phi, entry by entry: ``elu(x) + 1``, ``max(x, 0)`` or ``exp(x)``.

    Notes
    -----
    ``o_i = S_i' phi(q_i) / z_i' phi(q_i)``, with ``S_i = S_{i-1} + phi(k_i) v_i'`` and
    ``z_i = z_{i-1} + phi(k_i)``. Queries are not scaled. Chunks of positions are computed at once, from
    the state before them: time grows with T, not T^2. A sum of weights below `LEAST_WEIGHT` counts as
    that. Features of "exp" are not shifted, and overflow where queries or keys exceed 88.

    References
    ----------
    Katharopoulos et al. (2020), Transformers are RNNs, arXiv:2006.16236, eq. 7 and section 3.3.
    """

    def __init__(self, feature_map: str):
        self.features = FEATURE_MAPS[feature_map]

    def mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return what the last positions see; see `SoftmaxAttention.mix`."""
        return self.read(query, key, value, {})

    def read(self, query: Tensor, key: Tensor, value: Tensor, memory: Memory) -> Tensor:
        """Return what positions see, and those in memory; see `SoftmaxAttention.read`."""
        mixed, memory["state"] = sum_up(
            elementwise(self.features, query),
            elementwise(self.features, key),
            value,
            memory.get("state"),
        )
        return mixed.to(value.dtype)


@in_float32
def sum_up(
    query: Tensor, key: Tensor, value: Tensor, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return weighted means of values, and the state after all positions.

    Parameters
    ----------
    query : Tensor, shape (n, H, T', d)
        phi(q) of the last T' positions.
    key, value : Tensor, shape (n, H, T, d)
        phi(k), and v.
    state : Tensor of shape (n, H, d, d + 1), or None
        S and beside it z, of the positions before; None where there are none.
    """
    length, first = key.shape[2], key.shape[2] - query.shape[2]
    value = torch.cat([value, torch.ones_like(value[..., :1])], dim=-1)
    sums = []
    for start in range(0, length, CHUNK):
        keys, values = (part[:, :, start : start + CHUNK] for part in (key, value))
        stop = start + keys.shape[2]
        if stop > first:
            begin = max(start, first)
            queries = query[:, :, begin - first : stop - first]
            summed = (queries @ keys.mT).tril(begin - start) @ values
            sums.append(summed if state is None else summed + queries @ state)
        written = keys.mT @ values
        state = written if state is None else state + written
    summed = torch.cat(sums, dim=2)
    return summed[..., :-1] / summed[..., -1:].clamp_min(LEAST_WEIGHT), state


def build_attention(
    options: AttentionKind | None, n_positions: int
) -> SoftmaxAttention | LinearAttention:
    """Return the attention that the options of a model describe.

    Parameters
    ----------
    options : SparseAttentionOptions, LinearAttentionOptions or None
        None is softmax over all positions.
    n_positions : int
        Of the longest sequence in training: blocks of no given size are of `default_block_size`.
    """
    if options is None:
        return SoftmaxAttention()
    if options.kind == "linear":
        return LinearAttention(options.feature_map)
    block_size = options.block_size or default_block_size(n_positions)
    return SparseAttention(block_size, options.window, options.global_tokens)


def attend(query: Tensor, key: Tensor, value: Tensor, **mask: Tensor | bool | None) -> Tensor:
    """Return `F.scaled_dot_product_attention` of (n, H, positions, D / H) for any number of sequences."""
    n_sequences = max(1, MOST_AT_ONCE // query.shape[1])
    parts = zip(*(part.split(n_sequences) for part in (query, key, value)), strict=True)
    mixed = [F.scaled_dot_product_attention(*part, **mask) for part in parts]
    return mixed[0] if len(mixed) == 1 else torch.cat(mixed)


def attend_to_past(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return what `attend` does where a position sees none after it; queries are of the last ones."""
    if query.shape[2] == key.shape[2]:
        return attend(query, key, value, is_causal=True)
    return attend(query, key, value, attn_mask=_past(query.shape[2], key.shape[2], query.device))


def _past(n_queries: int, n_keys: int, device: torch.device) -> Tensor:
    every = torch.ones(n_queries, n_keys, dtype=torch.bool, device=device)
    return every.tril(n_keys - n_queries)


@functools.lru_cache(maxsize=16)
def _sparse_mask(
    n_queries: int,
    n_keys: int,
    device: torch.device,
    block_size: int,
    window: int,
    global_tokens: int,
) -> Tensor:
    places = torch.arange(n_keys, device=device)
    seeing, seen = places[n_keys - n_queries :, None], places
    near = seen > seeing - window * block_size
    is_global = seen % block_size >= block_size - global_tokens
    return (seen <= seeing) & (near | is_global)
