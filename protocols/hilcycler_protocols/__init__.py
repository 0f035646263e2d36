"""What is run (experiments) and what comes out (evaluation)."""
