"""Projector and referee once more, compiled: what judges millions of slots.

`satedge.problem` says what is true. What is here computes the same for many independent slots at
once, and tests hold it to that: plans equal bit for bit, figures to 1e-12.
"""
