"""Pictures of small models."""
