"""Tells people by mail what became of their sharing."""
