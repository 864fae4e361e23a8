"""What a run folder tells, for people: pictures. Nothing here trains, and nothing but files is read."""
