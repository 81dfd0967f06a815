"""Training, playing, logs, checkpoints and policy files."""
