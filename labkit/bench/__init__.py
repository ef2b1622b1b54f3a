"""What the pipeline costs, always as a ratio of two arms that take turns in one run."""
