"""`rltrain report`: pages about a run, several runs, or a sweep."""
