"""Third parties. They use the public HTTP interface and import nothing of the server."""
