"""Questions at a terminal, on stderr: what does not fit is asked for again."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from getpass import getpass
from typing import TYPE_CHECKING, Final

from reverse_etl.cli import words
from reverse_etl.cli.init_tables import chosen
from reverse_etl.cli.tables import say

if TYPE_CHECKING:
    from reverse_etl.config.model import YamlModel


_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


def write(sentence: str, *, end: str = "\n") -> None:
    """A sentence for the person who is asked."""
    say(words.console(stderr=True), sentence, indent="  ", end=end)


def variables_of(config: YamlModel) -> list[str]:
    """The environment variables that an entry names."""
    from reverse_etl.config.environment import EnvText, Secret

    values = (getattr(config, name) for name in type(config).model_fields)
    templates = (value.template for value in values if isinstance(value, Secret | EnvText))
    return [name for template in templates for name in _VARIABLE.findall(template)]


@dataclass(slots=True)
class Terminal:
    """The person at the terminal.

    Attributes:
        variables: The environment variables that answers named, in order.
    """

    variables: list[str] = field(default_factory=list)

    def text(self, question: str, default: str | None = None) -> str:
        """An answer; an empty one is the default; where there is none it is asked for again, with a word about it."""
        while True:
            write(f"{question} ({default}):" if default else f"{question}:", end=" ")
            answer = input().strip() or default
            if answer is not None:
                return answer
            write("An answer is needed here: there is no default.")

    def texts(self, question: str, default: str | None = None) -> list[str]:
        """Texts with commas between them."""
        while True:
            found = [part.strip() for part in self.text(question, default).split(",") if part.strip()]
            if found or default == "":
                return found

    def named(self, question: str, names: Sequence[str], what: str) -> str:
        """One of some names, which are shown; any text where there are none, or with a dot."""
        from reverse_etl.config.problems import did_you_mean

        if names:
            write(f"{what}: {', '.join(names)}")
        while names and (answer := self.text(question)) not in names and "." not in answer:
            write(f"There is no {answer}{did_you_mean(answer, names, otherwise='there are')}")
        return answer if names else self.text(question)

    def tell(self, sentence: str) -> None:
        """Says something."""
        write(sentence)

    def choice(self, question: str, choices: Sequence[str], default: str | None = "") -> str:
        """One of some words."""
        default = choices[0] if default == "" else default
        while (answer := self.text(f"{question}: {', '.join(choices)}", default)) not in choices:
            write(f"Type one of these: {', '.join(choices)}.")
        return answer

    def name(self, question: str, default: str) -> str:
        """A name that a sync, a database or a destination can have."""
        from reverse_etl.config.loader import name_problem

        while problem := name_problem(name := self.text(question, default)):
            write(f"{name}: {problem}.")
        return name

    def one_of(
        self,
        question: str,
        known: Iterable[str],
        what: str,
        *,
        default: str | None = None,
        problem: Callable[[str], str] = lambda _: "",
    ) -> str:
        """A table or column that exists, or an expression; ``problem`` says what is wrong with one, or nothing."""
        from reverse_etl.config.problems import did_you_mean

        names = list(known)
        if what == "table" and names:
            write(f"Tables: {', '.join(names)}")
        while True:
            answer = self.text(question, default)
            found = chosen(answer, names) if answer else ""
            if found is not None:
                if not (wrong := problem(found)):
                    return found
                write(wrong)
                continue
            write(f"There is no {what} {answer}{did_you_mean(answer, names, otherwise='there are')}")

    def note_unset(self, *configs: YamlModel) -> None:
        """Notes, for the last steps, the variables that entries name and that the environment does not have."""
        for config in configs:
            self.variables += [each for each in variables_of(config) if not os.environ.get(each)]

    def unset_secrets(self, config: YamlModel) -> None:
        """Asks for the secrets of an entry that the environment does not have: for this process, and kept nowhere.

        Without a terminal that hides what is typed, or when nothing is typed, the variable stays unset: whatever
        needs it then fails with the variable's name.
        """
        from reverse_etl.config.environment import Secret

        for value in (getattr(config, name) for name in type(config).model_fields):
            if isinstance(value, Secret) and not os.environ.get(variable := value.template[2:-1]):
                if not sys.stdin.isatty():
                    return
                write(f"{variable} is not set: type it to list the tables now, it is not kept; Enter: go on without:")
                if typed := getpass("  "):
                    os.environ[variable] = typed

    def secret(self, *parts: str) -> str:
        """A reference to an environment variable, noted for the last steps; nothing is asked."""
        name = "_".join(parts).upper()
        self.variables.append(name)
        return f"${{{name}}}"
