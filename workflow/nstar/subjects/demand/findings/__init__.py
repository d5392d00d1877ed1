"""Findings of a study of demand."""
