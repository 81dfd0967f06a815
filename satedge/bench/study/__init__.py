"""What is to be run: studies, suites, runs under limits, provenance."""
