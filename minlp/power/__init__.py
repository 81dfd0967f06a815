"""Power control for fixed servers and positions."""
