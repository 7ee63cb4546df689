"""The doorway in a shell: `aurora-sync …`."""
