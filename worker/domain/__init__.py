"""Pure rules and records: the standard library alone, time always a parameter."""
