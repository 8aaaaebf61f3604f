"""The tests of safefs; as a package, so that they can share tables and attackers."""
