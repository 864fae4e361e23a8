"""How a policy at play is shown: in a terminal, in a window, in a file."""
