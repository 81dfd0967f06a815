"""What tests share: what to draw, the model written a second time, methods that misbehave."""
