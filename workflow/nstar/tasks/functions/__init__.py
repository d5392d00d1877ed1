"""Tasks that are functions of all bits of a sequence."""
