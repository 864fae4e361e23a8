"""The pace at which a person watches, with a clock that only the viewer moves."""

from rltrain.cli.show.pace import Pace


class Person:
    """Presses the given keys, one each time that it is asked; time passes meanwhile."""

    covers = False

    def __init__(self, keys: str = "") -> None:
        self.now, self.keys = 0.0, list(keys)

    def show(self, moment) -> None:  # type: ignore[no-untyped-def]
        pass

    def key(self, seconds: float) -> str:
        if self.keys:
            return self.keys.pop(0).replace("_", "")
        self.now += seconds
        return ""

    def close(self) -> None:
        pass


def waited(person: Person, pace: Pace, hold: bool = False) -> float:
    before = person.now
    assert pace.wait(person, hold, lambda: False)
    return round(person.now - before, 6)


def test_moments_are_as_far_apart_as_the_environment_says():
    person = Person()
    pace = Pace(fps=4, speed=1, clock=lambda: person.now)
    assert [waited(person, pace) for _ in range(3)] == [0.25] * 3
    assert waited(person, pace, hold=True) == 0.75


def test_speed_and_its_keys():
    person = Person()
    pace = Pace(fps=4, speed=2, clock=lambda: person.now)
    assert waited(person, pace) == 0.125
    person.keys = ["+"]
    waited(person, pace)
    assert waited(person, pace) == 0.1
    person.keys = ["-", "-"]
    waited(person, pace)
    assert waited(person, pace) == 0.15625


def test_a_slow_machine_is_not_made_up_for_by_haste():
    person = Person()
    pace = Pace(fps=10, speed=1, clock=lambda: person.now)
    person.now = 5.0  # drawing took that long
    assert waited(person, pace) == 0
    assert waited(person, pace) == 0.1


def test_space_pauses_until_space_and_a_dot_goes_one_step():
    person = Person(" ____ ")
    pace = Pace(fps=10, speed=1, clock=lambda: person.now)
    assert waited(person, pace) == 0 and not person.keys
    person.keys = ["."]
    assert waited(person, pace) == 0
    person.keys = ["_", "_", " "]  # still paused, until this space
    assert waited(person, pace) == 0 and not person.keys
    assert waited(person, pace) == 0.1


def test_q_ends_it_and_so_does_a_signal():
    person = Person("q")
    pace = Pace(fps=10, speed=1, clock=lambda: person.now)
    assert not pace.wait(person, False, lambda: False)
    assert not pace.wait(Person(" "), False, lambda: True)
