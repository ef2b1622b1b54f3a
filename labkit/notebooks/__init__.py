"""What the notebooks share: runs as pandas tables, and one style for all pictures."""
