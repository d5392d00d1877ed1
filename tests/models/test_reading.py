"""Reading on token by token: what it keeps, against a pass over all that was read."""

import itertools

import pytest
import torch
from support.tokens import first_output, tokens_for
from support.variants import VARIANTS

from nstar.models import MODELS, build_model
from nstar.models.stacked import StackedModel

pytestmark = pytest.mark.usefixtures("one_thread")

KEEPING = (
    *("transformer", "encoder_decoder", "lstm", "gru", "elman", "dense_ssm", "factored_ssm"),
    *("block_ssm", "rotation_ssm", "diagonal_ssm", "deltanet"),
)
"""Kinds that do not read all again for every token."""

CAUSAL = {name: options for name, options in VARIANTS.items() if options.get("causal", True)} | {
    "transformer_concatenated": VARIANTS["transformer_sensitivity"] | {"causal": True}
}
ROUND = ("transformer", "encoder_decoder", "deltanet")
"""Kinds whose products have as many rows as tokens are read together, which decides how they round."""

GROW = ("encoder_decoder", "transformer")
"""Kinds that keep keys and values of all positions."""

EXACT = {name: options for name, options in CAUSAL.items() if options["kind"] not in ROUND}
OF_ONE_SIZE = {
    name: options
    for name, options in CAUSAL.items()
    if options["kind"] in set(KEEPING) - set(GROW)
    or (options.get("attention") or {}).get("kind") == "linear"
}
LENGTH, WIDE = 18, 72


def over(variants):
    return pytest.mark.parametrize("options", variants.values(), ids=variants)


def network(options, seeds=(0, 1), length=LENGTH, n_symbols=5):
    """Return a model and the parameters of a replicate for each seed."""
    model = build_model(options, n_symbols=n_symbols, n_classes=4, n_positions=2 * length)
    return model, model.views(model.initialise(seeds))


def answers_to(model, parameters, tokens, pieces, read=None):
    """Return the logits (R, B, pieces, C) after each piece of the tokens."""
    read, memory = read or model.read, {}
    with torch.no_grad():
        each = [read(parameters, piece, memory) for piece in tokens.split(pieces, dim=2)]
    return torch.stack(each, dim=2)


def token_by_token(options, length=LENGTH):
    """Return pieces of one token after a first one, at the end of which is an output."""
    first = first_output(options, length) + 1
    return first, *[1] * (length - first)


def test_all_positions_and_attentions_are_read_here():
    transformers = [one for one in CAUSAL.values() if one["kind"] == "transformer"]
    positions = {one.get("positions", "learned") for one in transformers}
    kinds = {(one.get("attention") or {"kind": "softmax"})["kind"] for one in transformers}
    assert positions == {"learned", "sinusoidal", "rotary", "none"}
    assert kinds == {"softmax", "sparse", "linear"}


@over(CAUSAL)
@pytest.mark.parametrize("pieces", [(3, 1, 4, 1), (66, 1, 3), (1, 70, 59)], ids=str)
def test_reading_on_is_reading_all(options, pieces):
    """A model gives after each piece what a pass over all that was read gives."""
    length = sum(pieces)
    model, parameters = network(options, length=length)
    tokens, first = tokens_for(options, 2, 3, length), first_output(options, length)
    pieces = (first + 1, *pieces[1:], length) if first else pieces  # all symbols come at once
    stops = [min(stop, length) for stop in itertools.accumulate(pieces)]
    pieces = [stop - start for start, stop in itertools.pairwise([0, *stops]) if stop > start]
    found = answers_to(model, parameters, tokens, pieces)
    with torch.no_grad():
        wanted = model.forward(parameters, tokens, first)
    places = [stop - 1 - first for stop in itertools.accumulate(pieces)]
    torch.testing.assert_close(found, wanted[:, :, places], rtol=1e-4, atol=1e-5)


@over(EXACT)
@pytest.mark.parametrize(("batch", "n_symbols"), [(1, 5), (17, 5), (17, 80)])
def test_a_recurrence_reads_on_without_rounding(options, batch, n_symbols):
    """To the last bit what a model gives that reads all again, also where its inputs are no table."""
    model, parameters = network(options | {"width": WIDE}, n_symbols=n_symbols)
    tokens = tokens_for(options, 2, batch, LENGTH, n_symbols)
    again = StackedModel.read.__get__(model)
    pieces = token_by_token(options)
    found = answers_to(model, parameters, tokens, pieces)
    assert torch.equal(found, answers_to(model, parameters, tokens, pieces, again))


@over(CAUSAL)
@pytest.mark.parametrize("batch", [1, 6])
def test_a_replicate_reads_the_same_in_any_pack(options, batch):
    """Bit for bit, alone and between others, one of which is NaN."""
    model, parameters = network(options, [0])
    tokens, pieces = tokens_for(options, 1, batch, LENGTH), token_by_token(options)
    alone = answers_to(model, parameters, tokens, pieces)
    flat = model.initialise([1, 0, 2])
    flat[2] = torch.nan
    together = answers_to(model, model.views(flat), tokens.expand(3, -1, -1), pieces)
    assert torch.equal(together[1], alone[0])


def size_of(memory):
    """Return the numbers that a memory holds, with those that its tensors keep alive."""
    if isinstance(memory, torch.Tensor):
        return memory.untyped_storage().nbytes() // memory.element_size()
    values = memory.values() if isinstance(memory, dict) else memory
    return sum(size_of(value) for value in values if isinstance(value, torch.Tensor | dict | list))


@over(OF_ONE_SIZE)
def test_what_a_recurrence_keeps_does_not_grow(options):
    """After one token more than a whole number of chunks of the delta rule."""
    model, parameters = network(options, length=129)
    tokens, memory = tokens_for(options, 2, 3, 129), {}
    sizes = []
    with torch.no_grad():
        for token in tokens.split(1, dim=2):
            model.read(parameters, token, memory)
            sizes.append(size_of(memory))
    assert sizes[128] == sizes[64] > 0


@pytest.mark.parametrize("kind", KEEPING)
def test_kinds_that_keep_what_they_read(kind):
    """Plans count one pass over a chain for all of its answers."""
    assert MODELS[kind].read is not StackedModel.read


def test_where_all_positions_are_seen_all_are_read_again():
    options = VARIANTS["transformer_encoder"]
    model, parameters = network(options)
    tokens = tokens_for(options, 2, 3, LENGTH)
    found = answers_to(model, parameters, tokens, (4, 1, LENGTH - 5))
    with torch.no_grad():
        wanted = [model.forward(parameters, tokens[..., :n])[:, :, -1] for n in (4, 5, LENGTH)]
    torch.testing.assert_close(found, torch.stack(wanted, dim=2), rtol=1e-4, atol=1e-5)


def test_memories_are_apart():
    model, parameters = network(VARIANTS["transformer"])
    tokens, one = tokens_for(VARIANTS["transformer"], 2, 3, LENGTH), {}
    with torch.no_grad():
        model.read(parameters, tokens[..., :5], one)
        found = model.read(parameters, tokens, {})
        torch.testing.assert_close(found, model.forward(parameters, tokens)[:, :, -1])
