"""`rltrain mdp info`: what a model is, before it is solved."""

from __future__ import annotations

from rltrain.cli.mdp import options


def info_command(
    model: options.ModelName = None,
    settings: options.Settings = None,
    imports: options.Imports = None,
    minimize: options.Minimize = False,
    strict: options.Strict = False,
    json: options.Json = False,
) -> None:
    """Show sizes, terminal states, branching, rewards, what can be reached, and what looks wrong."""
    from rltrain.cli.mdp.answer import show
    from rltrain.cli.mdp.answers.model_facts import of_model_facts
    from rltrain.verbs.mdp import models
    from rltrain.verbs.mdp.info import describe

    loaded = models.load(model, settings, minimize=minimize, strict=strict)
    show(of_model_facts(describe(loaded.model, loaded.warnings)), json)
