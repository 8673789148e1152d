"""What AWS does: one package per service; knows no HTTP."""
