"""What a person changes about their sharing: stop, pause, narrow, renew, and say that something looks wrong."""
