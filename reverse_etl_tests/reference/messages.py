"""Every message of an error, found in the code: where an error of ``reverse_etl.errors`` is made or a file judged."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from inspect import getdoc
from typing import Final

from reverse_etl import errors
from reverse_etl_tests.reference.templates import (
    CLOSE,
    OPEN,
    PACKAGE,
    Function,
    Given,
    Scope,
    assigned,
    joint,
    last_word,
    module,
    names,
    settled,
    texts,
    way_to,
)

TYPED: Final = "A command that was typed wrongly"

CLASSES: Final = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.ReverseEtlError)
}

PAGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "messages-files.md": ("Messages about files", ("ConfigProblemsError",)),
    "messages-files-kinds.md": ("Messages about files, by kind of entry", ("ConfigProblemsError",)),
    "messages-configuration.md": (
        "Messages about configuration",
        ("ConfigError", "UnsetVariableError", "MissingDriverError", TYPED),
    ),
    "messages-source.md": ("Messages about databases", ("SourceError", "SourceUnavailableError", "QueryError")),
    "messages-destination.md": (
        "Messages about destinations",
        (
            "DestinationError",
            "UnauthorizedError",
            "DestinationUnavailableError",
            "CallsUsedUpError",
            "DestinationRefusedError",
        ),
    ),
    "messages-run.md": (
        "Messages about runs, state and alerts",
        ("CheckFailedError", "StateError", "WorkspaceBusyError", "AlertNotSentError", "ReverseEtlError"),
    ),
}
"""Each page: its title, and the kinds of errors it has."""

_ABOUT: Final = {
    "ConfigProblemsError": "Each is a line `file:line: key: message`; all problems of all files come at once.",
    "DestinationUnavailableError": "A message without a name of a destination is the cause that stands in another.",
    "SourceUnavailableError": "A message without a name of a database is the cause that stands in another.",
    "ReverseEtlError": "The base of all; nothing but its kinds is raised.",
    "SourceError": "The base of the others on this page.",
    "DestinationError": "The base of the others on this page.",
    TYPED: "Exit code 2. The command says which option it is about.",
}

_ROOMS: Final = {
    "cli": "commands",
    "config": "configuration",
    "defs": "Dagster",
    "errors": "all",
    "files": "files of the machine",
}
_OF_FILES: Final = ("config", "checks", "destinations", "sources", "notify", "shaping", "schedule")
_ABOUT_A_KEY: Final = ("is ", "must ", "needs ", "takes ", "unknown ")
"""How a short problem begins, in the code that hands it on without its line."""
_PLACES: Final = {"problem_at": 3, "problem_in_text": 4, "problem": 1, "problem_in": 2, "warn": 1, "warn_in": 2}
"""Functions that take the text of a file's problem, and its place among their arguments."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: the error's class, the part of the program it comes from, and templates of message and hint."""

    kind: str
    where: str
    text: str
    hint: str


@cache
def messages() -> tuple[Message, ...]:
    """Every message of the package, without doubles, by kind, place and words."""
    found = {
        Message(kind, _where(path.relative_to(PACKAGE).with_suffix("").parts), text, hint)
        for path in sorted(PACKAGE.rglob("*.py"))
        if "sandbox" not in path.relative_to(PACKAGE).parts
        for kind, text, hint in _of_module(Scope(module(path), None))
        if re.search(r"[a-z]{2}", _fixed(text)) and not text.startswith((",", ";", "in "))
    }
    hinted = {(each.kind, each.where, each.text) for each in found if each.hint}
    kept = [each for each in found if each.hint or (each.kind, each.where, each.text) not in hinted]
    return tuple(sorted(kept, key=lambda each: (each.kind, each.where, _plain(each.text).lower(), each.hint)))


def _where(parts: tuple[str, ...]) -> str:
    room, *rest = parts
    if room in {"sources", "destinations"} and rest:
        return f"{room}: {rest[0].strip('_').replace('_', ' ')}"
    if room in {"checks", "notify", "config"} and rest and rest[-1] != "__init__":
        return f"{_ROOMS.get(room, room)}: {rest[-1].strip('_').replace('_', ' ')}"
    return _ROOMS.get(room, room)


def _of_module(scope: Scope) -> Iterator[tuple[str, str, str]]:
    of_config = scope.module.path.parent.name == "config"
    for node in ast.walk(scope.module.tree):
        if not isinstance(node, ast.Call | ast.Return | ast.Yield | ast.Raise):
            continue
        inside = Scope(scope.module, scope.module.around.get(node))
        if isinstance(node, ast.Call):
            for kind, text, hint in _made(node, inside):
                yield from ((kind, *pair) for pair in _pairs(node, text, hint, inside))
        elif isinstance(node, ast.Yield) and _yields_misfits(inside.function):
            match node.value:
                case ast.Tuple(elts=[_, text]):
                    yield from (("ConfigProblemsError", *pair) for pair in _pairs(node, text, None, inside))
        if of_config:
            for text in filter(_is_sentence, _handed_on(node)):
                for words, _ in _pairs(node, text, None, inside):
                    if _fixed(words).count(" ") > 1 or words.startswith(_ABOUT_A_KEY):
                        yield "ConfigProblemsError", words, ""


def _fixed(text: str) -> str:
    return re.sub(rf"{OPEN}[^{CLOSE}]*{CLOSE}", "", text)


def _handed_on(node: ast.AST) -> list[ast.expr]:
    """What a function of ``config`` returns, yields or adds to a list: the way of problems whose line comes later."""
    match node:
        case ast.Return(value=ast.expr() as given) | ast.Yield(value=ast.expr() as given):
            pass
        case ast.Raise(exc=ast.Call(func=ast.Name(id=name)) as given) if name not in {*CLASSES, "ValueError"}:
            pass
        case ast.Call(func=ast.Attribute(attr="append"), args=[given]):
            pass
        case _:
            return []
    return list(_parts(given))


def _parts(given: ast.expr) -> Iterator[ast.expr]:
    yield given
    match given:
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Call(func=ast.Name(), args=parts):
            for part in parts:
                yield from _parts(part)


def _is_sentence(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Subscript(), attr="format_map")):
            return True
        case ast.Constant() | ast.JoinedStr() | ast.BinOp() | ast.IfExp():
            parts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
            return "".join(each for each in parts if isinstance(each, str)).count(" ") > 0
    return False


def _yields_misfits(function: Function | None) -> bool:
    returned = ast.unparse(function.returns) if function is not None and function.returns is not None else ""
    return "Misfit" in returned or (function is not None and function.name == "misfits")


def _made(node: ast.Call, scope: Scope) -> Iterator[tuple[str, ast.expr, ast.expr | None]]:
    """The kinds of errors that a call makes, with the expressions of the message and the hint."""
    name, room = last_word(node.func), scope.module.path.relative_to(PACKAGE).parts[0]
    hint = next((each.value for each in node.keywords if each.arg == "hint"), None)
    if scope.function is not None and scope.function.name in _PLACES:
        return
    if name in _PLACES and len(node.args) > _PLACES[name]:
        yield "ConfigProblemsError", node.args[_PLACES[name]], None
    elif name == "Problem" and room == "config" and len(node.args) > 3:
        yield "ConfigProblemsError", node.args[3], None
    elif name == "Problem" and room in {"sources", "destinations"} and len(node.args) > 1:
        yield _unavailable(room), node.args[0], node.args[1]
    elif name == "ValueError" and room in _OF_FILES and node.args:
        yield "ConfigProblemsError", node.args[0], None
    elif name == "BadParameter" and node.args:
        yield TYPED, node.args[0], None
    elif name == "TryAgain" and node.args:
        yield _unavailable(room), node.args[0], hint
    elif node.args and not isinstance(node.args[0], ast.Starred):
        yield from ((kind, node.args[0], hint) for kind in _kinds(name, node, scope))


def _unavailable(room: str) -> str:
    return "SourceUnavailableError" if room == "sources" else "DestinationUnavailableError"


def _kinds(name: str, made: ast.Call, scope: Scope) -> Iterator[str]:
    """The classes that a name is: itself, one derived from it, or those that a function's variable can be."""
    if name in CLASSES:
        yield CLASSES[name].__name__
    for base in scope.module.bases.get(name, []):
        if (word := last_word(base)) in CLASSES:
            yield CLASSES[word].__name__
    for value in assigned(name, scope, made.func):
        yield from sorted(CLASSES[word].__name__ for word in names(value) & CLASSES.keys())


