"""Tasks of state tracking: the label at a position is the state of an automaton."""
