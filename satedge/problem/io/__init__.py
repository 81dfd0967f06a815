"""Instances and plans as JSON files."""
