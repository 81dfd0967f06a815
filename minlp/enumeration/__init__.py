"""Proven optima of small slots by enumeration."""
