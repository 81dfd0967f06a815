"""Lower bounds by a MILP relaxation, certified by duals."""
