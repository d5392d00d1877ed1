"""Which kinds of models are there, with which options, and how large are they? Without torch."""
