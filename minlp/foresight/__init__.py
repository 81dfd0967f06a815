"""Causal plans of many slots: what may come is sampled or guessed, never known."""
