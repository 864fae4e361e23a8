"""Where runs run: processes of this machine, the queue of a cluster. A run is a command, its folder is all it needs."""
