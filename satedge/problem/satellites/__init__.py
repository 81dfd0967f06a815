"""Satellites over a site: orbits, passes, links between satellites, element files."""
