"""Measure how much data a sequence model needs before it has learnt a task."""
