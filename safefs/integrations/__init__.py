"""safefs in the shapes of others."""
