"""Classical optimisation of P1: heuristics, relaxations, exact search, general solvers."""
