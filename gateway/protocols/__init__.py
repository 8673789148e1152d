"""One module per wire protocol family; each parses requests and serializes answers."""
