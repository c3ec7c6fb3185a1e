"""What a text in the code can be: literals and f-strings as templates, followed through names, tables and functions.

Nothing is executed. What only a run knows is a placeholder, between ``OPEN`` and ``CLOSE``: the last word of its
expression in capitals, or ``…``.
"""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = Path(__file__).parents[2] / "reverse_etl"
OPEN, CLOSE = "\x01", "\x02"

Value = str | tuple[Any, ...] | None
"""A text, a tuple of lists of values, or None for what only a run knows."""

Function = ast.FunctionDef | ast.AsyncFunctionDef

Giver = tuple[ast.AST, ast.expr, ast.expr, bool]
"""What gives names their values: the node, its target, its value, and whether a loop takes the value apart."""

_CHANGING: Final = {
    *("strip", "rstrip", "lstrip", "removeprefix", "removesuffix", "replace", "lower", "upper", "title", "format"),
    *("resolve", "as_posix", "total_seconds", "decode"),
}
"""Methods whose result is what they are called on."""

_CALLED: Final = {"LINENO": "LINE", "STRERROR": "REASON", "TEMPLATE": "VARIABLE", "SELF": "…", "JOIN": "…"}
_DEEPEST: Final = 6
_MOST_IN_A_TEXT: Final = 3
_MOST: Final = 60


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """A module's syntax tree, and what its names are."""

    path: Path
    tree: ast.Module
    around: Mapping[ast.AST, Function]
    parents: Mapping[ast.AST, ast.AST]
    givers: Mapping[tuple[Function, str], list[Giver]]
    functions: Mapping[str, list[Function]]
    constants: Mapping[str, list[ast.expr]]
    imports: Mapping[str, tuple[Path, str]]
    calls: Mapping[str, list[ast.Call]]
    bases: Mapping[str, list[ast.expr]]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands; ``bound`` has what names are there for certain."""

    module: Module
    function: Function | None
    bound: Mapping[str, list[Value]] = field(default_factory=dict)
    depth: int = _DEEPEST

    def deeper(self, **changes: Any) -> Scope:
        """The same one step further from the message."""
        return replace(self, depth=self.depth - 1, **changes)


@cache
def module(path: Path) -> Module:
    """Reads a module of the package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    around: dict[ast.AST, Function] = {}
    parents: dict[ast.AST, ast.AST] = {}
    givers: dict[tuple[Function, str], list[Giver]] = {}
    functions: dict[str, list[Function]] = {}
    calls: dict[str, list[ast.Call]] = {}
    bases: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            functions.setdefault(node.name, []).append(node)
        if isinstance(node, ast.ClassDef):
            bases[node.name] = node.bases
        if isinstance(node, ast.Call):
            calls.setdefault(last_word(node.func), []).append(node)
        inner = node if isinstance(node, Function) else around.get(node)
        parents.update(dict.fromkeys(ast.iter_child_nodes(node), node))
        if inner is not None:
            around.update(dict.fromkeys(ast.iter_child_nodes(node), inner))
            for giver in _givers(node):
                for name in names(giver[1]):
                    givers.setdefault((inner, name), []).append(giver)
    constants: dict[str, list[ast.expr]] = {}
    for statement in tree.body:
        for target, value in _assigned(statement):
            if isinstance(target, ast.Name):
                constants.setdefault(target.id, []).append(value)
    return Module(path, tree, around, parents, givers, functions, constants, dict(_imports(tree)), calls, bases)


