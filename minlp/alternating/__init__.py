"""Alternating optimisation: servers by a MILP, powers, positions."""
