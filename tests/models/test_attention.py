"""Attention over more sequences than a CUDA kernel takes at once."""

import pytest
import torch
import torch.nn.functional as F
from support.variants import VARIANTS

from nstar.models import attention, build_model

TRANSFORMERS = {
    name: options
    for name, options in VARIANTS.items()
    if options["kind"] == "transformer" and "linear" not in name
}


@pytest.mark.parametrize("options", TRANSFORMERS.values(), ids=TRANSFORMERS)
@pytest.mark.parametrize("read_from", [0, 3])
def test_attention_in_pieces_is_that_of_all_at_once(options, read_from, monkeypatch):
    model = build_model(options, n_symbols=5, n_classes=4, n_positions=7)
    tokens = torch.randint(5, (2, 5, 7), generator=torch.Generator().manual_seed(1))
    taken = []

    def logits_and_gradients():
        views = model.views(model.initialise([0, 1]))
        values = [part.requires_grad_() for part in views.values()]
        logits = model.forward(views, tokens, read_from)
        return logits, *torch.autograd.grad(logits.square().sum(), values)

    def watched(query, *others, attend=F.scaled_dot_product_attention, **mask):
        taken.append(len(query) * query.shape[1])
        return attend(query, *others, **mask)

    monkeypatch.setattr(F, "scaled_dot_product_attention", watched)
    whole = logits_and_gradients()
    assert taken == [10 * options["heads"]] * options["depth"]
    monkeypatch.setattr(attention, "MOST_AT_ONCE", 5 * options["heads"] - 1)
    taken.clear()
    pieces = logits_and_gradients()
    assert taken == [count * options["heads"] for count in (4, 4, 2)] * options["depth"]
    for one, other in zip(whole, pieces, strict=True):
        torch.testing.assert_close(one, other)
