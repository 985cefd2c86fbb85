"""Asserts taken apart: what to evaluate in the sandbox, and what it must give."""

from __future__ import annotations

import ast
import builtins
from typing import Any, Literal

LONGEST = 20_000
"""Characters of a test that is taken apart; longer ones run as they are."""

Piece = tuple[str, Any, Literal["python", "true", "false"]]


def split(text: str) -> list[Piece] | None:
    """The pieces of a text of plain asserts (`assert f(1) == 2`, `assert f(1)`, `assert not f(1)`); None where it holds anything else."""
    if len(text) > LONGEST:
        return None
    try:
        body = ast.parse(text).body
        pieces = [_piece(node) for node in body]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return [piece for piece in pieces if piece is not None] if body and all(pieces) else None


def _piece(node: ast.stmt) -> Piece | None:
    if not isinstance(node, ast.Assert):
        return None
    test = node.test
    if isinstance(test, ast.Call):
        return (ast.unparse(test), None, "true") if _plain(test) else None
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and isinstance(test.operand, ast.Call):
        return (ast.unparse(test.operand), None, "false") if _plain(test.operand) else None
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], (ast.Eq, ast.Is)):
        for asked, told in ((test.left, test.comparators[0]), (test.comparators[0], test.left)):
            literal = _literal(told)
            if literal is not None and _plain(asked):
                return ast.unparse(asked), literal[0], "python"
    return None


def _plain(node: ast.expr) -> bool:
    """A call of one function with literal arguments: nothing in it knows what is expected."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or hasattr(builtins, node.func.id):
        return False
    return all(_literal(one) is not None for one in (*node.args, *(keyword.value for keyword in node.keywords)))


def _literal(node: ast.expr) -> tuple[Any] | None:
    try:
        return (ast.literal_eval(node),)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
