"""`rltrain train --seeds`: the same experiment from several seeds, side by side, in one command."""
