"""The authorization server: the toolkit is its token store and grant engine, the views are ours."""
