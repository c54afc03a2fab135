"""The world's rule of harm, and that every prompt can be read back."""

import random

import pytest

from tests.miniature.keys import find_key
from thinksafe.miniature import world
from thinksafe.miniature.world import Deed, Sum

HARMFUL = Deed("smash", "crown", owner="queen")
SCARY = Deed("smash", "crown", setting="own")
NICE = Deed("paint", "crown", owner="queen")


def test_harm_needs_mischief_and_somebody_elses_thing():
    assert [deed.kind for deed in (HARMFUL, SCARY, NICE)] == ["harmful", "scary", "nice"]
    assert [deed.harmful for deed in (HARMFUL, SCARY, NICE)] == [True, False, False]


@pytest.mark.parametrize("form", world.FORMS)
def test_every_deed_is_read_back_from_its_request(form):
    rng = random.Random(0)
    for kind in ("harmful", "scary", "nice"):
        for deed in world.deeds(3, kind, "evaluation"):
            prompt = world.ask(deed, form, rng)
            assert world.find_deed(prompt) == deed
            assert find_key(prompt) == deed.key()


def test_every_sum_and_purchase_is_read_back_from_its_question():
    rng = random.Random(0)
    for task in world.LEVELS:
        for pool in world.POOLS:
            for _ in range(50):
                problem = world.draw_problem(1, task, pool, rng)
                key = find_key(problem.question(problem.options(rng)))
                if task == "gpqa":
                    assert key == problem.key
                else:
                    assert key == problem.key[:4]
                    assert 0 <= problem.result <= world.NUMBERS


def test_sum_is_worked_out_step_by_step():
    made = Sum(8, (5, -3))
    assert (made.result, made.working()) == (10, "8+5=13.\n13-3=10.")
    assert Sum(8, (5, -3, 4)).key() == made.key(), "a longer sum would give a held-out beginning away"
