"""What a text in the code can be: literals and f-strings as templates, followed through names, tables and functions.

Nothing is executed. What only a run knows is a placeholder, between ``OPEN`` and ``CLOSE``: the last word of its
expression in capitals, or ``…``.

Each value keeps the choices that lead to it: the branch of an ``if``, the entry of a table, the place of a call. Two
values belong together where no choice of one contradicts the other: so a message has its own hint.
"""

from __future__ import annotations

import ast
import string
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = Path(__file__).parents[2] / "reverse_etl"
OPEN, CLOSE = "\x01", "\x02"

Value = str | tuple[Any, ...] | None
"""A text, a tuple of lists of ``Given``, or None for what only a run knows."""

Function = ast.FunctionDef | ast.AsyncFunctionDef

Giver = tuple[ast.AST, ast.expr, ast.expr, bool]
"""What gives names their values: the node, its target, its value, and whether a loop takes the value apart."""

_CHANGING: Final = {
    *("strip", "rstrip", "lstrip", "removeprefix", "removesuffix", "replace", "lower", "upper", "title", "format"),
    *("resolve", "as_posix", "total_seconds", "decode"),
}
"""Methods whose result is what they are called on."""

_CALLED: Final = {
    "LINENO": "LINE",
    "GUESS": "jobs",
    "TO_USER_STRING": "ASSET",
    "TYPENAME": "ANSWER",
    "STRERROR": "REASON",
    "TEMPLATE": "VARIABLE",
    "SELF": "…",
    "JOIN": "…",
}
_DEEPEST: Final = 8
_MOST_IN_A_TEXT: Final = 40
_MOST_OF_A_TEXT: Final = 120
_MOST: Final = 400

Choices = Mapping[Hashable, Hashable]
"""What was decided on the way to a value: by the node that decides, and where it is called from."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value, and the choices that lead to it."""

    value: Value
    choices: Choices = field(default_factory=dict)

    def where(self, choices: Choices) -> Given | None:
        """The same after further choices; None where they contradict its own."""
        joined = joint(self.choices, choices)
        return None if joined is None else Given(self.value, joined)


NOTHING: Final = Given(None)


@dataclass(frozen=True, slots=True)
class Among:
    """The choice of a value that is one of some constants, or none of them."""

    constants: frozenset[str]
    inside: bool = True

    def both(self, other: Among) -> Among | None:
        """What both allow; None where that is nothing."""
        if not self.inside:
            return other.both(self) if other.inside else Among(self.constants | other.constants, inside=False)
        left = self.constants & other.constants if other.inside else self.constants - other.constants
        return Among(left) if left else None


def joint(one: Choices, other: Choices) -> Choices | None:
    """The choices of both, or None where they exclude each other."""
    found = dict(one)
    for key, option in other.items():
        mine = found.get(key, option)
        if isinstance(mine, Among) and isinstance(option, Among):
            if (option := mine.both(option)) is None:
                return None
        elif mine != option:
            return None
        found[key] = option
    return found


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
    bound: Mapping[str, list[Given]] = field(default_factory=dict)
    depth: int = _DEEPEST
    calls: tuple[ast.Call, ...] = ()

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
        children = list(ast.iter_child_nodes(node))
        parents.update(dict.fromkeys(children, node))
        if inner is not None:
            around.update(dict.fromkeys(children, inner))
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
    elif isinstance(node, ast.AugAssign):
        yield node.target, ast.Constant(value=...)


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
    return f"{OPEN}{word_of(node)}{CLOSE}"


def word_of(node: ast.expr) -> str:
    """The word in capitals that stands for a value."""
    word = last_word(node).strip("_").upper()
    return _CALLED.get(word, word) if word.replace("_", "").isalpha() else "…"


def texts(node: ast.expr, scope: Scope) -> list[Given]:
    """The templates that an expression can be, in the order of the code."""
    return [
        each if isinstance(each.value, str) else Given(placeholder(node), each.choices) for each in values(node, scope)
    ][:_MOST]


