r"""SymPy's own text parser, with the evaluation of Python taken out of it.

``sympy.parse_expr``, and through it ``sympify``, ``N`` and ``Expr.equals`` on text, turn text into Python source and
call ``eval``: a model that writes ``\boxed{exec("...")}`` runs in the process that scores it. `disarm` replaces the one
place where SymPy does so. Tokens are then checked before anything is parsed, and the source is calculated node by node
(`calculate`): numbers, symbols, operators and the functions of a white list. All else is refused.
"""

import ast
import io
import keyword
import operator
import tokenize
import unicodedata
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitXor: operator.xor,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
NUMBERS = {"pi", "E", "I", "oo", "zoo", "nan", "EulerGamma", "GoldenRatio", "Catalan"}
FUNCTIONS = {
    *("sqrt", "cbrt", "root", "real_root", "exp", "log", "ln", "Abs", "abs", "sign", "floor", "ceiling", "Mod", "pow"),
    *("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "acot", "asec", "acsc", "atan2", "round"),
    *("sinh", "cosh", "tanh", "coth", "asinh", "acosh", "atanh", "factorial", "factorial2", "binomial", "gamma"),
    *("beta", "zeta", "gcd", "lcm", "Max", "Min", "max", "min", "re", "im", "arg", "conjugate", "Add", "Mul", "Pow"),
    *("Integer", "Float", "Rational", "Tuple", "FiniteSet", "Interval", "Union", "Matrix"),
}
NAMED = {"Symbol", "Function", "Integer", "Float", "Rational"}  # made by SymPy's transformations from a token's text
WORDS = {"and", "or", "not", "True", "False", "None"}
MARKS = set("+-*/%^&|~<>!(),[]{}") | {"**", "//", "<=", ">=", "==", "!="}
SKIPPED = {tokenize.NUMBER, tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT}
refused: list[str] = []  # what was refused since somebody looked; the process that scores is then replaced


class Refused(SyntaxError):
    """Text that is Python and no formula."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is no part of a formula")
        refused.append(what)


class Opaque:
    """The value of a name that a formula may not use: equal to itself, printed as SymPy prints it, good for nothing."""

    def __init__(self, thing: Any) -> None:
        self.text = str(thing)

    def __str__(self) -> str:
        return self.text


def disarm() -> None:
    """Make every way into SymPy's text parser go through `check` and `calculate`, in this process and for good."""
    from sympy.parsing import sympy_parser

    if sympy_parser.eval_expr is calculated:
        return
    transform = sympy_parser.stringify_expr

    def checked(text: str, *others: Any) -> str:
        check(text)
        return transform(text, *others)

    sympy_parser.stringify_expr, sympy_parser.eval_expr = checked, calculated


def check(text: str) -> None:
    """Raise `Refused` for a token that a formula cannot have, and SyntaxError for characters that Python does not."""
    for kind, token, *_ in tokenize.generate_tokens(io.StringIO(text.strip()).readline):
        if kind in SKIPPED or (kind in (tokenize.OP, tokenize.ERRORTOKEN) and token in MARKS):
            continue
        if kind == tokenize.NAME:
            if "__" in token or unicodedata.normalize("NFKC", token) != token:
                raise Refused(f"the name {token!r}")
            if keyword.iskeyword(token) and token not in WORDS:
                raise Refused(f"the word {token!r}")
        elif kind == tokenize.ERRORTOKEN:  # a backslash and the like: the next parser's
            raise SyntaxError(f"{token!r} is no part of an expression")
        else:
            raise Refused(f"{tokenize.tok_name[kind]} {token!r}")


def calculated(code: Any, local: dict[str, Any], names: dict[str, Any]) -> Any:
    """Stand for ``sympy_parser.eval_expr``: calculate what it would evaluate; ``names`` is SymPy's namespace."""
    if not isinstance(code, str):
        raise Refused("compiled code")
    return calculate(ast.parse(code, mode="eval").body, names)


def calculate(node: ast.AST, names: dict[str, Any]) -> Any:
    """Return the value of one node; `Refused` for a node of another kind than those here.

    Raises TypeError where Python would, such as for a sum of a number and a name, so that the next parser is tried.
    """

    def values(nodes: Sequence[ast.AST]) -> list[Any]:
        return [calculate(part, names) for part in nodes]

    def apply(kind: ast.AST, *operands: Any) -> Any:
        if type(kind) not in OPERATORS:
            raise Refused(type(kind).__name__)
        return OPERATORS[type(kind)](*map(number, operands))

    match node:
        case ast.Constant(value=bool() | int() | None):
            return node.value
        case ast.Name(id=name):
            return names[name] if name in NUMBERS else Opaque(names[name])
        case ast.Tuple():
            return tuple(values(node.elts))
        case ast.List():
            return values(node.elts)
        case ast.Set():
            return set(values(node.elts))
        case ast.Dict(keys=[]):
            return {}
        case ast.BinOp():
            return apply(node.op, *values([node.left, node.right]))
        case ast.UnaryOp():
            return apply(node.op, calculate(node.operand, names))
        case ast.Compare():
            sides = values([node.left, *node.comparators])
            pairs = zip(node.ops, sides, sides[1:], strict=False)
            return reduce(lambda done, pair: done and apply(*pair), pairs, True)
        case ast.BoolOp():
            # Python's own order: the first part that decides is the value.
            for part in node.values[:-1]:
                value = number(calculate(part, names))
                if bool(value) is isinstance(node.op, ast.Or):
                    return value
            return calculate(node.values[-1], names)
        case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(text))], keywords=[]) if name in NAMED:
            return names[name](text)
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
            return names[name](*map(inner, values(node.args)))
        case ast.Call(func=ast.Call(func=ast.Name(id="Function"), args=[ast.Constant(value=str(text))]), keywords=[]):
            return names["Function"](text)(*map(inner, values(node.args)))
        case ast.Call(func=ast.Name(id=name)):
            raise Refused(f"a call of {name}")
        case ast.Call() | ast.Subscript():
            raise TypeError("a number cannot be called")  # as `2(x+1)`: another parser reads a product
        case _:
            raise Refused(type(node).__name__)


def number(value: Any) -> Any:
    """Return a value that operators may take: SymPy's, a truth value or a whole number; TypeError for another."""
    from sympy import Basic, MatrixBase

    if isinstance(value, (Basic, MatrixBase, int)):
        return value
    raise TypeError(f"{type(value).__name__} is no number")


def inner(value: Any) -> Any:
    """Return a value that functions may take: a number, or a list of them."""
    return type(value)(map(inner, value)) if isinstance(value, (list, tuple, set)) else number(value)
