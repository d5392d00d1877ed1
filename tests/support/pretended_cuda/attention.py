"""Memory-efficient attention: the kernel that CUDA chooses for float32, computed plainly.

It is one operation of a GPU, where a CPU build of torch would dispatch a dozen; see
``aten/src/ATen/native/transformers/cuda/sdp_utils.cpp`` for the choice and ``attention.cu`` and
``attention_backward.cu`` beside it for what is launched.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

ALIGNMENT = 4
"""Heads whose size is a multiple of it take the kernel in float32; the others take single operations."""

LARGEST_GRID = 2**16 - 1
"""Blocks of a grid in its second and third dimension, which are heads and sequences."""

FORWARD = "aten::_scaled_dot_product_efficient_attention"
BACKWARD = "aten::_scaled_dot_product_efficient_attention_backward"

_composite = F.scaled_dot_product_attention


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options
) -> Tensor:
    """Do what `torch.nn.functional.scaled_dot_product_attention` does on CUDA."""
    fits = query.is_cuda and query.dtype == torch.float32
    if not fits or query.shape[-1] % ALIGNMENT or value.shape[-1] % ALIGNMENT:
        return _composite(query, key, value, attn_mask, **options)
    if attn_mask is not None:
        attn_mask = _bias(attn_mask, query, key)
    needs_gradient = torch.is_grad_enabled() and any(
        part.requires_grad for part in (query, key, value)
    )
    return torch.ops.aten._scaled_dot_product_efficient_attention(
        query, key, value, attn_mask, needs_gradient, **options
    )[0]


def _bias(mask: Tensor, query: Tensor, key: Tensor) -> Tensor:
    """Return a mask as numbers to add, in rows that begin at aligned addresses."""
    if mask.dtype == torch.bool:
        mask = torch.where(mask, 0.0, -torch.inf)
    if key.shape[2] % 16:
        mask = F.pad(mask, (0, -key.shape[2] % 16))[..., : key.shape[2]]
    return mask.expand(*query.shape[:3], key.shape[2])


def forward(query, key, value, bias, log_sums, dropout=0.0, is_causal=False, *, scale=None):
    """Return outputs, logarithms of the sums of each row, and two empty states of a generator."""
    _refuse_large_grid(query)
    scores = _scores(query, key, bias, is_causal, scale)
    output = _by_position(scores.softmax(-1) @ value)
    sums = scores.logsumexp(-1) if log_sums else query.new_empty(*query.shape[:2], 0)
    return output, sums, torch.zeros((), dtype=torch.int64), torch.zeros((), dtype=torch.int64)


def backward(
    gradient,
    query,
    key,
    value,
    bias,
    output,
    log_sums,
    seed,
    offset,
    dropout,
    wanted,
    is_causal=False,
    *,
    scale=None,
):
    """Return the gradients of query, key, value and bias; of those that are not wanted, None."""
    _refuse_large_grid(query)
    shares = (_scores(query, key, bias, is_causal, scale) - log_sums[..., None]).exp()
    of_shares = gradient @ value.mT
    of_scores = shares * (of_shares - (gradient * output).sum(-1, keepdim=True))
    factor = _factor(query, scale)
    return (
        _by_position(of_scores @ key * factor),
        _by_position(of_scores.mT @ query * factor),
        _by_position(shares.mT @ gradient),
        of_scores if wanted[3] else None,
    )


def _scores(query, key, bias, is_causal, scale):
    scores = query @ key.mT * _factor(query, scale)
    if is_causal:
        past = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        scores = scores.masked_fill(~past, -torch.inf)
    return scores if bias is None else scores + bias


def _factor(query: Tensor, scale: float | None) -> float:
    return 1 / math.sqrt(query.shape[-1]) if scale is None else scale


def _by_position(heads: Tensor) -> Tensor:
    """Return (n, H, T, d) as the kernel lays it out, with the heads of a position side by side."""
    return heads.transpose(1, 2).contiguous().transpose(1, 2)


def _refuse_large_grid(query: Tensor) -> None:
    if max(query.shape[:2]) > LARGEST_GRID:
        raise RuntimeError(
            f"CUDA error: invalid configuration argument: {tuple(query.shape[:2])} sequences and "
            f"heads, where a grid has at most {LARGEST_GRID}"
        )
