"""The embedded instance: all of Sluice on one machine. Only `prepare` imports Django."""
