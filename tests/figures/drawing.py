"""Figures that tests draw."""

import pytest


def drawn_twice(folder, name, function, *arguments):
    """Draw twice and return the bytes of the PNG and the PDF, having checked that they are the same."""
    made = []
    for turn in ("first", "second"):
        paths = [folder / f"{name}-{turn}.{form}" for form in ("png", "pdf")]
        function(*arguments, *map(str, paths))
        made.append([path.read_bytes() for path in paths])
    assert made[0] == made[1]
    assert made[0][0].startswith(b"\x89PNG") and made[0][1].startswith(b"%PDF")
    assert b"CreationDate" not in made[0][1]
    return made[0]


def drawn_figure(function, folder, *arguments):
    """Draw, and return the figure itself as it was when it was saved."""
    from matplotlib import pyplot

    seen = []
    close = pyplot.close
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyplot, "close", seen.append)
        function(*arguments, str(folder / "f.png"), str(folder / "f.pdf"))
    close("all")
    return seen[0]
