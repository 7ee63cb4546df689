"""SOQL over the org's tables: parse, resolve, filter, order, shape."""
