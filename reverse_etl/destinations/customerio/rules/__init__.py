"""The built-in rules of rows that become people, objects, relationships and events."""
