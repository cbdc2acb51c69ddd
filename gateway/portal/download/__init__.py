"""Download my data: asked for on a page, made by a worker, kept sealed for a day, then gone."""
