"""What is done to a running stack: scale, break, mend, reset; and the marks that remember it."""
