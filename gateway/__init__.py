"""The one HTTP door: identify, authenticate, parse, dispatch, serialize; command line; wiring."""
