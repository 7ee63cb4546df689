"""One module per area of the API: parse the call, ask the state, shape the answer."""
