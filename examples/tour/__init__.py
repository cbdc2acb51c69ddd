"""The main job, walked through as a third party and a person with a browser would: over HTTP, with no shortcut."""
