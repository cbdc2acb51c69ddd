"""MAY I? Decides who may see what. Knows no bank and no HTTP."""
