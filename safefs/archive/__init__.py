"""Confined unpacking and packing. The standard library reads the formats, and touches no path."""
