"""Plans and bounds for many slots that know what comes."""
