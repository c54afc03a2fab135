"""The style of all figures."""

from itertools import combinations

import numpy
import pytest
from matplotlib.colors import to_rgb

from tests.paper_run import SPEC as RUN
from thinksafe.reporting.figures import COLOURS, MARKERS, OTHER, colour


def test_a_method_has_its_own_colour():
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert colour("thinksafe") == COLOURS["thinksafe"] != colour("initial")
    assert colour("thinksafe-from-qwen3-8b") == OTHER not in COLOURS.values()
    assert len(set(MARKERS)) >= 7  # students of the paper


# Machado, Oliveira and Fernandes (2009), full severity: what the three kinds of colour-blind readers see.
SEEN = {
    "usual": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


TOGETHER = {
    "1, 7, 8": [*(name for name, _ in RUN["methods"]), "rejection", "thinksafe-wildguard"],
    "3": ["initial", "thinksafe", "thinksafe-kl", "grpo"],
    "4, 11": ["thinksafe", "thinksafe-noreason"],
    "13": ["thinksafe", "thinksafe-suffix", "thinksafe-risk", "thinksafe-intent"],
}


def lab(colour_, eyes):
    """Return CIE L*a*b* (D65) of a colour as it is seen."""
    channels = numpy.array(to_rgb(colour_))
    linear = numpy.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    to_xyz = numpy.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ numpy.clip(numpy.array(eyes) @ linear, 0, 1) / numpy.array([0.9505, 1, 1.089])
    x, y, z = numpy.where(xyz > 0.008856, numpy.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return numpy.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_methods_of_one_figure_are_told_apart_by_all_eyes(names):
    for kind, eyes in SEEN.items():
        for one, other in combinations(names, 2):
            assert numpy.linalg.norm(lab(colour(one), eyes) - lab(colour(other), eyes)) > 15, (kind, one, other)
