"""What the variants read: any tokens, or chains of thought, where a model has outputs for no others."""

import torch


def reads_chains(options):
    """Return whether a model refuses all but symbols, the separator and states."""
    return options["kind"] == "encoder_decoder"


def first_output(options, length):
    """Return the first position with an output; in chains, which have it there, the separator."""
    return length // 2 if reads_chains(options) else 0


def length_read(options, length):
    """Return the length that is nearest to another: chains have two tokens at least."""
    return max(length, 2) if reads_chains(options) else length


def tokens_for(options, n_sets, batch=6, length=7, n_symbols=5):
    """Return random tokens (n_sets, batch, length)."""
    generator = torch.Generator().manual_seed(1)
    if not reads_chains(options):
        return torch.randint(n_symbols, (n_sets, batch, length), generator=generator)
    assert length > 1
    tokens = torch.randint(n_symbols - 1, (n_sets, batch, length), generator=generator)
    tokens[..., first_output(options, length)] = n_symbols - 1
    return tokens


def labels_for(options, tokens, n_classes=4):
    """Return a label (n_sets, batch, T') for each output."""
    return tokens[..., first_output(options, tokens.shape[-1]) :] % n_classes
