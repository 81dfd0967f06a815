"""Drawings of a slot or an episode under a plan; matplotlib is loaded when something is drawn."""
