"""An experiment as data: YAML text and dotted overrides become a typed, frozen `Experiment`, or a clear error."""
