"""What a model reads and is asked for: the state at the end, all states afterwards, or each at once.

Symbols ``x_1 .. x_n`` lead to states ``s_1 .. s_n``. With S for the separator:

================  =========================================  ==========================
supervision       tokens                                     labels
================  =========================================  ==========================
outcome           ``x_1 .. x_n``                             ``s_n``, at the last token
chain_of_thought  ``x_1 .. x_n S s_1 .. s_{n-1}``            ``s_1 .. s_n``, from S on
aligned           ``x_1 .. x_n``                             ``s_1 .. s_n``
================  =========================================  ==========================

Of a task with questions, whose texts are ``question S steps S answer END``:

================  =========================================  ==========================
outcome           ``question S answer``                      ``answer END``, from S on
chain_of_thought  ``question S steps S answer``              all that follows, from the first S on
================  =========================================  ==========================
"""

from typing import Literal, get_args

Supervision = Literal["outcome", "chain_of_thought", "aligned"]
SUPERVISIONS: tuple[Supervision, ...] = get_args(Supervision)

NO_LABEL = -100
"""Label of a token at which nothing is asked for; PyTorch's cross-entropy passes it over."""
