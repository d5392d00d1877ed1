"""What is measured on a trained pack; `chance` needs no torch."""
