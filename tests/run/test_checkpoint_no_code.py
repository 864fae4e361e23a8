"""No module of the package has a way by which data could become code: no pickle, no eval, no unsafe loader."""

import ast
from pathlib import Path

import pytest

import rltrain

UNSAFE_MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle"}
UNSAFE_BUILTINS = {"eval", "exec", "compile", "__import__"}
UNSAFE_YAML = {"unsafe_load", "unsafe_load_all", "full_load", "full_load_all", "UnsafeLoader", "FullLoader", "Loader"}


def offences(source: str) -> list[str]:
    """Every place in a module where data could become code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names if alias.name.split(".")[0] in UNSAFE_MODULES]
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")[0]
            imported = {alias.name for alias in node.names}
            if module in UNSAFE_MODULES or (module in ("torch", "numpy") and "load" in imported):
                names = [module]
            elif module == "yaml":
                names = sorted(imported & (UNSAFE_YAML | {"load", "load_all"}))
        elif isinstance(node, ast.Name) and node.id in UNSAFE_BUILTINS:
            names = [node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = node.value.id
            if (owner, node.attr) == ("torch", "load") or (owner == "yaml" and node.attr in UNSAFE_YAML):
                names = [f"{owner}.{node.attr}"]
        if isinstance(node, ast.Call):
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            function = ast.unparse(node.func)
            if keywords.get("allow_pickle", "False") != "False":
                names.append("allow_pickle")
            if function in ("np.load", "numpy.load") and None in keywords:
                names.append("np.load(**…)")
            loader = keywords.get("Loader") or (ast.unparse(node.args[1]) if len(node.args) > 1 else "")
            if function in ("yaml.load", "yaml.load_all") and "Safe" not in loader:
                names.append(function)
        found += [f"line {node.lineno}: {name}" for name in names]
    return found


MODULES = sorted(Path(rltrain.__file__).parent.rglob("*.py"))


def test_no_module_turns_data_into_code() -> None:
    assert {str(path): found for path in MODULES if (found := offences(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import cloudpickle as json",
        "import torch\ntorch.load(path)",
        "from torch import load",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "np.load(path, **options)",
        "eval(text)",
        "run = exec",
        "__import__(name)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.UnsafeLoader)",
        "yaml.load(text, yaml.Loader)",
        "yaml.unsafe_load(text)",
        "from yaml import full_load",
    ],
)
def test_the_check_sees_every_kind(source: str) -> None:
    assert offences(source)


def test_the_check_lets_good_code_pass() -> None:
    good = "import json, re\nre.compile('x')\nmodel.eval()\nnp.load(path)\nyaml.load(text, Loader=yaml.SafeLoader)\n"
    assert offences(good + "json.load(file)\nsafetensors.numpy.load(data)\nnp.load(path, allow_pickle=False)") == []
