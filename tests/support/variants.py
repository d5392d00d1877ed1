"""Every kind of model, and the choices within each: the contract tests run over all of them."""

from typing import get_args

from nstar.kinds import KINDS

VARIANTS = {
    name: {"kind": get_args(kind.model_fields["kind"].annotation)[0], **options}
    for kind in KINDS
    for name, options in kind.EXAMPLES.items()
}
"""Options by a name of the variant; odd sizes, so that padding and remainders are met."""
