"""Write down anew what runs leave and what verbs print: tests/golden/runs and tests/golden/output.

    python tests/golden/record.py                     all of it
    python tests/golden/record.py dqn_pacman mdp_solve    these configs and groups of calls alone

For a change that is meant to alter numbers, files or texts, and for a new config or verb; never to make a test pass.
Then look at the difference: each line of it belongs in CHANGELOG.md, and a change of what is learned needs its curves
before and after. Record on one machine of the kind that the others were recorded on, or all of them.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in the tests; before numpy is imported

import fixed_calls
import short_runs


def main() -> None:
    wanted = set(sys.argv[1:])
    configs = {short_runs.name_of(path): path for path in short_runs.CONFIGS}
    groups = fixed_calls.groups()
    if unknown := wanted - set(configs) - set(groups):
        sys.exit(f"no config or group of calls is called {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as place:
        for name in wanted & set(configs) if wanted else configs:
            print(name, flush=True)
            short_runs.record(configs[name], Path(place))
        for name in wanted & set(groups) if wanted else groups:
            print(name, flush=True)
            fixed_calls.record(name, Path(place))


if __name__ == "__main__":
    main()
