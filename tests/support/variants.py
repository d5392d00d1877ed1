"""Every kind of model, and the choices within each: the contract tests run over all of them."""

from typing import get_args

import pytest

from nstar.kinds import KINDS

VARIANTS = {
    name: {"kind": get_args(kind.model_fields["kind"].annotation)[0], **options}
    for kind in KINDS
    for name, options in kind.EXAMPLES.items()
}
"""Options by a name of the variant; odd sizes, so that padding and remainders are met."""

FIRST_OF_KINDS = {next(iter(kind.EXAMPLES)) for kind in KINDS}
"""Names of one variant of each kind."""


def of_each_kind(variants, *values):
    """Return parameters of a test: a variant of each kind, what is no variant, and all others when long.

    For what follows for every variant from a property that all of them are tested for.
    """
    return [
        pytest.param(
            options,
            *values,
            id="-".join(map(str, (name, *values))),
            marks=() if name in FIRST_OF_KINDS or name not in VARIANTS else pytest.mark.long,
        )
        for name, options in variants.items()
    ]
