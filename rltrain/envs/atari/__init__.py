"""Atari: emulators side by side, prepared as Mnih et al. (2015) or as the book does it, saved and loaded exactly."""
