"""How lives are made up: each recipe writes the books of one person, day by day, the same on every call. Pure."""
