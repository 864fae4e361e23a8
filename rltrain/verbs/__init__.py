"""What each verb of the command line does, as plain functions with typed results. Nothing here prints."""