def values(node: ast.expr, scope: Scope) -> list[Given]:
    """All values that an expression can have."""
    if scope.depth < 0:
        return [NOTHING]
    match node:
        case ast.Constant(value=str() as text):
            return [Given(text)]
        case ast.Constant(value=None):
            return [Given("")]
        case ast.Constant(value=int() as number):
            return [Given(str(number))]
        case ast.JoinedStr(values=parts):
            return _joined([_part(part, scope) for part in parts])
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return _joined([texts(left, scope), texts(right, scope)])
        case ast.IfExp(test=test, body=one, orelse=other):
            return [
                given
                for branch, taken in ((one, True), (other, False))
                for given in _after(values(branch, scope), _tested(test, scope, taken=taken))
            ]
        case ast.BoolOp(op=ast.Or(), values=each):
            return list(_first_true(each, node, scope))
        case ast.BoolOp(values=[*tests, last]):
            return _last_if_all(tests, last, scope)
        case ast.Tuple(elts=elements) | ast.List(elts=elements) if not any(map(_is_starred, elements)):
            return [Given(tuple(values(element, scope) for element in elements))]
        case ast.Dict(values=elements):
            return _either(elements, node, scope)
        case ast.Subscript(value=ast.Name() as table):
            return _looked_up(table, node.slice, scope)
        case ast.Call(func=counting, args=[_, *kinds]) if last_word(counting) == "counted":
            noun = texts(kinds[-1], scope)[0].value
            return [Given(f"{OPEN}N{CLOSE} {noun}{'' if len(kinds) > 1 else 's'}")]
        case ast.Call():
            return _called(node, scope)
        case ast.Name(id=name):
            return _named(name, scope, node)
    return [NOTHING]


def _after(found: Iterable[Given], choices: Choices) -> Iterator[Given]:
    yield from (each for given in found if (each := given.where(choices)) is not None)


def _either(each: list[ast.expr], node: ast.expr, scope: Scope) -> list[Given]:
    """The values of alternatives, each with its number as the choice."""
    return [given for at, one in enumerate(each) for given in _after(values(one, scope), {(node, scope.calls): at})]


def _first_true(each: list[ast.expr], node: ast.expr, scope: Scope) -> Iterator[Given]:
    """The values of ``one or another``: the other where the one is empty, or not known."""
    ways: list[Choices] = [{}]
    for at, one in enumerate(each):
        found = values(one, scope)
        for given in found:
            if given.value != "" or one is each[-1]:
                yield from (it for way in ways for it in _after([given], {**way, (node, scope.calls): at}))
        passed = [joint(way, given.choices) for given in found if not given.value for way in ways]
        ways = [way for way in passed if way is not None]


def _last_if_all(tests: list[ast.expr], last: ast.expr, scope: Scope) -> list[Given]:
    """The values of ``one and another``: the other where each one before it holds, and nothing where one does not."""
    found: list[Given] = []
    held: Choices = {}
    for one in tests:
        if (failed := joint(held, _tested(one, scope, taken=False))) is not None:
            found.append(Given("", failed))
        held = joint(held, _tested(one, scope, taken=True)) or held
    return [*_after(values(last, scope), held), *found]


def _looked_up(table: ast.Name, at: ast.expr, scope: Scope, otherwise: list[Given] | None = None) -> list[Given]:
    """The entries of a table, and what stands for the others; of what is no table, only a run knows."""
    key = (ast.unparse(at), scope.function, scope.calls)
    found: list[Given] = []
    keys: set[str] = set()
    for written in _tables(table, scope):
        for name, value in zip(written.keys, written.values, strict=True):
            known = ast.unparse(name) if name is not None else ""
            way = {key: Among(frozenset({known})), **dict(_prefixes(at, name, scope))}
            found += _after(values(value, scope.deeper()), way)
            keys.add(known)
    return [*found, *_after(otherwise or [], {key: Among(frozenset(keys), inside=False)})] or [NOTHING]


