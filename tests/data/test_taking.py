"""Prompts and items that are drawn once: more contain fewer."""

import pytest

from thinksafe.data.taking import take_prompts


def test_prompts_are_taken_once_and_for_all():
    rows = [{"id": f"harmful-{n:05d}"} for n in range(50)]
    few, more = take_prompts(rows, 10), take_prompts(rows, 30)
    assert len(few) == 10 and len(more) == 30 and take_prompts(rows, None) == rows == take_prompts(rows, 50)
    assert all(row in more for row in few) and few == [row for row in rows if row in few] and few != rows[:10]
    assert take_prompts(rows[::-1], 10) == few[::-1]
    with pytest.raises(ValueError, match="60 are asked for and there are 50"):
        take_prompts(rows, 60)
    with pytest.raises(ValueError, match="benchmarks.gpqa.take: 60 are"):
        take_prompts(rows, 60, "benchmarks.gpqa")
