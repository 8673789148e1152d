"""What runs on the other side: standard library only, Python 3.8 and newer, no import of ours.

These files are started by path in whatever interpreter a function asks for.
"""
