"""The vendor's texts for a query it refuses: the statement, a caret, the reason."""

from worker.sandbox.salesforce.errors import RequestRefused

_WINDOW = 60


def refused(code: str, statement: str, at: int, reason: str) -> RequestRefused:
    """Build the refusal, pointing at an offset of the statement."""
    row = statement.count("\n", 0, at) + 1
    start = statement.rfind("\n", 0, at) + 1
    column = at - start + 1
    line = statement[start:].partition("\n")[0]
    left = max(0, column - 1 - _WINDOW)
    shown = line[left : column - 1 + _WINDOW]
    caret = " " * (column - 1 - left) + "^"
    return RequestRefused(
        code,
        f"\n{shown}\n{caret}\nERROR at Row:{row}:Column:{column}\n{reason}",
    )


def malformed(statement: str, at: int, reason: str) -> RequestRefused:
    return refused("MALFORMED_QUERY", statement, at, reason)


def no_such_column(
    statement: str, at: int, column: str, type_name: str
) -> RequestRefused:
    return refused(
        "INVALID_FIELD",
        statement,
        at,
        f"No such column '{column}' on entity '{type_name}'. If you are attempting to "
        "use a custom field, be sure to append the '__c' after the custom field name. "
        "Please reference your WSDL or the describe call for the appropriate names.",
    )


def no_such_type(statement: str, at: int, name: str) -> RequestRefused:
    return refused(
        "INVALID_TYPE",
        statement,
        at,
        f"sObject type '{name}' is not supported. If you are attempting to use a "
        "custom object, be sure to append the '__c' after the entity name. Please "
        "reference your WSDL or the describe call for the appropriate names.",
    )


def no_such_relationship(
    statement: str, at: int, name: str, type_name: str
) -> RequestRefused:
    return refused(
        "INVALID_FIELD",
        statement,
        at,
        f"Didn't understand relationship '{name}' in field path. If you are attempting "
        "to use a custom relationship, be sure to append the '__r' after the custom "
        f"relationship name on entity '{type_name}'. Please reference your WSDL or the "
        "describe call for the appropriate names.",
    )
