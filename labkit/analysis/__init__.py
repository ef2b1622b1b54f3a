"""What runs amount to: the ledger, statistics, comparison, and the formulas they are held against."""
