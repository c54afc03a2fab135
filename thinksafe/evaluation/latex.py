"""math-verify's LaTeX grammar, beside the older one that SkyThought needs (docs/scoring.md).

The grammar of ``latex2sympy2_extended`` is asked for one formula at a time: it builds SymPy's expressions and calls
nothing. It has generated parsers for three versions of ANTLR's runtime, and SkyThought's grammar pins a fourth, 4.7.2.
That reads the same tables as 4.9.3 (both are of ANTLR's third serialisation), so the parser for 4.9.3 is taken. On 586
texts it gives what the one for 4.13.2 gives, but for ``\\gamma``, which that takes for a number.
"""

import importlib.metadata
from functools import cache, lru_cache
from typing import Any

from thinksafe.evaluation import formulas


@cache
def _grammar() -> Any:
    formulas.disarm()
    known = importlib.metadata.version
    importlib.metadata.version = lambda name: "4.9.3" if name == "antlr4-python3-runtime" else known(name)
    try:
        from latex2sympy2_extended.gen.antlr4_9_3 import PSLexer, PSParser
        from latex2sympy2_extended.latex2sympy2 import latex2sympy
    finally:
        importlib.metadata.version = known
    for part in (PSLexer.PSLexer, PSParser.PSParser):
        part.checkVersion = lambda self, version: None  # prints that the versions differ
    # The one accessor that the other two generated parsers have and this one lacks; it means Euler's constant.
    PSParser.PSParser.AtomContext.FUNC_GAMMA = lambda self: None
    return latex2sympy


@lru_cache(maxsize=10_000)
def parse(text: str) -> Any:
    """Return SymPy's expression of one formula in LaTeX; ValueError if it is none."""
    try:
        found = _grammar()(text, is_real=None, convert_degrees=False, normalization_config=None)
    except Exception as error:
        raise ValueError(f"{text!r} is no formula: {error}") from error
    from sympy import Expr, Float, I, Rational

    if not isinstance(found, Expr):
        raise ValueError(f"{text!r} is no formula of numbers and names")
    decimals = {value: Rational(str(value)) for value in found.atoms(Float)}
    letters = {name: I for name in found.free_symbols if name.name == "i"}
    return found.xreplace(decimals | letters).doit()


def normalised(text: str) -> str:
    r"""Return LaTeX as the grammar reads it best: ``\frac12`` is ``\frac{1}{2}``."""
    _grammar()
    from latex2sympy2_extended.math_normalization import NormalizationConfig, normalize_latex

    return normalize_latex(text, NormalizationConfig(boxed="none", malformed_operators=True))