def _prefixes(at: ast.expr, name: ast.expr | None, scope: Scope) -> Iterator[tuple[Hashable, bool]]:
    """What the function's tests of how a key begins say of one key of a table."""
    for each in ast.walk(scope.function or scope.module.tree):
        match each, name:
            case (
                ast.Call(func=ast.Attribute(value=tested, attr="startswith"), args=[prefix]),
                ast.Constant(value=str() as text),
            ) if ast.unparse(tested) == ast.unparse(at):
                yield (ast.unparse(each), scope.function, scope.calls), text.startswith(ast.literal_eval(prefix))


def _tested(test: ast.expr, scope: Scope, *, taken: bool) -> Choices:
    """The choice that a test makes: the same for a test written twice, or the other way round."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return _tested(inner, scope, taken=not taken)
        case ast.BoolOp(op=operator, values=each) if isinstance(operator, ast.And) == taken:
            found: Choices = {}
            for one in each:
                found = joint(found, _tested(one, scope, taken=taken)) or found
            return found
        case ast.Compare(left=left, ops=[ast.NotEq() | ast.IsNot() | ast.NotIn() as other], comparators=[right]):
            opposite = {ast.NotEq: ast.Eq, ast.IsNot: ast.Is, ast.NotIn: ast.In}[type(other)]()
            return _tested(ast.Compare(left, [opposite], [right]), scope, taken=not taken)
        case ast.Compare(
            left=ast.Name() | ast.NamedExpr() as left, ops=[ast.Is()], comparators=[ast.Constant(value=None)]
        ):
            return _tested(left, scope, taken=not taken)
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant() as constant]):
            known = frozenset({ast.unparse(constant)})
        case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Set(elts) | ast.Tuple(elts)]):
            known = frozenset(map(ast.unparse, elts))
        case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Name() as table]) if _is_table(table, scope):
            known = frozenset(ast.unparse(key) for one in _tables(table, scope) for key in one.keys if key is not None)
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Name(id=name)]) if name in scope.module.constants:
            known = frozenset(ast.unparse(each) for each in scope.module.constants[name])
        case ast.NamedExpr(target=name):
            return _tested(name, scope, taken=taken)
        case ast.Name():
            left, known, taken = test, frozenset({"''"}), not taken
        case _:
            return {(ast.unparse(test), scope.function, scope.calls): taken}
    return {(ast.unparse(left), scope.function, scope.calls): Among(known, inside=taken)}


def way_to(node: ast.AST, scope: Scope) -> Choices:
    """The branches of the function that lead to a node: those around it, and those before it that leave."""
    choices: Choices = {}
    for each in _above(node, scope.module):
        parent = scope.module.parents[each]
        if isinstance(parent, ast.If) and each is not parent.test:
            choices = joint(_tested(parent.test, scope, taken=each in parent.body), choices) or choices
        elif isinstance(parent, ast.match_case) and each in parent.body:
            choices = {**choices, (scope.module.parents[parent], scope.calls): parent.pattern}
        elif isinstance(parent, ast.ExceptHandler):
            choices = {**choices, (scope.module.parents[parent], scope.calls): parent}
        for before in _before(each, parent):
            if isinstance(before, ast.If) and _leaves(before.body) and not before.orelse:
                choices = joint(_tested(before.test, scope, taken=False), choices) or choices
        if parent is scope.function:
            break
    return choices


def _before(node: ast.AST, parent: ast.AST) -> list[ast.stmt]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and node in block:
            return block[: block.index(node)]
    return []


def _leaves(block: list[ast.stmt]) -> bool:
    return isinstance(block[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


def _is_starred(node: ast.expr) -> bool:
    return isinstance(node, ast.Starred)


def _joined(parts: list[list[Given]]) -> list[Given]:
    while (most := max(parts, key=len, default=[])) and prod(map(len, parts)) > _MOST_OF_A_TEXT and len(most) > 1:
        parts[parts.index(most)] = [Given(f"{OPEN}…{CLOSE}")]
    found: list[Given] = [Given("")]
    for part in parts:
        found = [
            Given(f"{before.value}{each.value}", choices)
            for before in found
            for each in part
            if (choices := joint(before.choices, each.choices)) is not None
        ]
    return found


def _part(part: ast.expr, scope: Scope) -> list[Given]:
    if not isinstance(part, ast.FormattedValue):
        return texts(part, scope)
    found = values(part.value, scope)
    if not isinstance(part.value, ast.IfExp) and any(each.value is None for each in found):
        # One word in place of what only a run knows, such as `none`, is no message of its own.
        found = [each for each in found if each.value is None or " " in str(each.value)]
    known = [each for each in found if isinstance(each.value, str)]
    if not known or len({each.value for each in known}) > _MOST_IN_A_TEXT:
        return [Given(placeholder(part.value))]
    return [each if isinstance(each.value, str) else Given(placeholder(part.value), each.choices) for each in found]


def settled(text: str, choices: Choices) -> str:
    """A template with the constants in place of what the choices leave no other value for."""
    for key, option in choices.items():
        match key, option:
            case (str() as of, *_), Among(inside=True, constants=known) if len(known) == 1:
                constant = next(iter(known))
                if constant[:1].isdigit() or (constant[:1] == "'" and constant != "''"):
                    word = word_of(ast.parse(of, mode="eval").body)
                    text = text.replace(f"{OPEN}{word}{CLOSE}", str(ast.literal_eval(constant)))
    return text


def _is_table(name: ast.Name, scope: Scope) -> bool:
    return bool(_tables(name, scope))


def _tables(name: ast.Name, scope: Scope) -> list[ast.Dict]:
    return [value for value in scope.module.constants.get(name.id, []) if isinstance(value, ast.Dict)]


def _called(node: ast.Call, scope: Scope) -> list[Given]:
    if isinstance(node.func, ast.Attribute):
        if node.func.attr in {"format", "format_map"}:
            found = values(node.func.value, scope)
            return [
                replace(each, value=_formatted(each.value) if isinstance(each.value, str) else None) for each in found
            ]
        if node.func.attr == "get" and isinstance(node.func.value, ast.Name) and _is_table(node.func.value, scope):
            otherwise = values(node.args[1], scope) if node.args[1:] else [Given("")]
            return _looked_up(node.func.value, node.args[0], scope, otherwise)
        if node.func.attr == "items" and isinstance(node.func.value, ast.Name):
            pairs = [
                Given((values(key, scope.deeper()), values(value, scope.deeper())))
                for table in _tables(node.func.value, scope)
                for key, value in zip(table.keys, table.values, strict=True)
                if key is not None
            ]
            return [Given(tuple([pair] for pair in pairs))]
    match node:
        case ast.Call(func=ast.Name(id="next"), args=[ast.GeneratorExp(elt=one), other]):
            return _either([one, other], node, scope)
    name, of = last_word(node.func), scope.module
    if isinstance(node.func, ast.Attribute) and last_word(node.func.value) not in {"self", "cls"}:
        return [NOTHING]
    if name in of.imports and name not in of.functions:
        path, name = of.imports[name]
        of = module(path)
    returned: list[Given] = []
    for function in of.functions.get(name, []):
        bound = {
            parameter: values(argument, scope.deeper())
            for parameter in _parameters(function)
            if (argument := _argument(node, function, parameter)) is not None
        }
        inside = Scope(of, function, bound, scope.depth - 1, (*scope.calls, node))
        for each in ast.walk(function):
            if isinstance(each, ast.Return) and each.value is not None and of.around.get(each) is function:
                way = {**way_to(each, inside), (node, scope.calls): each}
                returned += _after(values(each.value, inside), way)
    return returned[:_MOST] or [NOTHING]


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


def assigned(name: str, scope: Scope, use: ast.expr) -> list[ast.expr]:
    """The expressions that can have given a name its value."""
    return [value for _, _, value, _ in _bindings(name, scope, use)]


def _bindings(name: str, scope: Scope, use: ast.expr) -> list[Giver]:
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
    while of.parents.get(node) is not None:
        yield node
        node = of.parents[node]


def _beside(node: ast.stmt, other: ast.AST, of: Module) -> bool:
    """Whether two statements are in one block."""
    return other in _block(node, of)


def _block(node: ast.AST, of: Module) -> list[ast.stmt]:
    blocks = (getattr(of.parents[node], each, None) for each in ("body", "orelse", "finalbody"))
    return next((block for block in blocks if isinstance(block, list) and node in block), [])


def _bound_by(giver: Giver, name: str, scope: Scope) -> list[Given]:
    """What an assignment or a loop gives a name; a loop's turn is a choice of its own."""
    node, target, value, is_loop = giver
    given = values(value, scope.deeper())
    if is_loop:
        given = [
            Given(one.value, {**one.choices, (node, scope.calls): at})
            for each in given
            for at, turn in enumerate(each.value if isinstance(each.value, tuple) else [[NOTHING]])
            for one in turn
        ]
    found: list[Given] = []
    for each in given:
        if isinstance(target, ast.Name):
            found.append(each)
        elif isinstance(target, ast.Tuple) and isinstance(each.value, tuple) and len(each.value) == len(target.elts):
            for part, ones in zip(target.elts, each.value, strict=True):
                if isinstance(part, ast.Name) and part.id == name:
                    found += _after(
                        ones, {**each.choices, (frozenset(names(target)), scope.function, scope.calls): node}
                    )
        else:
            found.append(Given(None, {**each.choices, (frozenset(names(target)), scope.function, scope.calls): node}))
    return found