def _pairs(made: ast.AST, text: ast.expr, hint: ast.expr | None, scope: Scope) -> Iterator[tuple[str, str]]:
    """Templates of message and hint, wherever the choices that lead to both agree."""
    way = way_to(made, scope)
    hints = texts(hint, scope) if hint is not None else [Given("")]
    for each in texts(text, scope):
        choices = joint(each.choices, way)
        for one in hints if choices is not None else []:
            both = joint(one.choices, choices or {})
            if both is not None:
                yield settled(str(each.value), both), settled(str(one.value), both)


def _plain(text: str) -> str:
    text = re.sub(rf"{CLOSE}{OPEN}[^{CLOSE}]*{CLOSE}", "…", text)
    return " ".join(text.replace(OPEN, "").replace(CLOSE, "").split())


_CODE: Final = re.compile(r"`[^`]+`|\$?\{\{?[^{}`]*\}?\}")
_ESCAPED: Final = {"\\": "\\\\", "`": "\\`", "*": "\\*", "[": "\\[", "]": "\\]", "{": "\\{", "}": "\\}"}
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;", "~": "&#126;"}


def shown(text: str) -> str:
    """A template as Markdown of a table's cell, which GitHub and the site show alike; its code stays code."""
    text, made, at = _plain(text), "", 0
    for code in _CODE.finditer(text):
        if "|" in code.group():
            continue
        made += _escaped(text[at : code.start()]) + f"`{code.group().strip('`')}`"
        at = code.end()
    return made + _escaped(text[at:])


