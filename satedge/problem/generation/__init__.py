"""From a scenario and a seed to an instance; a user's own sites, tracks and requests."""
