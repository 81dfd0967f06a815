"""The table of methods, and looking up what its entries name."""
