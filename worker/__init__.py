"""The worker: streams that keep a community and a crm in step."""
