"""HOW DO I ASK? The Django project, and every face it shows."""
