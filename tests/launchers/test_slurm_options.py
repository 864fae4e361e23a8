"""What --launcher and --slurm take, and what is said of what they do not."""

import pytest

from rltrain.errors import InputError
from rltrain.launchers.choose import choose
from rltrain.launchers.slurm_options import minutes_of, parsed


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("4h", 240),
        ("90m", 90),
        ("1h30m", 90),
        ("2d", 2_880),
        ("90", 90),
        ("1:30:00", 90),
        ("45:01", 46),
        ("0:30", 1),
        ("2-12", 3_600),
        ("1-0:30", 1_470),
        ("1-00:30:30", 1_471),
    ],
)
def test_time_limits_as_a_person_or_sbatch_writes_them(text, minutes):
    assert minutes_of(text) == minutes


@pytest.mark.parametrize("text", ["", "4x", "h4", "0", "0m", "-1", "1.5h", "400d", "1:2:3:4", "4h ", "٣h"])
def test_other_times_are_refused(text):
    with pytest.raises(InputError, match=r"--slurm time=.*expected 4h, 90m or 1:30:00"):
        minutes_of(text)


def test_keys_are_spelled_as_sbatch_or_shorter_and_values_may_hold_commas():
    found = parsed("partition=gpu, time=4h,exclude=n1,n2,cpus-per-task=3,gpus_per_node=a100:2,mem=8G")
    assert found.minutes == 240
    assert found.others == {"partition": "gpu", "exclude": "n1,n2", "cpus": "3", "gpus": "a100:2", "mem": "8G"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partitoin=gpu", "unknown key 'partitoin'; did you mean 'partition'?"),
        ("array=0-3", "unknown key 'array'; one of account"),
        ("gpu", "'gpu' is no key=value; write partition=gpu,time=4h,mem=8G"),
        ("time=", "'time=' is no key=value"),
        ("", "'' is no key=value"),
        ("mem=8GB,time=1h", "mem=8GB: expected a size of memory, such as 8G or 500M"),
        ("cpus=two", "cpus=two: expected a whole number"),
        ("time=1h,time=2h", "time stands there twice"),
        ("partition=a\nb", "not a line of printable text"),
    ],
)
def test_what_is_wrong_with_the_options_is_said_with_the_nearest_right_one(text, said):
    with pytest.raises(InputError) as caught:
        parsed(text)
    assert said in str(caught.value)


def test_a_launcher_that_there_is_not_is_named_with_the_nearest():
    assert choose(None, None) == choose("local")
    with pytest.raises(InputError, match=r"--launcher locl: no such launcher; did you mean 'local'"):
        choose("locl")


@pytest.mark.parametrize("launcher", [None, "local"])
def test_options_of_slurm_need_slurm(launcher):
    with pytest.raises(InputError, match="--slurm time=4h: is for the jobs of --launcher slurm"):
        choose(launcher, "time=4h")
