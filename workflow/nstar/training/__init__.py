"""Training of packs: optimiser, order of examples, loop, checkpoints."""
