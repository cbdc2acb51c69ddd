"""WHAT IS THERE? Customer data comes in here, rests here, and leaves through read.py."""
