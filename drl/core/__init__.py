"""What all agents are made of: networks, distributions, replay, settings."""
