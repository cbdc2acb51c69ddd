"""`python3 run.py doctor`: what is wrong with this installation, and what to type.

Nothing here needs Django or a package until the moment it asks settings, so that it speaks where nothing else starts.
"""
