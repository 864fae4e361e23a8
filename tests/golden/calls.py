"""The calls whose output is kept, in groups, and the small files that they read beside the project's configs.

A line is the words after `rltrain`, or `cat FILE` or `ls FOLDER` for what a call wrote.
"""

from short_runs import CONFIGS, ROOT

DUEL = (  # a run of `rltrain compare`
    "algorithm: {{name: {name}, gamma: 0.99}}\nenvironment: {{id: CartPole-v1}}\n"
    "run: {{seed: {seed}, budget: {{env_steps: 200}}, evaluate: {{every: {{env_steps: 100}}, protocol: training}}}}\n"
)
DUELS = {"a": ("dqn", (90.0, 120.0, 130.0, 110.0)), "b": ("ppo", (180.0, 140.0, 125.0, 190.0)), "c": ("pqn", (500.0,))}
FILES = {  # models, policies and configs of strangers, right and wrong
    "two_rates.yaml": (
        "sweep: {config: dqn_cartpole, search: grid, at_once: 3}\n"
        "space: {algorithm.gamma: [0.9, 0.99], algorithm.hidden: [[64], [64, 64]]}\n"
    ),
    "swept/sweep.json": '{"format": 1}',
    "swept/base.yaml": (
        "algorithm: {name: reinforce}\nenvironment: {id: CartPole-v1}\n"
        "run: {budget: {env_steps: 9000}, evaluate: {every: {env_steps: 1000}}}\n"
    ),
    "swept/sweep.yaml": (
        "sweep: {config: base.yaml, search: random, trials: 12, seeds: 3}\nspace:\n"
        "  algorithm.learning_rate: {from: 1e-4, to: 1e-1, log: true}\n  algorithm.hidden: [[64], [128, 128]]\n"
    ),
    "swept/trials.csv": "".join(
        [
            "trial,state,rung,counter,score,seeds,ci95_low,ci95_high,algorithm.learning_rate,algorithm.hidden\n",
            *(f"{n},finished,,9000,{n}.5,3,{n - 2}.0,{n + 3}.0,{(n + 1) / 200},[64]\n" for n in range(11)),
            '11,diverged,,400,,0,,,0.1,"[128, 128]"\n',
        ]
    ),
    "two.csv": "state,action,next,probability,reward\na,stay,a,1,0\na,go,b,0.5,1\na,go,a,0.5,0\nb,back,a,1,2\n",
    "bad.yaml": "states:\n  a: {go: {a: 0.5, b: 0.4}}\n  b: {go: c}\n",
    "dead.yaml": "discount: 1\nstates:\n  a: {wait: a reward -1}\n  b: {go: a}\n",
    "typo.yaml": "discout: 0.9\nstates:\n  a: {go: a}\n",
    "mixed.yaml": "s0: {a0: 0.5, a2: 0.5}\ns1: a2\ns2: a1\n",
    "foreign.yaml": "s0: a7\ns1: a2\n",
    "walk.py": "import gymnasium\n",
    "syntax.yaml": "algorithm: {name: dqn\n",
    "tiny.yaml": (
        "algorithm: {name: basic, policy: angle}\nenvironment: CartPole-v1\n"
        "run: {budget: {episodes: 20}, save: {every: {episodes: 1000}}}\n"
    ),
    "unknown.yaml": "algorithm: {name: dqm}\nenvironment: CartPole-v1\n",
    "dqn.yml": (
        "atari:\n  env_wrapper: [stable_baselines3.common.atari_wrappers.AtariWrapper]\n  frame_stack: 4\n"
        "  n_timesteps: !!float 1e7\n  policy: CnnPolicy\n"
        "CartPole-v1:\n  n_timesteps: !!float 5e4\n  policy: MlpPolicy\n  learning_rate: lin_2.3e-3\n  n_envs: 2\n"
        "  train_freq: 256\n  gradient_steps: -1\n  exploration_fraction: 0.16\n  normalize: true\n"
        "  policy_kwargs: 'dict(net_arch=[256, 256], n_quantiles=10)'\n"
    ),
    "a2c.yml": "LunarLander-v3: {}\nCartPole-v1:\n  n_envs: 8\n  n_timesteps: !!float 5e5\n  learning_rate: lin_7e-4\n",
    "ppo.yml": (
        "Pendulum-v1:\n  n_envs: 4\n  n_timesteps: !!float 1e5\n  gamma: 0.9\n  learning_rate: lin_1e-3\n"
        "  n_steps: 1024\n  clip_range: lin_0.2\n  normalize: true\n  use_sde: True\n  sde_sample_freq: 4\n"
        "  policy_kwargs: 'dict(net_arch=dict(pi=[64], vf=[64]), activation_fn=nn.ReLU, ortho_init=False)'\n"
    ),
    "code.yaml": "algorithm: !!python/object/apply:os.system [ls]\n",
    "duels/notes.txt": "runs, by a person\n",
}
for side, (name, scores) in DUELS.items():
    for seed, score in enumerate(scores):
        counted = f'"env_steps": 100, "mean": {score / 2}}}\n{{"env_steps": 200, "mean": {score}'
        FILES |= {
            f"duels/{side}-{seed}/config.yaml": DUEL.format(name=name, seed=seed),
            f"duels/{side}-{seed}/metrics.jsonl": '{"env_steps": 200, "return/mean": 20.0}\n',
            f"duels/{side}-{seed}/eval.jsonl": f"{{{counted}}}\n",
        }

