"""The robot vacuum's measures: metres, cells of 5 cm, and milligrams of dust."""

CELL = 0.05  # m
RADIUS = 3.5  # of the robot, in cells
SPEED = 4  # cells a second: 0.2 m
WALL = 2  # thickness of the outer walls, in cells: a beam of dust never looks past them
SIGHT = 80  # cells: how far the robot sees the way, 4 m
LOOKS = (4, 6, 8, 10, 12, 14, 16, 18)  # cells from its centre where it looks for dust; the disc ends at 3.5
TOTAL = 100_000  # mg of dust in every room
