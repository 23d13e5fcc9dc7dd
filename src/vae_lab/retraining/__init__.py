"""A run trained again with a change: to find out what its collapse is due to, and to cure it."""