BASIC = "train tiny.yaml --name cart run.threads=1"
LEARNER = (
    "train configs/dqn_cartpole.yaml --name deep -q --seed 3 run.threads=1 run.device=cpu "
    "algorithm.learning_starts=300 algorithm.buffer_size=1000 algorithm.hidden=[16] 'run.budget={env_steps: 1600}' "
    "'run.evaluate={every: {env_steps: 800}, episodes: 3}'"
)
GROUPS: dict[str, tuple[str, ...]] = {
    "mdp_solve": (
        "mdp solve",
        "mdp solve --json",
        *(f"mdp solve --method {method}" for method in ("vi", "qvi", "pi", "mpi", "gs", "lp")),
        *(f"mdp solve configs/mdp/{model}.yaml" for model in ("chain", "gambler", "robot")),
        *(f"mdp solve configs/mdp/{model}.yaml --json" for model in ("chain", "gambler", "robot")),
        "mdp solve configs/mdp/robot.yaml --minimize --discount 19/20",
        "mdp solve --method vi --max-sweeps 3 --limit 1",
        "mdp solve --epsilon 1e-3 --method gs --limit 0",
        "mdp solve FrozenLake-v1 map_name=8x8 is_slippery=false --discount 0.99 --limit 3",
        "mdp solve two.csv --discount 0.5",
    ),
    "mdp_solve_exact": (
        "mdp solve --exact",
        "mdp solve --exact --json",
        "mdp solve configs/mdp/robot.yaml --exact --discount 9/10",
        "mdp solve configs/mdp/gambler.yaml --exact",
        "mdp solve configs/mdp/chain.yaml --exact --json",
        "mdp solve --exact --horizon 3",
        "mdp solve --exact --average",
        "mdp solve --exact --average --json",
    ),
    "mdp_solve_horizon": (
        "mdp solve --horizon 5",
        "mdp solve --horizon 5 --json",
        "mdp solve FrozenLake-v1 --discount 1 --horizon 100 --limit 1",
        "mdp solve configs/mdp/gambler.yaml --horizon 4",
    ),
    "mdp_solve_average": (
        "mdp solve --average",
        "mdp solve --average --json",
        "mdp solve configs/mdp/robot.yaml --average",
        "mdp solve configs/mdp/chain.yaml --average",
    ),
    "mdp_evaluate": (
        "mdp evaluate",
        "mdp evaluate --policy random",
        "mdp evaluate --policy random --json",
        "mdp evaluate --policy mixed.yaml",
        "mdp evaluate --policy mixed.yaml --exact",
        "mdp evaluate --policy mixed.yaml --exact --json",
        "mdp evaluate --policy random --average",
        "mdp evaluate --policy random --average --json",
        "mdp evaluate --policy random --average --exact",
        "mdp evaluate --policy random --horizon 3",
        "mdp evaluate --policy random --horizon 3 --exact",
        "mdp evaluate configs/mdp/robot.yaml --policy wait",
        "mdp evaluate configs/mdp/chain.yaml --policy random",
        "mdp evaluate configs/mdp/gambler.yaml --policy random",
        "mdp evaluate configs/mdp/gambler.yaml --policy random --exact",
        "mdp evaluate --policy foreign.yaml",
    ),
    "mdp_verify": (
        *(f"mdp solve --save best.{ending}" for ending in ("yaml", "json", "csv", "npz")),
        *(f"cat best.{ending}" for ending in ("yaml", "json", "csv", "npz")),
        "mdp solve --save best.yaml",
        *(f"mdp verify best.{ending}" for ending in ("yaml", "json", "csv", "npz")),
        "mdp verify best.yaml --json",
        "mdp verify best.yaml --discount 0.9",
        "mdp verify best.yaml --horizon 3",
        "mdp verify best.yaml --average",
        "mdp verify random",
        "mdp verify random --json",
        "mdp verify wait configs/mdp/robot.yaml --tolerance 10",
        "mdp verify random configs/mdp/gambler.yaml",
        "mdp verify mixed.yaml --discount 1",
        "mdp verify absent.yaml",
    ),
    "mdp_discounts": (
        "mdp discounts",
        "mdp discounts --json",
        "mdp discounts --from 0.9 --to 0.99",
        "mdp discounts configs/mdp/robot.yaml",
        "mdp discounts configs/mdp/chain.yaml",
        "mdp discounts --from 0.9 --to 0.5",
    ),
    "mdp_simulate": (
        "mdp simulate --show 1 --steps 5 --episodes 20",
        "mdp simulate --json --seed 3 --steps 20 --episodes 50 --show 0",
        "mdp simulate configs/mdp/gambler.yaml --show 2 --episodes 100",
        "mdp simulate configs/mdp/chain.yaml --episodes 100 --show 1",
        "mdp simulate configs/mdp/robot.yaml --policy wait --start low --steps 10 --show 1 -o steps.csv --episodes 2",
        "cat steps.csv",
        "mdp simulate --policy a7",
        "mdp simulate --start s9",
    ),
    "mdp_info": (
        *(f"mdp info configs/mdp/{model}.yaml" for model in ("book", "chain", "gambler", "robot")),
        "mdp info --json",
        "mdp info FrozenLake-v1",
        "mdp info dead.yaml",
    ),
    "mdp_graph": (
        *(f"mdp graph configs/mdp/{model}.yaml" for model in ("book", "chain", "gambler", "robot")),
        "mdp graph --policy none",
        "mdp graph --policy random -o book.dot",
        "cat book.dot",
        "mdp graph -o book.svg",
        "mdp graph -o book.jpg",
        "mdp graph Taxi-v4",
    ),
    "mdp_convert": (
        *(f"mdp convert configs/mdp/book.yaml book.{ending}" for ending in ("yaml", "csv", "npz", "mdp")),
        *(f"mdp convert configs/mdp/book.yaml book.{ending}" for ending in ("dot", "prism")),
        *(f"cat book.{ending}" for ending in ("yaml", "csv", "npz", "mdp", "dot", "prism")),
        "mdp convert FrozenLake-v1 lake.yaml is_slippery=false",
        "mdp convert FrozenLake-v1 lake.pomdp --discount 0.99",
        "cat lake.yaml",
        "cat lake.pomdp",
        *(f"mdp convert configs/mdp/{model}.yaml {model}.mdp" for model in ("chain", "gambler", "robot")),
        *(f"cat {model}.mdp" for model in ("chain", "gambler", "robot")),
        "mdp solve book.mdp --limit 1",
        "mdp convert configs/mdp/book.yaml book.csv",
        "mdp convert configs/mdp/book.yaml book.txt",
    ),
    "mdp_generate": (
        "mdp generate garnet random.npz --states 40 --discount 0.99 --seed 5",
        "cat random.npz",
        "mdp solve random.npz --limit 2",
        "mdp generate grid grid.yaml --side 3",
        "mdp generate grid grid.mdp --side 3",
        "mdp generate chain chain.yaml --states 4",
        "mdp generate forest forest.csv --states 4",
        "mdp generate gambler gambler.mdp --states 8 --win 0.3 --discount 0.9",
        *(f"cat {name}" for name in ("grid.yaml", "chain.yaml", "forest.csv", "gambler.mdp")),
        "mdp generate garnett random.npz",
        "mdp generate grid other.yaml --states 9",
    ),
    "mdp_errors": (
        "mdp",
        "mdp solv",
        *(f"mdp solve {name}.yaml" for name in ("bad", "dead", "typo", "absent", "code")),
        "mdp solve --discount 1",
        "mdp solve --discount 2",
        "mdp solve --method value",
        "mdp solve CartPole-v1",
        "mdp solve FrozenLak-v1",
        "mdp solve --average --horizon 3",
        "mdp solve --save best.txt",
    ),
    "init": (
        "init -o - --algo basic",
        "init lake --algo viter --env FrozenLake-v1 algorithm.gamma=0.95",
        "cat lake.yaml",
        "init dqn_pacman -o mine.yaml",
        "init dqn_pacmn",
        "init --env CartPole-v1 -o mine.yaml",
        "init pole --from-zoo dqn.yml --env CartPole-v1",
        "init pong --from-zoo dqn.yml --env PongNoFrameskip-v4",
        "init --from-zoo dqn.yml --env Acrobot-v1",
        "init swing --from-zoo ppo.yml --env Pendulum-v1",
        "init other --from-zoo a2c.yml --env CartPole-v1",
        "init --from-zoo sac.yml --env CartPole-v1",
    ),
    "run": (
        BASIC,
        "resume cart run.budget.episodes=30",
        "resume cart",
        "eval --checkpoint cart --episodes 3",
        "eval cart --episodes 3 --json",
        "list runs",
        "list runs --json",
        "check cart",
        "check cart --json",
        "plot cart --json",
        "report cart --no-film",
        "report cart --no-film --json",
        "watch cart --record cart.gif --steps 20",
        "track cart --to tensorboard",
        "track cart --to tensorboard --json",
        "track cart --to neptune",
        "track cart",
        "explain cart --when 'step < 3'",
        "explain cart --why 20 --horizon 9",
        "explain cart --worst 3",
        "explain cart --when 'stp < 3'",
        "explain cart --step 2 -o cart.avi",
        "explain cart --step 50",
        "train tiny.yaml --name cart",
        "resume cart --fork other run.seed=4 -q",
        "list runs",
        "plot cart other",
        "ls runs/cart",
        "cat runs/cart/config.yaml",
        "cat runs/cart/metrics.csv",
    ),
    "run_learner": (
        LEARNER,
        "eval deep --episodes 3",
        "eval deep --last --episodes 2 --seed 5 --epsilon 0.1 --json",
        "resume deep run.budget.env_steps=2000",
        "check deep",
        "list runs --json",
        "resume deep algorithm.gamma=0.5",
        "cat runs/deep/eval.csv",
        "ls runs/deep",
    ),
    "export": (
        BASIC,
        "export cart -o policy.py",
        "export cart -o policy.py --last",
        "export cart -o policy.onnx --last --json",
        "cat policy.py",
        "export cart -o policy.pt",
        "export absent -o absent.onnx",
        "train tiny.yaml --name chance -q algorithm.policy=random run.threads=1",
        "export chance -o chance.py",
    ),
    "run_seeds": (
        "train tiny.yaml --seeds 2 --jobs 1 --name several -q run.threads=1",
        "list runs",
        "eval several --episodes 3",
        "ls runs",
    ),
    "run_table": (
        "train configs/qlearn_book.yaml --name table run.budget.env_steps=20000 run.save.every.env_steps=20000",
        "eval table --episodes 20",
        "explain table --when 'step < 4' --why 1 --horizon 5",
        "explain table --game 1 --worst 2 --json",
        "check table",
        "train configs/book/viter.yaml --name sweeps run.save.every.sweeps=1000",
        "ls runs/table",
    ),
    "check": (
        *(f"check configs/{name}.yaml --probe 0" for name in ("dqn_cartpole", "qlearn_book", "td_book")),
        *(f"check configs/{name}.yaml --probe 0" for name in ("genetic_vacuum", "reinforce_cartpole")),
        "check configs/dqn_pacman.yaml --probe 0 algorithm.precision=float32 environment.num_envs=4",
        "check configs/dqn_cartpole.yaml --probe 0 --json",
        "check configs/qlearn_taxi.yaml --probe 0 --json",
        "check absent",
    ),
    "list": (
        "list algorithms",
        "list configs",
        "list configs --json",
        "list environments",
        "list runs",
        "list algorithms --json",
        "list runs --json",
    ),
    "compare": (
        "compare 'a-*' 'b-*' -f duels",
        "compare 'a-*' 'b-*' -f duels --json",
        "compare '*' -f duels --on auc",
        "compare a-0 a-1 b-0 b-1 -f duels --on best",
        "compare 'a-*' -f duels",
        "compare 'a-*' 'd-*' -f duels",
        "compare 'a-*' 'b-*' -f duels --on mean",
        "diff a-0 a-1 -f duels",
        "diff a-0 b-0 -f duels --json",
        "diff a-0 z -f duels",
    ),
    "rerun": (
        f"{BASIC} -q",
        "rerun cart",
        "rerun cart --json",
        "diff cart cart-rerun",
        "rerun cart --name cart",
        "rerun absent",
        "ls runs",
    ),
    "sweep_run": (
        "sweep run configs/sweeps/cartpole.yaml --dry-run sweep.search=random",
        "sweep two_rates.yaml --dry-run",
        "sweep configs/sweeps/cartpole.yaml sweep.serch=grid",
        "sweep configs/sweeps/cartpole.yaml --max-wall soon",
        "sweep resume absent",
        "sweep resume swept",
    ),
    "sweep": (
        "sweep show swept -n 5",
        "sweep show swept --all --json",
        "sweep show absent",
        "sweep best swept -o best.yaml",
        "cat best.yaml",
        "sweep best swept -o best.yaml --rank 2",
        "sweep best swept --rank 40",
        "sweep plot swept",
    ),
    "schema": ("schema",),
    "doctor": ("doctor --json",),
    "dry_run": (
        *(f"train {path.relative_to(ROOT)} --dry-run" for path in CONFIGS),
        "train configs/dqn_cartpole.yaml algorithm.hidden='[64, 64]' algorithm.gamma=0.95 -n 1e5 --seed 3 --dry-run",
        "train --algo basic --env CartPole-v1 -n 1e5 algorithm.policy=random --dry-run",
    ),
    "trust": (
        "trust",
        "trust --list",
        "trust no_such_package",
        "trust walk.py",
        "trust --list",
        "trust --list --json",
        "trust --remove walk",
        "trust --remove walk.py",
        "trust --list",
    ),
    "errors": (
        "",
        "--version",
        "trian",
        "train",
        "train absent.yaml",
        "train dqn_cartpol",
        "train --algo dqn",
        "train --algo dqn --env CartPol-v1",
        "train --algo dqn dqn_cartpole",
        *(f"train {name}.yaml" for name in ("syntax", "unknown", "code")),
        "train configs/dqn_cartpole.yaml algorithm.learning_rte=1e-3 algorithm.gamma=2",
        "train configs/dqn_cartpole.yaml gamma=0.9",
        "train configs/dqn_cartpole.yaml algorithm.hidden=64",
        "train configs/dqn_cartpole.yaml run.budget.steps=3",
        "train configs/dqn_cartpole.yaml --env CartPol-v1",
        "train configs/dqn_cartpole.yaml --env os:CartPole-v1",
        "train configs/qlearn_book.yaml --env CartPole-v1",
        "train configs/dqn_cartpole.yaml --device cuda:77",
        "train configs/dqn_cartpole.yaml --max-wall soon",
        "train configs/basic_cartpole.yaml --seeds 3,x",
        "train configs/basic_cartpole.yaml --name a/b",
        "train configs/basic_cartpole.yaml --bogus",
        "resume absent",
        "eval absent",
        "eval",
        "watch absent",
        "explain absent",
        "explain",
        "plot absent",
        "list thing",
        "check configs/dqn_cartpole.yaml algorithm.batch_size=0",
    ),
}
