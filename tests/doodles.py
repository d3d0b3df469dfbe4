"""Doodles that a pupil draws to try the network out, none of them a digit: strokes, points in 0..100, y pointing down.

Drawn by hand for the tests, in several ways each; no training and no calibration has seen them.
"""

import numpy as np


def _arc(x, y, rx, ry=None, start=0.0, end=360.0, n=24):
    """Clockwise from `start`, in degrees; 0 is right."""
    turn = np.radians(np.linspace(start, end, n))
    return np.stack([x + rx * np.cos(turn), y + (ry or rx) * np.sin(turn)], axis=1).tolist()


def _way(*numbers):
    return [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]


def _dot(x, y):
    return [[x, y], [x + 1, y + 1]]


HOUSES = [
    [_way(15, 95, 15, 45, 85, 45, 85, 95, 15, 95), _way(10, 46, 50, 8, 90, 46)],
    [_way(15, 95, 15, 45, 85, 45, 85, 95, 15, 95), _way(10, 46, 50, 8, 90, 46), _way(42, 95, 42, 68, 58, 68, 58, 95)],
    [_way(20, 95, 80, 95, 80, 45, 20, 45, 20, 95, 80, 45, 50, 10, 20, 45, 80, 95)],
    [
        _way(10, 92, 10, 50, 90, 50, 90, 92, 10, 92),
        _way(5, 52, 30, 18, 75, 18, 96, 52),
        _way(25, 60, 40, 60, 40, 74, 25, 74, 25, 60),
        _way(60, 92, 60, 66, 74, 66, 74, 92),
    ],
    [
        _way(18, 96, 17, 44, 50, 12, 84, 43, 82, 97, 18, 95),
        _way(17, 44, 84, 44),
        _way(66, 27, 67, 10, 75, 10, 75, 35),
        _way(34, 60, 46, 60, 46, 72, 34, 72, 34, 60),
    ],
    [_way(18, 96, 18, 46, 50, 10, 82, 46, 82, 96, 18, 96), _way(40, 96, 40, 70, 60, 70, 60, 96)],
]
SMILEYS = [
    [_arc(50, 50, 44), _dot(35, 38), _dot(65, 38), _arc(50, 52, 24, 20, 20, 160)],
    [_arc(50, 50, 44), _way(35, 30, 35, 42), _way(65, 30, 65, 42), _arc(50, 50, 26, 24, 10, 170)],
    [_arc(50, 50, 44), _dot(34, 36), _dot(66, 36), _way(50, 46, 47, 58, 53, 58), _arc(50, 58, 22, 16, 15, 165)],
    [_arc(50, 50, 38, 46), _arc(37, 38, 5), _arc(63, 38, 5), _arc(50, 60, 18, 14, 0, 180), _way(32, 60, 68, 60)],
    [_arc(50, 50, 46, 42), _dot(33, 40), _dot(67, 40), _arc(50, 84, 24, 18, 200, 340)],
    [_arc(50, 50, 44, None, -80, 275), _dot(36, 40), _dot(64, 40), _way(32, 66, 68, 66)],
]
OTHERS = {
    "heart": [_arc(30, 32, 20, None, 150, 375) + _arc(70, 32, 20, None, 165, 390) + _way(50, 92, 13, 42)],
    "star": [_way(20, 95, 50, 5, 80, 95, 5, 38, 95, 38, 20, 95)],
    "sun": [_arc(50, 50, 20)]
    + [
        (np.array([50, 50]) + np.array([[28], [46]]) * [np.cos(turn), np.sin(turn)]).tolist()
        for turn in np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ],
    "flower": [_arc(50, 26, 8)]
    + [_arc(50 + 17 * np.cos(t), 26 + 17 * np.sin(t), 9) for t in np.linspace(0, 2 * np.pi, 5, endpoint=False)]
    + [_way(50, 52, 50, 98), _way(50, 80, 70, 66)],
    "tree": [_arc(50, 32, 30, 28), _way(44, 60, 44, 96), _way(56, 60, 56, 96)],
    "fish": [_arc(42, 50, 36, 22), _way(76, 50, 97, 30, 97, 70, 76, 50), _dot(24, 44)],
    "man": [_arc(50, 16, 12), _way(50, 28, 50, 66), _way(22, 44, 78, 44), _way(28, 98, 50, 66, 72, 98)],
    "cat": [
        _arc(50, 56, 36, 34),
        _way(18, 40, 20, 8, 42, 24),
        _way(58, 24, 80, 8, 82, 40),
        _dot(38, 50),
        _dot(62, 50),
        _way(4, 62, 34, 66),
        _way(66, 66, 96, 62),
    ],
    "cup": [_way(15, 30, 20, 88, 68, 88, 73, 30, 15, 30), _arc(74, 54, 18, 16, -90, 90)],
    "car": [
        _way(5, 70, 5, 50, 28, 48, 38, 28, 68, 28, 78, 48, 96, 52, 96, 70, 5, 70),
        _arc(27, 74, 9),
        _arc(76, 74, 9),
    ],
    "envelope": [_way(5, 25, 95, 25, 95, 80, 5, 80, 5, 25), _way(5, 25, 50, 58, 95, 25)],
    "arrow": [_way(5, 50, 92, 50), _way(66, 26, 94, 50, 66, 74)],
    "key": [_arc(24, 50, 18), _way(42, 50, 96, 50, 96, 66), _way(80, 50, 80, 64)],
    "spectacles": [_arc(25, 50, 20), _arc(75, 50, 20), _way(45, 46, 55, 46)],
}


def by_hands(strokes, count, *, seed):
    """The drawing as `count` hands would: a little turned, slanted, stretched, and never straight."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        turn, slant, stretch = random.normal(0, 0.06), random.normal(0, 0.1), np.exp(random.normal(0, 0.1))
        matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        matrix = matrix @ np.array([[stretch, 0], [slant, 1 / stretch]])
        waves = random.normal(0, 1.2, (2, 3)), random.uniform(0, 2 * np.pi, (2, 3))
        drawn = []
        for stroke in strokes:
            points = _dense(np.array(stroke, float))
            at = points.sum(1)[:, None, None] / 40 * np.arange(1, 4) + waves[1]
            drawn.append(((points + (waves[0] * np.sin(at)).sum(2)) @ matrix).tolist())
        made.append(drawn)
    return made


def _dense(points, step=6.0):
    made = [points[:1]]
    for a, b in zip(points, points[1:], strict=False):
        n = max(1, int(np.hypot(*(b - a)) / step))
        made.append(a + (b - a) * (np.arange(1, n + 1) / n)[:, None])
    return np.concatenate(made)
