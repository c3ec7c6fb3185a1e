"""Functions that do more than read this database: they reach other servers or files, run text, or change something.

Servers refuse most of them to a user who can only read; here they are found by name before a server is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlglot import Token

_ELSEWHERE: Final = "which reaches other servers or files"
_TEXT: Final = "which runs text that cannot be checked"
_CHANGES: Final = "which changes or locks something"

_POSTGRES: Final = (
    (r"dblink\w*|pg_read_\w+|pg_ls_\w+|pg_stat_file|lo_(?:import|export)", _ELSEWHERE),
    (r"(?:query|cursor)_to_xml\w*", _TEXT),
    (r"nextval|setval|set_config|lo_(?:creat|create|unlink|put|from_bytea|truncate\w*)|lowrite", _CHANGES),
    (r"pg_(?:try_)?advisory_\w+|pg_(?:terminate|cancel)_backend|pg_reload_conf|pg_rotate_\w+", _CHANGES),
    (r"pg_notify|pg_switch_wal|pg_promote|pg_(?:create|drop|copy)_\w+|pg_replication_\w+", _CHANGES),
    (r"pg_logical_\w+|pg_(?:start|stop)_backup|pg_backup_\w+|pg_wal_replay_\w+", _CHANGES),
)
_FUNCTIONS: Final = {
    "postgres": _POSTGRES,
    "redshift": _POSTGRES,
    "mysql": (
        (r"load_file|sys_exec|sys_eval", _ELSEWHERE),
        (r"nextval|setval|get_lock|release_lock|release_all_locks", _CHANGES),
    ),
    "tsql": ((r"openquery|openrowset|opendatasource", _ELSEWHERE),),
    "bigquery": ((r"external_query", _ELSEWHERE),),
    # Of Snowflake's system functions these only read or wait; others cancel, send, resume.
    "snowflake": ((r"system\$(?!typeof|last_change|stream_|clustering_|estimate_|get_|list_|wait)\w+", _CHANGES),),
    "sqlite": ((r"load_extension|readfile|writefile|edit|fts3_tokenizer", _ELSEWHERE),),
}
_COMPILED: Final = {
    dialect: tuple((re.compile(names, re.IGNORECASE), what) for names, what in groups)
    for dialect, groups in _FUNCTIONS.items()
}
_SEQUENCE: Final = {"tsql", "mysql", "snowflake"}


def function_problems(tokens: Sequence[Token], dialect: str) -> Iterator[tuple[int, str]]:
    """Calls that a query may not make, each as its line (from 1) and a sentence."""
    from sqlglot import TokenType

    for token, following in pairwise(tokens):
        if following.token_type != TokenType.L_PAREN or token.token_type == TokenType.STRING:
            continue
        for names, what in _COMPILED.get(dialect, ()):
            if names.fullmatch(token.text):
                yield token.line, f"must only read this database, but calls {token.text.upper()}, {what}"
    words = [token.text.upper() for token in tokens] if dialect in _SEQUENCE else []
    for at, word in enumerate(words):
        takes_next = word in ("NEXT", "NEXT VALUE FOR") and " ".join(words[at : at + 3]).startswith("NEXT VALUE FOR")
        if takes_next or (dialect == "snowflake" and word == "NEXTVAL" and words[at - 1 : at] == ["."]):
            yield tokens[at].line, "must only read this database, but takes the next value of a sequence"
