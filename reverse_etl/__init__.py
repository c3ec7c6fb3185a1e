"""Reverse ETL on Dagster: rows from your databases, into Customer.io, each one accounted for.

The folders are the way the data goes: ``config`` (what was asked for), ``sources`` (where rows come from),
``changeset`` (what one run read), ``checks`` (which rows may leave), ``destinations`` (how a row is said),
``delivery`` (sending), ``state`` (what is remembered), ``schedule`` (when), ``defs`` (Dagster).
"""

__version__ = "0.1.0"
