"""What tests share: what to draw, the model written a second time, methods that misbehave."""

from pathlib import Path

#: Where this package lies: the search path of subprocesses that are to find it.
TESTS = Path(__file__).parents[1]
