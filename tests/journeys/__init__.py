"""Use cases from end to end: a real browser, live Sluice, and the pretend bank in a process of its own."""
