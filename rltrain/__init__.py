"""rltrain: reinforcement-learning experiments from one YAML file, resumed to the bit."""

__version__ = "0.1.0"
