"""How a replicate can end. Three ways, and the store says which."""

LEARNT, NOT_GENERALISED, NOT_FITTED = 0, 1, 2

OUTCOMES = ("learnt", "not_generalised", "not_fitted")
"""Names of the codes above, which are in the order of merit.

``learnt``: the success measure reached its threshold on the validation set. ``not_generalised``: it
reached it on the training batches only. ``not_fitted``: on neither, which says nothing about data.
"""
