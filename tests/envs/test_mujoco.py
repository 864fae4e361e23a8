"""What MuJoCo says is heard by Python: nothing is printed past everything, and no file appears where one stands."""

from pathlib import Path

import pytest

from rltrain import envs
from rltrain.experiment.settings import EnvironmentConfig

FALLING = """<mujoco><worldbody><body><freejoint/><geom size=".1"/></body></worldbody></mujoco>"""


def test_models_of_others_with_attributes_of_yesterday_are_made_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mujoco")
    monkeypatch.chdir(tmp_path)
    envs.make(EnvironmentConfig(id="HalfCheetah-v5", num_envs=2)).close()
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_simulation_that_explodes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mujoco = pytest.importorskip("mujoco")
    monkeypatch.chdir(tmp_path)
    envs.make(EnvironmentConfig(id="HalfCheetah-v5")).close()
    model = mujoco.MjModel.from_xml_string(FALLING)
    data = mujoco.MjData(model)
    data.qvel[0] = float("nan")
    with pytest.warns(RuntimeWarning, match="MuJoCo: Nan, Inf or huge value in QVEL"):
        mujoco.mj_step(model, data)
    assert list(tmp_path.iterdir()) == []
