"""Findings of a study of networks as functions."""
