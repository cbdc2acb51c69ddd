"""Charts as SVG, drawn on the server; each page shows the same figures in a table beside it. Pure."""
