"""The agents, and the registry that knows them all."""
