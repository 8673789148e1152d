"""Runs code, given a directory and an event; knows no AWS service."""
