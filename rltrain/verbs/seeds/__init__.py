"""What `rltrain train --seeds` does: the same experiment from several seeds, side by side."""