def _imports(tree: ast.Module) -> Iterator[tuple[str, tuple[Path, str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reverse_etl."):
            where = PACKAGE.parent.joinpath(*(node.module or "").split("."))
            file = where.with_suffix(".py") if where.with_suffix(".py").is_file() else where / "__init__.py"
            for name in node.names:
                if file.is_file():
                    yield name.asname or name.name, (file, name.name)


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value


def _givers(node: ast.AST) -> Iterator[Giver]:
    yield from ((node, target, value, False) for target, value in _assigned(node))
    if isinstance(node, ast.For | ast.comprehension):
        yield node, node.target, node.iter, True


def names(node: ast.AST) -> set[str]:
    """The names in an expression."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def last_word(node: ast.expr) -> str:
    """The word that an expression ends with, or nothing."""
    match node:
        case ast.Name(id=word) | ast.Attribute(attr=word):
            return word
        case ast.Call(func=ast.Name(), args=[only, *_]) if not isinstance(only, ast.Constant):
            return last_word(only)
        case ast.Call(func=ast.Attribute(value=value, attr=word)):
            return last_word(value) if word in _CHANGING else word
        case ast.Subscript(slice=ast.Constant(value=str() as word)):
            return word
        case ast.Subscript(value=value) | ast.Await(value=value):
            return last_word(value)
    return ""


def placeholder(node: ast.expr) -> str:
    """What stands for a value that only a run knows."""
    word = last_word(node).strip("_").upper()
    return f"{OPEN}{_CALLED.get(word, word) if word.replace('_', '').isalpha() else '…'}{CLOSE}"


def texts(node: ast.expr, scope: Scope) -> list[str]:
    """The templates that an expression can be, each once, in the order of the code."""
    found = [value if isinstance(value, str) else placeholder(node) for value in values(node, scope)]
    return list(dict.fromkeys(found))[:_MOST]


def values(node: ast.expr, scope: Scope) -> list[Value]:
    """All values that an expression can have."""
    if scope.depth < 0:
        return [None]
    match node:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.Constant(value=int() as number):
            return [str(number)]
        case ast.JoinedStr(values=parts):
            return _joined([_part(part, scope) for part in parts])
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return _joined([texts(left, scope), texts(right, scope)])
        case ast.IfExp(body=one, orelse=other):
            return [*values(one, scope), *values(other, scope)]
        case ast.BoolOp(values=each):
            return [value for one in each for value in values(one, scope)]
        case ast.Tuple(elts=elements) | ast.List(elts=elements) if not any(map(_is_starred, elements)):
            return [tuple(values(element, scope) for element in elements)]
        case ast.Dict(values=elements):
            return [value for element in elements for value in values(element, scope)]
        case ast.Subscript(value=ast.Name() as table):
            return values(table, scope.deeper()) if _is_table(table, scope) else [None]
        case ast.Call():
            return _called(node, scope)
        case ast.Name(id=name):
            return _named(name, scope, node)
    return [None]


def _is_starred(node: ast.expr) -> bool:
    return isinstance(node, ast.Starred)


def _joined(parts: list[list[str]]) -> list[Value]:
    while (most := max(parts, key=len, default=[])) and prod(map(len, parts)) > 2 * _MOST_IN_A_TEXT:
        parts[parts.index(most)] = most[:1]
    return ["".join(each) for each in product(*parts)]


def _part(part: ast.expr, scope: Scope) -> list[str]:
    if not isinstance(part, ast.FormattedValue):
        return texts(part, scope)
    if isinstance(part.value, ast.Call) and last_word(part.value.func) == "counted":
        _, *kinds = part.value.args
        noun = texts(kinds[-1], scope)[0]
        return [f"{OPEN}N{CLOSE} {noun}{'' if len(kinds) > 1 else 's'}"]
    found = values(part.value, scope)
    if not found or len(found) > _MOST_IN_A_TEXT or not all(isinstance(value, str) for value in found):
        return [placeholder(part.value)]
    return [value for value in found if isinstance(value, str)]


def _is_table(name: ast.Name, scope: Scope) -> bool:
    return any(isinstance(value, ast.Dict) for value in scope.module.constants.get(name.id, []))


def _called(node: ast.Call, scope: Scope) -> list[Value]:
    if isinstance(node.func, ast.Attribute):
        if node.func.attr == "format":
            return [_formatted(value) if isinstance(value, str) else None for value in values(node.func.value, scope)]
        if node.func.attr == "get" and isinstance(node.func.value, ast.Name) and _is_table(node.func.value, scope):
            return values(node.func.value, scope.deeper())
    name, of = last_word(node.func), scope.module
    if isinstance(node.func, ast.Attribute) and last_word(node.func.value) not in {"self", "cls"}:
        return [None]
    if name in of.imports and name not in of.functions:
        path, name = of.imports[name]
        of = module(path)
    found: list[Value] = []
    for function in of.functions.get(name, []):
        bound = {
            parameter: values(argument, scope.deeper())
            for parameter in _parameters(function)
            if (argument := _argument(node, function, parameter)) is not None
        }
        inside = Scope(of, function, bound, scope.depth - 1)
        for each in ast.walk(function):
            if isinstance(each, ast.Return) and each.value is not None and of.around.get(each) is function:
                found += values(each.value, inside)
    return found[:_MOST] or [None]


def _formatted(text: str) -> str:
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        return text
    return "".join(
        before + (f"{OPEN}{(name or '…').upper()}{CLOSE}" if name is not None else "") for before, name, *_ in parts
    )


def _parameters(function: Function) -> list[str]:
    return [each.arg for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]


def _argument(call: ast.Call, function: Function, parameter: str) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == parameter:
            return keyword.value
    ordered = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    if ordered[:1] in (["self"], ["cls"]):
        ordered = ordered[1:]
    at = ordered.index(parameter) if parameter in ordered else len(call.args)
    given = call.args[at] if at < len(call.args) else None
    return None if any(isinstance(each, ast.Starred) for each in call.args) else given


def bindings(name: str, scope: Scope, use: ast.expr) -> list[Giver]:
    """What can have given a name the value that it has in an expression: nothing later, and nothing written over."""
    found: list[Giver] = []
    if scope.function is None:
        return found
    line = use.lineno if scope.module.around.get(use) is scope.function else scope.function.end_lineno or 0
    above = list(_above(use, scope.module))
    since = 0
    for giver in scope.module.givers.get((scope.function, name), []):
        node = giver[0]
        if isinstance(node, ast.stmt) and (node.lineno > line or (node in above and not isinstance(node, ast.For))):
            continue
        if isinstance(node, ast.Assign | ast.AnnAssign) and any(_beside(node, each, scope.module) for each in above):
            since = max(since, node.lineno)
        found.append(giver)
    return [giver for giver in found if getattr(giver[0], "lineno", line) >= since]


def _above(node: ast.AST, of: Module) -> Iterator[ast.AST]:
    while (parent := of.parents.get(node)) is not None:
        yield node
        node = parent


def _beside(node: ast.stmt, other: ast.AST, of: Module) -> bool:
    """Whether two statements are in one block."""
    blocks = (getattr(of.parents[node], each, None) for each in ("body", "orelse", "finalbody"))
    return any(isinstance(block, list) and node in block and other in block for block in blocks)


def bound_by(target: ast.expr, value: ast.expr, scope: Scope, *, loop: bool) -> Iterator[dict[str, list[Value]]]:
    """What an assignment binds, once for each value that can be assigned."""
    found = values(value, scope.deeper())
    if loop:
        found = [one for each in found for one in (_flat(each) if isinstance(each, tuple) else [None])]
    for each in found:
        if isinstance(target, ast.Name):
            yield {target.id: [each]}
        elif isinstance(target, ast.Tuple) and isinstance(each, tuple) and len(each) == len(target.elts):
            yield {name.id: one for name, one in zip(target.elts, each, strict=True) if isinstance(name, ast.Name)}


def _flat(each: tuple[Any, ...]) -> list[Value]:
    return [value for one in each for value in one]


def _named(name: str, scope: Scope, use: ast.expr) -> list[Value]:
    if name in scope.bound:
        return list(scope.bound[name])
    found: list[Value] = []
    places = bindings(name, scope, use)
    for _, target, value, loop in places:
        given = [one for each in bound_by(target, value, scope, loop=loop) for one in each.get(name, [])]
        found += given or [None]
    if places:
        return _plain(found)
    if scope.function is not None and name in _parameters(scope.function):
        for call in scope.module.calls.get(scope.function.name, []):
            argument = _argument(call, scope.function, name)
            if argument is not None:
                found += values(argument, Scope(scope.module, scope.module.around.get(call), depth=scope.depth - 2))
        return _plain(found) or [None]
    for constant in scope.module.constants.get(name, []):
        found += values(constant, Scope(scope.module, None, depth=scope.depth - 1))
    path, original = scope.module.imports.get(name, (scope.module.path, name))
    if not found and path != scope.module.path:
        return _named(original, Scope(module(path), None, depth=scope.depth - 1), use)
    return found or [None]


def _plain(found: list[Value]) -> list[Value]:
    texts: list[Value] = [None if isinstance(each, tuple) else each for each in found]
    return list(dict.fromkeys(texts))[:_MOST]
