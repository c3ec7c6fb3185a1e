"""Tests of the connections that services are reached through."""
