"""`python3 run.py race`: reads against revocations, with real processes. Nothing read after a stop was acknowledged."""
