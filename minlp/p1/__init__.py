"""P1 of one slot as a Pyomo model."""
