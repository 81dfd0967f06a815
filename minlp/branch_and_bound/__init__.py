"""Exact branch and bound for one slot."""
