"""The 48 cases that every database destination passes, or says why not: which tests are about each of them.

A test is found by its name: in the engine's own modules, the suites that they subclass included; in ``test_fit``, which
is for all of them; among the fault families for tables, once the engine is one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Case:
    """One of them.

    Attributes:
        what: What happens.
        tests: Names of tests; an engine has at least one of them.
        absent: Why an engine has none, by its name.
    """

    what: str
    tests: tuple[str, ...]
    absent: dict[str, str] = field(default_factory=dict)


def _case(what: str, *tests: str, **absent: str) -> Case:
    return Case(what, tests, absent)


_BEGINS: Final = "test_what_the_table_does_not_have_is_named_before_the_run"
_TYPE: Final = "test_values_of_a_type_arrive_and_are_no_change_again"
_TAKES: Final = "test_what_a_table_cannot_take_is_refused_before_the_run"
_BAD: Final = "test_exactly_the_bad_rows_are_refused"
_NO_TRIGGERS: Final = "it has no triggers that leave a row out"

CASES: Final = {
    1: _case("new rows arrive", "test_new_rows_arrive"),
    2: _case("a second run changes nothing", "test_a_second_run_touches_nothing"),
    3: _case("one changed column updates one row", "test_one_changed_column_updates_one_row"),
    4: _case("columns that are not mapped keep their values", "test_columns_of_others_keep_their_values"),
    5: _case("update_only never inserts", "test_update_only_never_adds"),
    6: _case("add_only never updates", "test_add_only_never_updates"),
    7: _case("NULL and '' stay apart", "test_null_and_empty_text_stay_apart"),
    8: _case("ignored empty values", "test_empty_values_that_are_ignored_keep_what_is_there"),
    9: _case("a key missing, NULL or twice", "test_a_missing_key_is_rejected"),
    10: _case("a key twice in the table", "test_a_key_that_several_rows_have_is_refused"),
    11: _case("a key of several columns", "test_a_key_of_several_columns"),
    12: _case("no unique index", "test_without_a_unique_index_rows_are_found_all_the_same"),
    13: _case(
        "another row's unique value",
        "test_a_unique_value_of_another_row_is_refused",
        clickhouse="it has no unique columns",
    ),
    14: _case("unique values that are swapped", "test_rows_that_swap_unique_values_have_outcomes_that_are_true"),
    15: _case("integers at their limits", "test_numbers_at_the_limits_of_their_columns"),
    16: _case("decimals at their limits", "test_decimals_keep_every_digit"),
    17: _case(
        "floats that are no numbers",
        "test_floats_that_are_no_numbers",
        "test_not_a_number_is_the_same_again",
    ),
    18: _case("texts at their longest", "test_texts_at_their_longest"),
    19: _case("texts of any characters", "test_texts_arrive_character_by_character"),
    20: _case("booleans", "test_booleans"),
    21: _case("far dates", "test_dates_from_the_first_year_to_the_last", "test_dates_and_times"),
    22: _case("date-times and zones", "test_dates_and_times"),
    23: _case("JSON", "test_json"),
    24: _case("arrays and the like", _TAKES, _TYPE, "test_what_cannot_be_written_is_named_before_the_run"),
    25: _case("enums", _TYPE, snowflake="it has none"),
    26: _case("UUIDs", _TYPE, snowflake="they are texts"),
    27: _case(
        "binary values", "test_a_binary_value_is_refused_with_its_columns_name", "test_values_that_do_not_fit_are_named"
    ),
    28: _case(
        "columns that refuse values",
        _TAKES,
        "test_a_table_that_cannot_take_the_rows_is_refused",
        "test_what_cannot_be_written_is_named_before_the_run",
    ),
    29: _case("a needed column that is missing", "test_a_column_that_needs_a_value_is_named_before_the_run"),
    30: _case("an unknown column", _BEGINS),
    31: _case("names that need quotes", "test_names_that_need_quotes", "test_any_name_is_a_name"),
    32: _case("any subset of bad rows", _BAD),
    33: _case(
        "a deferred constraint",
        "test_a_deferred_constraint_fails_its_rows_alone",
        **dict.fromkeys(("mysql", "clickhouse", "snowflake"), "it has none that are enforced"),
    ),
    34: _case(
        "a row that a trigger swallows",
        "test_a_row_that_a_trigger_swallows_is_noticed",
        "test_rows_that_are_not_there_afterwards_are_refused",
        **dict.fromkeys(("mysql", "clickhouse"), _NO_TRIGGERS),
    ),
    35: _case("all rows bad", "test_when_all_rows_are_bad_each_has_its_reason"),
    36: _case(
        "a connection cut at any byte, and at COMMIT",
        "table_connections_cut",
        "warehouse_connections_cut",
        "test_a_connection_that_is_cut_anywhere_loses_and_doubles_nothing",
        "test_a_connection_that_is_cut_loses_and_doubles_nothing",
    ),
    37: _case(
        "kill -9, then resume",
        "table_writer_killed",
        "warehouse_writer_killed",
        "test_a_run_after_kill_9_writes_only_the_rest",
        "test_rows_are_there_once_after_the_end_of_the_process",
    ),
    38: _case(
        "a server that restarts; a failover to one that reads",
        "table_server_restarts",
        "warehouse_server_restarts",
        "table_server_only_reads",
        "test_trouble_of_the_server_is_tried_again",
        "test_trouble_is_tried_again",
    ),
    39: _case(
        "a deadlock, and a lock that is waited for",
        "table_locked_by_another",
        clickhouse="it locks no rows",
        snowflake="its counterpart locks nothing",
    ),
    40: _case(
        "rights: each that is missing, and the least",
        "test_a_right_that_is_missing_is_named_before_the_run",
        "test_each_right_that_is_missing_is_named",
    ),
    41: _case(
        "wrong password, host, TLS name; no TLS",
        "test_a_connection_that_cannot_be_made_says_why",
        "test_each_failure_of_a_login_has_its_sentence",
        "test_the_step_that_fails_is_the_last",
    ),
    42: _case(
        "a mirror deletes what left",
        "test_rows_that_are_gone_are_deleted",
        "test_rows_are_compared_and_deleted",
        "test_gone_rows_are_deleted_and_texts_read",
    ),
    43: _case(
        "a mirror and its limits",
        "test_a_column_deleted_deletes_rows",
        "test_rows_that_are_gone_are_deleted",
        "test_rows_are_compared_and_deleted",
    ),
    44: _case(
        "the plan is what the run did",
        "test_rows_that_are_gone_are_deleted",
        "test_a_second_run_touches_nothing",
    ),
    45: _case("memory is flat", "test_memory_is_flat"),
    46: _case("no value in messages", "test_no_message_holds_a_rows_value", "test_no_log_line_holds_a_rows_value"),
    47: _case(
        "settings of the server or the user",
        "test_settings_of_the_user_do_not_matter",
        "test_settings_of_the_server_do_not_matter",
    ),
    48: _case(
        "nothing is left behind",
        "test_nothing_is_left_behind",
        "table_writer_killed",
        clickhouse="it makes no temporary objects",
    ),
}
"""By their number."""
