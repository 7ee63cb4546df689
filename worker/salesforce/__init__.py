"""The adapter for a Salesforce org."""
