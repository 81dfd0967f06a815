"""What the paper states in its section 5, how it is measured here, and what that shows."""