def _named(name: str, scope: Scope, use: ast.expr) -> list[Given]:
    if name in scope.bound:
        return list(scope.bound[name])
    found: list[Given] = []
    places = _bindings(name, scope, use)
    here = (name, scope.function, scope.calls)
    for giver in places:
        given = _bound_by(giver, name, scope)
        for way in _not_written_over(giver, places, scope):
            ones = (Given(each.value, {("given", *here): giver[0], **each.choices}) for each in _after(given, way))
            found += [_known(each, here) for each in ones]
    if places:
        return found[:_MOST] or [NOTHING]
    if scope.function is not None and name in _parameters(scope.function):
        for call in scope.module.calls.get(scope.function.name, []):
            argument = _argument(call, scope.function, name)
            if argument is not None:
                there = Scope(scope.module, scope.module.around.get(call), depth=scope.depth - 2)
                found += _after(values(argument, there), {scope.function: call, **way_to(call, there)})
        return [_known(each, here) for each in found[:_MOST]] or [NOTHING]
    for constant in scope.module.constants.get(name, []):
        found += values(constant, Scope(scope.module, None, depth=scope.depth - 1))
    path, original = scope.module.imports.get(name, (scope.module.path, name))
    if not found and path != scope.module.path:
        return _named(original, Scope(module(path), None, depth=scope.depth - 1), use)
    return found or [NOTHING]


