"""The certified convex kernel: powers and positions in one problem."""
