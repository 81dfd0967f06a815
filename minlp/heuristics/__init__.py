"""Simple causal methods and the interference-free bound."""
