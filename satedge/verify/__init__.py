"""Proofs of bounds, checked without a solver: interval arithmetic and the model, nothing else."""
