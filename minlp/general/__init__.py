"""P1 handed to general solvers, here or by a file."""