def _escaped(text: str) -> str:
    return re.sub(r"(?<!\w)_|_(?!\w)", lambda found: f"\\{found.group()}", "".join(map(_character, text)))


def _character(each: str) -> str:
    return _ESCAPED.get(each) or _ENTITIES.get(each, each)


def finds(said: str, kind: str) -> bool:
    """Whether a message that was really given is one of those that are listed."""
    return any(pattern.fullmatch(said) for pattern in _patterns(kind))


@cache
def _patterns(kind: str) -> tuple[re.Pattern[str], ...]:
    parts = (re.split(f"{OPEN}[^{CLOSE}]*{CLOSE}", each.text) for each in messages() if each.kind == kind)
    return tuple(re.compile(".*".join(map(re.escape, each)), re.DOTALL) for each in parts)


def _on(file: str) -> list[Message]:
    """The messages of a page; those about what every file can have are on a page of their own."""
    common = {"messages-files.md": True, "messages-files-kinds.md": False}.get(file)
    _, kinds = PAGES[file]
    found = [each for each in messages() if each.kind in kinds]
    return [each for each in found if common is None or each.where.startswith("configuration") == common]


def index() -> list[str]:
    """The page that leads to the others."""
    lines = [
        "# Every message",
        "",
        "Every message of an error that reverse-etl has, with what to do next. You find one by its words: search this",
        "site, or these pages. A word in capitals, or `…`, stands for a name or number of yours. What a database or a",
        "service says itself is not here: it stands behind the words that are. Where the next step depends on the",
        "case, a message has a row for each case.",
        "",
        "| page | errors | exit code | messages |",
        "|---|---|---|---|",
    ]
    for file, (title, kinds) in PAGES.items():
        codes = sorted({CLASSES[kind].exit_code if kind in CLASSES else 2 for kind in kinds})
        listed = ", ".join(f"`{kind}`" if kind in CLASSES else kind.lower() for kind in kinds)
        lines.append(f"| [{title}]({file}) | {listed} | {', '.join(map(str, codes))} | {len(_on(file))} |")
    return [*lines, "", "What a kind of error means, with an example: [errors and exit codes](errors.md)."]


@cache
def page(file: str) -> list[str]:
    """One of ``PAGES``."""
    title, kinds = PAGES[file]
    lines = [f"# {title}", "", "What these pages are, and what `…` stands for: [every message](messages.md)."]
    for kind in kinds:
        lines += ["", f"## {kind}", ""]
        if kind in CLASSES:
            meaning = " ".join((getdoc(CLASSES[kind]) or "").split("\n\n")[0].split())
            lines.append(f"Exit code {CLASSES[kind].exit_code}. {shown(meaning)}")
        lines += [_ABOUT[kind]] if kind in _ABOUT else []
        found = [each for each in _on(file) if each.kind == kind]
        for where in dict.fromkeys(each.where for each in found):
            here = [each for each in found if each.where == where]
            lines += ["", f"### {kind}, {where}" if kind in CLASSES else f"### {where.capitalize()}", ""]
            hints = any(each.hint for each in here)
            lines += ["| message | what to do |", "|---|---|"] if hints else ["| message |", "|---|"]
            rows = (f"| {shown(each.text)} |" + (f" {shown(each.hint)} |" if hints else "") for each in here)
            lines += list(dict.fromkeys(rows))
    return lines
