"""Tasks that ask a question and expect steps and an answer, in a vocabulary of their own."""
