"""The protocol language: a file that reads like a methods section, and what it means."""