def _known(given: Given, name: Hashable) -> Given:
    """With the text that a name stands for as a choice, which tests of it agree with."""
    if not isinstance(given.value, str):
        return given
    known = Among(frozenset({"''"}), inside=False) if OPEN in given.value else Among(frozenset({repr(given.value)}))
    return Given(given.value, {name: known, **given.choices})


def _not_written_over(giver: Giver, others: list[Giver], scope: Scope) -> list[Choices]:
    """The ways to an assignment, and past the later ones that an ``if`` beside it makes."""
    node = giver[0]
    ways = [way_to(node, scope)]
    for other, *_ in others:
        around = scope.module.parents.get(other)
        if isinstance(around, ast.If) and other in around.body:
            tests = [around.test]
            while isinstance(above := scope.module.parents[around], ast.If) and around in above.orelse:
                around = above
                tests.insert(0, around.test)
            if around in _block(node, scope.module):
                ways = [joined for way in ways for past in _past(tests, scope) if (joined := joint(past, way))]
    return ways


def _past(tests: list[ast.expr], scope: Scope) -> Iterator[Choices]:
    """What leads past the last branch of an ``if``: none of its tests, or one of those before."""
    failed: Choices = {}
    for test in tests[:-1]:
        if (taken := joint(failed, _tested(test, scope, taken=True))) is not None:
            yield taken
        failed = joint(failed, _tested(test, scope, taken=False)) or failed
    if (none := joint(failed, _tested(tests[-1], scope, taken=False))) is not None:
        yield none
