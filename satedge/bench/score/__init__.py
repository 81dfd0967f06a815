"""Scores of runs, their statistics, and what the paper claims."""
