"""Customer.io's words about an item, made fit to be kept: short, on one line, without any row's values.

A message is not searched for values, which it may spell in any way. It keeps what is known to be no value: words of a
fixed list (``words``), names of the API and of the sync's columns, and the API's own limits. All else is masked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from threading import Lock
from typing import Final

from reverse_etl.destinations.base import Refusal, refusals_of
from reverse_etl.destinations.customerio.echoes import echoes
from reverse_etl.destinations.customerio.words import API_NAMES, LIMITS, REASONS, UNITS, WORDS

MOST_CHARACTERS: Final = 300
_MOST_REASON_CHARACTERS: Final = 60
_MOST_FIELD_CHARACTERS: Final = 200
_MOST_READ_CHARACTERS: Final = 2_000
_MOST_REMEMBERED: Final = 10_000

_MASK: Final = "…"
_OPENING, _CLOSING = "([{<", ")]}>.,;:!?"
_QUOTES: Final = frozenset("\"'`")
_ENDS: Final = ".,;:"
_BETWEEN: Final = {"": "", "\n": "\n"}
"""What is between the pieces of several messages."""
_AROUND: Final = f"{_OPENING}{_CLOSING}\"'`\\"
_QUOTED: Final = re.compile(r"""(?<![\w\\])(\\*["'`])(?:(.*?)(?<!\\)\1(?!\w)|.*)""")
"""In quotes, or from a quote on that is never closed."""

_OTHER_QUOTES: Final = str.maketrans("“”„«»‘’‚‹›′″", '"""""' + "'''''" + "'\"")

_INNER, _LIMIT, _OPEN = "\x01", "\x02", "\x03"
"""A blank inside a name, what is before a number that may be a limit, a quote that a later word closes."""

_LIMITED: Final = re.compile(rf"(?<=HTTP ){_LIMIT}(207|400|413)\b|{_LIMIT}([0-9,]+)(?= (?:{'|'.join(UNITS)})\b)")
_NO_LIMIT: Final = re.compile(rf"{_LIMIT}[0-9,]+")
_STATUSES: Final = frozenset({"207", "400", "413"})
_HEADS: Final = API_NAMES | LIMITS | _STATUSES
"""What a piece that is no word begins with, up to a dot or bracket, where any of it is known; and so do columns."""

_CODE: Final = re.compile(r"[a-z]+(?:_[a-z]+)*")
_PARTS: Final = re.compile(
    r"(?:(?:attributes|cio_relationships(?:\[0\])?|device|identifiers|primary|relationship_attributes|secondary)\.)*"
)


def shortened(text: object, most_characters: int = MOST_CHARACTERS) -> str:
    """Printable text on one line; empty for anything but text."""
    if not isinstance(text, str):
        return ""
    line = " ".join(_printable(text[: 4 * most_characters]).split())
    return line if len(line) <= most_characters else line[: most_characters - 1] + _MASK


class Masking:
    """What may be shown of the answers to one sync's requests."""

    def __init__(self, columns: Iterable[str] = ()) -> None:
        self._columns: set[str] = set()
        self._known = _Known(self._columns)
        self._field = lru_cache(maxsize=256)(self._shown_field)
        # Rows are encoded in another thread than the one that reads answers.
        self._changing = Lock()
        self.add_columns(columns)

    def add_columns(self, columns: Iterable[str]) -> None:
        """Takes the names of columns for no values."""
        added = {name for name in columns if any(map(str.isalpha, name))} - self._columns
        if added:
            with self._changing:
                self._columns |= added
                self._known.take(added)
                self._field.cache_clear()

    def refusals(self, refusals: Sequence[Refusal], items: Sequence[bytes]) -> list[Refusal]:
        """The refusals of an answer, with texts that are short, on one line, and without a value of any row.

        Args:
            refusals: Their texts are Customer.io's, whole; any may be empty.
            items: Those of the request, as they were sent: valid JSON.
        """
        if not refusals:
            return []
        with self._changing:
            return self._masked(refusals, items)

    def _masked(self, refusals: Sequence[Refusal], items: Sequence[bytes]) -> list[Refusal]:
        reasons, fields, messages = zip(*(refusal.why for refusal in refusals), strict=True)
        shown_messages = self._shown(set(messages))
        shown_reasons = self._shown_reasons(set(reasons))
        apart = {*shown_messages.values(), *shown_reasons.values()}
        echoed = echoes([tuple(map(_word, text.split())) for text in apart], items)
        fit = {text: _fit(text, echoed) for text in apart}
        message_of = {message: fit[shown] for message, shown in shown_messages.items()}
        reason_of = {reason: fit[shown][:_MOST_REASON_CHARACTERS] for reason, shown in shown_reasons.items()}
        reason_of |= {reason: reason for reason in REASONS}
        field_of = {field: self._field(field) for field in set(fields)}
        if all(text == kept for each in (message_of, reason_of, field_of) for text, kept in each.items()):
            return [*refusals]
        return refusals_of(
            [refusal.place for refusal in refusals],
            map(reason_of.__getitem__, reasons),
            map(field_of.__getitem__, fields),
            map(message_of.__getitem__, messages),
        )

    def _shown(self, texts: Collection[str]) -> dict[str, str]:
        """Each text with all masked that is not known, together to be fast; blanks inside names are still marked."""
        together = "\n".join(texts)
        if len(together) > _MOST_READ_CHARACTERS and max(map(len, texts)) > _MOST_READ_CHARACTERS:
            together = "\n".join(map(_beginning, texts))
        if "  " in together or together.count("\n") >= len(texts) or not together.replace("\n", "").isprintable():
            together = "\n".join(" ".join(_printable(_beginning(text)).split()) for text in texts)
        if not together.isascii():
            together = together.translate(_OTHER_QUOTES)
        kept = self._known_of(together)
        if _OPEN in kept:
            kept = self._known_of(_QUOTED.sub(self._quoted, together)).replace(_OPEN, _MASK)
        if _LIMIT in kept:
            kept = _NO_LIMIT.sub(_MASK, _LIMITED.sub(r"\1\2", kept))
        return dict(zip(texts, _merged(kept).split(" \n "), strict=True))

    def _known_of(self, together: str) -> str:
        pieces = together.replace("\n", " \n ").split(" ")
        return " ".join(map(self._known.__getitem__, pieces))

    def _quoted(self, found: re.Match[str]) -> str:
        quote, text = found[1][-1], found[2] or ""
        return f"{quote}{text.replace(' ', _INNER) if text in self._columns else _MASK}{quote}"

    def _shown_reasons(self, reasons: set[str]) -> dict[str, str]:
        codes = {reason for reason in reasons if _CODE.fullmatch(reason) and WORDS.issuperset(reason.split("_"))}
        others = reasons - codes
        return {code: code for code in codes} | (self._shown(others) if others else {})

    def _shown_field(self, field: str) -> str:
        return shortened(_path(field, self._columns), _MOST_FIELD_CHARACTERS)


class _Known(dict[str, str]):
    """What is shown of each piece of a message that has no blank in it."""

    def __init__(self, columns: set[str]) -> None:
        super().__init__()
        self._columns = columns
        self._heads = _HEADS
        self.update(_BETWEEN)

    def take(self, columns: set[str]) -> None:
        """Forgets what was known without some columns."""
        self._heads |= {_head(name) for name in columns}
        self.clear()
        self.update(_BETWEEN)

    def __missing__(self, piece: str) -> str:
        bare = piece.strip(_AROUND)
        is_quoted = "'" in piece or '"' in piece or "`" in piece
        # Nearly all pieces that are no words end here: each row may have one of its own.
        if not is_quoted and bare not in WORDS and bare.partition(".")[0].partition("[")[0] not in self._heads:
            return _MASK + _end(piece) if piece[-1] in _ENDS else _MASK
        core = piece.lstrip(_OPENING).rstrip(_CLOSING)
        at = piece.find(core)
        before, after = piece[:at], piece[at + len(core) :]
        shown = self._shown(core) if core and ".." not in after else _MASK
        if shown.endswith(_MASK):
            return shown + _end(piece)
        shown = f"{before}{shown}{after}"
        if len(self) < _MOST_REMEMBERED and _MASK not in shown:
            self[piece] = shown
        return shown

    def _shown(self, core: str) -> str:
        if core in WORDS:
            return core
        if core in LIMITS or core in _STATUSES:
            return _LIMIT + core
        bare = core.lstrip("\\")
        if bare[:1] in _QUOTES:
            inner = bare[1:-1].rstrip("\\")
            if len(bare) < 2 or bare[-1] != bare[0]:
                return _OPEN
            name = inner.replace(_INNER, " ")
            is_name = name in self._columns or _path(name, self._columns) == name
            return f"{bare[0]}{inner if is_name else _MASK}{bare[0]}"
        if any(quote in core for quote in _QUOTES) and _QUOTED.search(core):
            return _OPEN
        return _path(core, self._columns)


def _path(text: str, columns: set[str]) -> str:
    """A name of the API's or of a column, with the parts of an item before it; what else it has is masked."""
    found = _PARTS.match(text)
    start = found.end() if found else 0
    name = text[start:]
    if name in columns or name in API_NAMES or not text:
        return text
    inner = [at for at, c in enumerate(name) if c in ".[" and name[:at] in columns]
    return f"{text[:start]}{name[: inner[-1]]}.{_MASK}" if inner else text[:start] + _MASK


def _head(name: str) -> str:
    return name.split(".", 1)[0].split("[", 1)[0]


def _beginning(text: str) -> str:
    """A text as far as it is read; its last word, where it is cut, is masked."""
    return text if len(text) <= _MOST_READ_CHARACTERS else f"{text[:_MOST_READ_CHARACTERS].rpartition(' ')[0]} {_MASK}"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _word(piece: str) -> str:
    """A piece of what is shown as it may be in a row; empty where it is masked or a number."""
    word = piece.strip(_AROUND).replace(_INNER, " ").lower()
    return "" if _MASK in word or word[:1].isdigit() else word


def _fit(text: str, echoed: frozenset[str]) -> str:
    """What is shown, short and without words that are values of the request."""
    if echoed:
        text = _merged(" ".join(_MASK + _end(piece) if _word(piece) in echoed else piece for piece in text.split()))
    return shortened(text.replace(_INNER, " "))


def _end(piece: str) -> str:
    """What ends a clause after a piece that is masked; where it ends an escape of HTML, it does not."""
    return piece[-1] if piece[-1] in _ENDS and piece[-2:] != ".." and "&" not in piece else ""


def _merged(text: str) -> str:
    while f"{_MASK} {_MASK}" in text:
        text = text.replace(f"{_MASK} {_MASK}", _MASK)
    return text
