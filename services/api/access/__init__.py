"""Who may do what: one table of routes, and one gate that enforces it."""
