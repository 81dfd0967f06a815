"""What a verdict rests on: intervals, the model, the bound of a region, the cover of all plans.

Nothing here reads files, searches or guesses, and nothing outside of this folder is trusted.
docs/proofs.md states every formula and where it is.
"""
