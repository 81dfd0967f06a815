"""One slot as arrays for compiled code: data, geometry, exact value."""
