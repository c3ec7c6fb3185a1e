"""Tests of ClickHouse as a destination."""
