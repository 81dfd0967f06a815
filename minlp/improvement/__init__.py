"""Better plans from a known one: neighbourhoods, prices of options, descent over positions."""
