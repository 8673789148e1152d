"""An ordered transactional key-value store and an encrypted blob store; knows no AWS."""
