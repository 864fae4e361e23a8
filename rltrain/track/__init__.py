"""A run's numbers for experiment trackers: read from the run folder by a process of its own, and sent from there."""
