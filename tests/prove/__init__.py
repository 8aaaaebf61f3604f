"""``make prove``: the full counts, and one table at the end."""
