"""Figures of a study of demand."""
