"""The streams: gather → decide → apply → record, then the cursor moves."""
