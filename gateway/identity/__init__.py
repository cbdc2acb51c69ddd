"""Who is here: people, and which bank or platform they work for."""
