"""The steps between a platform's request and the user's answer: one decision a page, in a fixed order."""
