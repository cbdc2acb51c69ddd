"""The platform's door: token -> consent -> permit -> records."""
